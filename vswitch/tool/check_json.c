/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "vswitch/base/mac.h"

/* JSON must be UTF-8, which a file need not be: the bytes of other text become '?'. */
static json_t *text(const char *s)
{
	json_t *value = json_string(s);
	char *copy;

	if (value)
		return value;
	copy = strdup(s);
	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p > '~')
			*p = '?';
	value = json_string(copy ? copy : "");
	free(copy);
	return value;
}

static void set_text(json_t *object, const char *key, const char *s)
{
	if (s)
		json_object_set_new(object, key, text(s));
}

static void set_number(json_t *object, const char *key, uint64_t n)
{
	json_object_set_new(object, key, json_integer(n));
}

static json_t *list(char *const *s, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, text(s[i]));
	return array;
}

static json_t *new_file(const char *path, const char *kind, const struct hv_notes *notes)
{
	json_t *object = json_object();

	set_text(object, "file", path);
	set_text(object, "kind", kind);
	json_object_set_new(object, "warnings", list(notes->line, notes->n));
	return object;
}

json_t *check_json_vif(const struct hv_vif *vif)
{
	static const char *const nictype[] = {[HV_NICTYPE_IOEMU] = "vif_ioemu", [HV_NICTYPE_VIF] = "vif"};
	json_t *object = json_object();
	char mac[MAC_TEXT];

	set_text(object, "backend_domname", vif->backend);
	if (vif->devid >= 0)
		set_number(object, "devid", vif->devid);
	if (vif->mtu > 0)
		set_number(object, "mtu", vif->mtu);
	set_text(object, "vlan", vif->vlan);
	set_text(object, "model", vif->model);
	if (vif->has_mac)
		set_text(object, "mac", mac_format(vif->mac, mac));
	set_text(object, "ip", vif->ip);
	set_text(object, "bridge", vif->bridge);
	set_text(object, "ifname", vif->vifname);
	set_text(object, "script", vif->script);
	if (vif->type != HV_NICTYPE_DEFAULT)
		set_text(object, "nictype", nictype[vif->type]);
	if (vif->rate) {
		set_number(object, "rate_bytes_per_interval", vif->rate_bytes_per_interval);
		set_number(object, "rate_interval_usecs", vif->rate_interval_usecs);
	}
	set_text(object, "gatewaydev", vif->gatewaydev);
	if (vif->has_trusted)
		set_text(object, "trusted", vif->trusted ? "True" : "False");
	return object;
}

json_t *check_json_guest(const struct hv_guest *guest)
{
	json_t *object = new_file(guest->path, "guest", &guest->notes);
	json_t *vifs = json_array();

	set_text(object, "name", guest->name);
	set_text(object, "uuid", guest->uuid);
	set_text(object, "type", hv_guest_type_name(guest->type));
	if (guest->memory_mb > 0)
		set_number(object, "memory", guest->memory_mb);
	if (guest->maxmem_mb > 0)
		set_number(object, "maxmem", guest->maxmem_mb);
	set_number(object, "vcpus", guest->vcpus);
	set_text(object, "kernel", guest->kernel);
	set_text(object, "ramdisk", guest->ramdisk);
	set_text(object, "cmdline", guest->cmdline);
	set_text(object, "bootloader", guest->bootloader);
	json_object_set_new(object, "disk", list(guest->disk, guest->ndisk));
	for (size_t i = 0; i < guest->nvif; i++)
		json_array_append_new(vifs, check_json_vif(&guest->vif[i]));
	json_object_set_new(object, "vif", vifs);
	set_text(object, "on_poweroff", hv_on_name(guest->on_poweroff));
	set_text(object, "on_reboot", hv_on_name(guest->on_reboot));
	set_text(object, "on_crash", hv_on_name(guest->on_crash));
	return object;
}

json_t *check_json_xend(const struct hv_xend *xend)
{
	json_t *object = new_file(xend->path, "xend", &xend->notes);

	json_object_set_new(object, "network_script", list(xend->network.argv, xend->network.argc));
	json_object_set_new(object, "vif_script", list(xend->vif.argv, xend->vif.argc));
	return object;
}

json_t *check_json_error(const char *file, const struct err *err)
{
	json_t *object = json_object();

	set_text(object, "file", file);
	set_text(object, "error", err->text);
	if (err->line > 0) {
		set_number(object, "line", err->line);
		set_number(object, "column", err->column);
	}
	return object;
}
