/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Snapshots as JSON, to be kept on disk: the kernel's messages in hexadecimal.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtnl_impl.h"
#include "vswitch/base/mac.h"
#include "vswitch/base/names.h"

#define MESSAGE_MAX 65536

static json_t *message_to_json(const struct nlmsghdr *nlh)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = (const unsigned char *)nlh;
	size_t len = nlh->nlmsg_len;

	char *text = malloc(2 * len + 1);
	if (!text)
		return NULL;
	for (size_t k = 0; k < len; k++) {
		text[2 * k] = digits[bytes[k] >> 4];
		text[2 * k + 1] = digits[bytes[k] & 15];
	}
	json_t *json = json_stringn(text, 2 * len);
	free(text);
	return json;
}

/* Append to `messages`. NULL, which stays NULL, if memory runs out: an incomplete copy must not pass for a whole one. */
static json_t *list_to_json(json_t *messages, const struct rtnl_list *list)
{
	for (unsigned i = 0; i < list->n; i++)
		if (json_array_append_new(messages, message_to_json(list->msg[i]))) {
			json_decref(messages);
			return NULL;
		}
	return messages;
}

static json_t *children_to_json(const struct rtnl_snap *snap)
{
	json_t *children = json_array();

	for (unsigned i = 0; i < snap->children; i++) {
		const struct rtnl_child *child = &snap->child[i];
		json_t *json =
			json_pack("{s:s, s:o, s:O, s:o}", "parent", child->parent, "link", message_to_json(child->link),
				  "sysctl", child->sysctl, "snapshot", rtnl_snap_to_json(child->snap));
		if (json_array_append_new(children, json)) {
			json_decref(children);
			return NULL;
		}
	}
	return children;
}

json_t *rtnl_snap_to_json(const struct rtnl_snap *snap)
{
	json_t *messages = json_array(), *sysctl = json_object();
	char mac[MAC_TEXT];

	messages = list_to_json(messages, &snap->nexthops);
	messages = list_to_json(messages, &snap->addrs);
	messages = list_to_json(messages, &snap->routes);
	messages = list_to_json(messages, &snap->neighs);
	messages = list_to_json(messages, &snap->rules);
	for (unsigned key = 0; key < MUTE_MAX; key++)
		json_object_set_new(sysctl, rtnl_mute_sysctl(key), json_integer(snap->sysctl[key]));
	mac_format(snap->link.mac, mac);
	return json_pack("{s:s, s:i, s:I, s:I, s:s, s:b, s:i, s:o, s:o, s:o, s:o, s:O}", "name", snap->link.name,
			 "ifindex", snap->link.ifindex, "flags", (json_int_t)snap->link.flags, "mtu",
			 (json_int_t)snap->link.mtu, "mac", mac, "ether", snap->link.ether, "merging", snap->coalescing,
			 "sysctl", sysctl, "messages", messages, "order", list_to_json(json_array(), &snap->order),
			 "children", children_to_json(snap), "below", snap->lower ? snap->lower : json_null());
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A message that is one of those kept; the caller frees it. */
static int parse_message(const char *text, struct nlmsghdr **out)
{
	size_t len = text ? strlen(text) / 2 : 0;

	*out = NULL;
	if (!text || strlen(text) % 2 || len < sizeof(struct nlmsghdr) || len > MESSAGE_MAX)
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
	if (!r && !rtnl_msg_check((struct nlmsghdr *)bytes, len))
		r = -EINVAL;
	if (r)
		free(bytes);
	else
		*out = (struct nlmsghdr *)bytes;
	return r;
}

/* `list` NULL: that of the message's type. */
static int add_message(struct rtnl_snap *snap, struct rtnl_list *list, const char *text)
{
	struct nlmsghdr *nlh;

	int r = parse_message(text, &nlh);
	if (r)
		return r;
	int family = rtnl_msg_family(nlh);
	if (!list)
		list = rtnl_snap_list(snap, nlh->nlmsg_type);
	else if (nlh->nlmsg_type != RTM_NEWROUTE)
		list = NULL;
	if (!list || (family != AF_INET && family != AF_INET6 && nlh->nlmsg_type != RTM_NEWNEXTHOP))
		r = -EINVAL;
	if (!r)
		r = rtnl_list_add(list, nlh);
	free(nlh);
	return r;
}

static int add_child(struct rtnl_snap *snap, const json_t *json, struct err *err)
{
	const char *parent, *link;
	json_t *sysctl, *kept;
	json_error_t why;
	struct rtnl_child *child = reallocarray(snap->child, snap->children + 1, sizeof(*child));

	if (!child)
		return err_set(err, -ENOMEM, "no memory for a kept network configuration");
	snap->child = child;
	child += snap->children;
	*child = (struct rtnl_child){0};
	if (json_unpack_ex((json_t *)json, &why, 0, "{s:s, s:s, s:o, s:o}", "parent", &parent, "link", &link, "sysctl",
			   &sysctl, "snapshot", &kept))
		return err_set(err, -EINVAL, "not a kept VLAN netdev: %s", why.text);
	if ((*parent && !name_is_ifname(parent)) || parse_message(link, &child->link) ||
	    child->link->nlmsg_type != RTM_NEWLINK) {
		free(child->link);
		return err_set(err, -EINVAL, "not a kept VLAN netdev: bad \"parent\" or \"link\"");
	}
	int r = rtnl_snap_from_json(kept, &child->snap, err);
	if (r) {
		free(child->link);
		return r;
	}
	name_copy(child->parent, sizeof(child->parent), parent);
	child->sysctl = json_incref(sysctl);
	snap->children++;
	return 0;
}

/* What an older record lacks. */
static int add_more(struct rtnl_snap *snap, const json_t *json, struct err *err)
{
	const json_t *order = json_object_get(json, "order"), *children = json_object_get(json, "children");
	json_t *below = json_object_get(json, "below");
	int r = 0;

	if (json_is_object(below))
		snap->lower = json_incref(below);
	for (size_t i = 0; !r && i < json_array_size(order); i++)
		if (add_message(snap, &snap->order, json_string_value(json_array_get(order, i))))
			r = err_set(err, -EINVAL, "not a kept network configuration: \"order\" is damaged");
	for (size_t i = 0; !r && i < json_array_size(children); i++)
		r = add_child(snap, json_array_get(children, i), err);
	return r;
}

int rtnl_snap_from_json(const json_t *json, struct rtnl_snap **out, struct err *err)
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
		return err_set(err, -EINVAL, "not a kept network configuration: %s", why.text);
	if (!name_is_ifname(name) || !json_is_array(messages))
		return err_set(err, -EINVAL, "not a kept network configuration: bad \"name\" or \"messages\"");
	struct rtnl_snap *snap = rtnl_snap_new(name);
	if (!snap)
		return err_set(err, -ENOMEM, "no memory for a kept network configuration");
	snap->link.ifindex = ifindex;
	snap->link.flags = flags;
	snap->link.mtu = mtu;
	snap->link.ether = ether;
	snap->coalescing = merging;
	mac_parse(mac, snap->link.mac);
	for (unsigned key = 0; key < MUTE_MAX; key++) {
		const json_t *value = json_object_get(sysctl, rtnl_mute_sysctl(key));
		snap->sysctl[key] = json_is_integer(value) ? (int)json_integer_value(value) : -1;
	}
	json_array_foreach(messages, i, message)
	{
		int r = add_message(snap, NULL, json_string_value(message));
		if (r) {
			rtnl_snap_free(snap);
			return err_set(err, r, "not a kept network configuration: message %zu is damaged", i);
		}
	}
	int r = add_more(snap, json, err);
	if (r)
		rtnl_snap_free(snap);
	else
		*out = snap;
	return r;
}
