/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar top: the rates of each port.
 */
#ifndef XBAR_TOP_H
#define XBAR_TOP_H

#include <jansson.h>

/*
 * Print the rates of each port every "delay" seconds (default: 1), "times" times (default: for ever). On a terminal the
 * screen is redrawn.
 */
int cmd_top(const json_t *args);

#endif
