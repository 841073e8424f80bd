/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The settings of a guest's cfg file that xl.cfg(5) or xm knows and that neither a launcher nor the switch acts on.
 */
#ifndef HV_GUEST_SETTINGS_H
#define HV_GUEST_SETTINGS_H

#include <stdbool.h>

bool hv_guest_setting_elsewhere(const char *name);

#endif
