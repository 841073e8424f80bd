/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar top: what passes through each port now.
 */
#ifndef XBAR_TOP_H
#define XBAR_TOP_H

/* Print rates per port every -d seconds (1), -n times (without end), over the last picture where it is a terminal. */
int cmd_top(int argc, char **argv);

#endif
