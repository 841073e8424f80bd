/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar create, list, console, shutdown, destroy: guests, in xl's words.
 *
 * Each takes its command line from the command's name on (argv[0]), shows its own usage, and returns an exit status: 0;
 * CLI_FAILURE with a sentence on standard error; CLI_USAGE. On a Xen host without --hypervisor they become xl, which
 * keeps its guests itself; guests that were started by another hypervisor are found by their run directory first.
 */
#ifndef XBAR_GUEST_H
#define XBAR_GUEST_H

int cmd_create(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_console(int argc, char **argv);
int cmd_destroy(int argc, char **argv);
int cmd_shutdown(int argc, char **argv);

#endif
