/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Snapshots as JSON, for keeping on disk: the kernel's messages in hexadecimal.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "netcfg_impl.h"

#define MESSAGE_MAX 65536

static void list_to_json(const struct netcfg_list *list, json_t *messages)
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < list->n; i++) {
		size_t len = list->msg[i]->nlmsg_len;
		const unsigned char *bytes = (const unsigned char *)list->msg[i];
		char *text = malloc(2 * len + 1);
		if (!text)
			return;
		for (size_t k = 0; k < len; k++) {
			text[2 * k] = digits[bytes[k] >> 4];
			text[2 * k + 1] = digits[bytes[k] & 15];
		}
		json_array_append_new(messages, json_stringn(text, 2 * len));
		free(text);
	}
}

json_t *netcfg_snap_to_json(const struct netcfg_snap *snap)
{
	json_t *messages = json_array(), *sysctl = json_object();
	char mac[NAME_MAC_TEXT];

	list_to_json(&snap->addrs, messages);
	list_to_json(&snap->routes, messages);
	list_to_json(&snap->neighs, messages);
	/* A copy that is not whole must not be taken for one that is. */
	if (json_array_size(messages) != (size_t)snap->addrs.n + snap->routes.n + snap->neighs.n) {
		json_decref(messages);
		json_decref(sysctl);
		return NULL;
	}
	for (unsigned key = 0; key < QUIET_MAX; key++)
		json_object_set_new(sysctl, netcfg_quiet_name(key), json_integer(snap->sysctl[key]));
	name_format_mac(snap->link.mac, mac);
	return json_pack("{s:s, s:i, s:I, s:I, s:s, s:b, s:i, s:o, s:o}", "name", snap->link.name, "ifindex",
			 snap->link.ifindex, "flags", (json_int_t)snap->link.flags, "mtu", (json_int_t)snap->link.mtu,
			 "mac", mac, "ether", snap->link.ether, "merging", snap->merging, "sysctl", sysctl, "messages",
			 messages);
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int add_message(struct netcfg_snap *snap, const char *text)
{
	size_t len = strlen(text) / 2;

	if (strlen(text) % 2 || len < sizeof(struct nlmsghdr) || len > MESSAGE_MAX)
		return -EINVAL;
	unsigned char *bytes = malloc(len);
	if (!bytes)
		return -ENOMEM;
	int r = 0;
	for (size_t i = 0; i < len; i++) {
		int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);
		if (high < 0 || low < 0)
			r = -EINVAL;
		bytes[i] = (unsigned)high << 4 | (low & 15);
	}
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)bytes;
	if (!r &&
	    (!netcfg_msg_check(nlh, len) || (netcfg_msg_family(nlh) != AF_INET && netcfg_msg_family(nlh) != AF_INET6)))
		r = -EINVAL;
	if (!r)
		r = netcfg_list_add(nlh->nlmsg_type == RTM_NEWADDR    ? &snap->addrs
				    : nlh->nlmsg_type == RTM_NEWROUTE ? &snap->routes
								      : &snap->neighs,
				    nlh);
	free(bytes);
	return r;
}

int netcfg_snap_from_json(const json_t *json, struct netcfg_snap **out, struct sw_err *err)
{
	const char *name, *mac;
	json_t *sysctl, *messages, *message;
	json_int_t flags, mtu;
	json_error_t why;
	int ifindex, ether, merging;
	size_t i;

	*out = NULL;
	if (json_unpack_ex((json_t *)json, &why, 0, "{s:s, s:i, s:I, s:I, s:s, s:b, s:i, s:o, s:o}", "name", &name,
			   "ifindex", &ifindex, "flags", &flags, "mtu", &mtu, "mac", &mac, "ether", &ether, "merging",
			   &merging, "sysctl", &sysctl, "messages", &messages))
		return sw_fail(err, -EINVAL, "not a kept network configuration: %s", why.text);
	if (!name_is_ifname(name) || !json_is_array(messages))
		return sw_fail(err, -EINVAL, "not a kept network configuration: bad \"name\" or \"messages\"");
	struct netcfg_snap *snap = netcfg_snap_new(name);
	if (!snap)
		return sw_fail(err, -ENOMEM, "no memory for a kept network configuration");
	snap->link.ifindex = ifindex;
	snap->link.flags = flags;
	snap->link.mtu = mtu;
	snap->link.ether = ether;
	snap->merging = merging;
	name_parse_mac(mac, snap->link.mac);
	for (unsigned key = 0; key < QUIET_MAX; key++) {
		const json_t *value = json_object_get(sysctl, netcfg_quiet_name(key));
		snap->sysctl[key] = json_is_integer(value) ? (int)json_integer_value(value) : -1;
	}
	json_array_foreach(messages, i, message)
	{
		int r = json_is_string(message) ? add_message(snap, json_string_value(message)) : -EINVAL;
		if (r) {
			netcfg_snap_free(snap);
			return sw_fail(err, r, "not a kept network configuration: message %zu is damaged", i);
		}
	}
	*out = snap;
	return 0;
}
