/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `xbar version` and `xbard --version` say.
 */
#ifndef XBAR_VERSION_H
#define XBAR_VERSION_H

#define XBAR_VERSION "0.1"

#endif
