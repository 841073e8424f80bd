/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The version that `xbar version` and `xbard --version` print.
 */
#ifndef XBAR_VERSION_H
#define XBAR_VERSION_H

#define XBAR_VERSION "0.1"

#endif
