/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The settings of xl.cfg(5) and xm on which neither a launcher nor the switch acts: their names tell a setting that is
 * ignored on purpose from a misspelled one.
 */
#ifndef HV_GUEST_SETTINGS_H
#define HV_GUEST_SETTINGS_H

#include <stdbool.h>

bool hv_guest_setting_is_ignored(const char *name);

#endif
