/* SPDX-License-Identifier: BSD-3-Clause */
#include "vifspec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "vifrate.h"
#include "vlanspec.h"
#include "vswitch/base/mac.h"

#define BLANK " \t"
#define MTU_MIN 68 /* RFC 791; one that carries IPv6 has 1280, but the guest may not want IPv6 */
#define MTU_MAX 65535
#define DEVID_MAX 65535

/* One comma-separated word of a spec, with the places of the word and its value. */
struct word {
	const struct hv_text *text;
	const uint32_t *src; /* NULL: offsets in the spec are those in the text */
	struct hv_notes *notes;
	struct err *err;
	size_t at; /* of the word in the spec */
	const char *value; /* after the '='; NUL-terminated */
	size_t value_at;
};

/* Sets a key's value: 0 or -errno with an error. */
typedef int set_fn(struct hv_vif *vif, const struct word *w);

struct key {
	const char *name;
	set_fn *set;
};

static const char *const nictype_name[] = {
	[HV_NICTYPE_DEFAULT] = "default",
	[HV_NICTYPE_IOEMU] = "ioemu",
	[HV_NICTYPE_VIF] = "vif",
};
_Static_assert(sizeof(nictype_name) / sizeof(*nictype_name) == HV_NICTYPE_MAX, "one name each");

static size_t place(const struct word *w, size_t at)
{
	return w->src ? w->src[at] : at;
}

#define bad_value(w, off, ...) hv_err_at((w)->err, (w)->text, place(w, (w)->value_at + (off)), __VA_ARGS__)
#define odd_value(w, ...) hv_note_at((w)->notes, (w)->text, place(w, (w)->value_at), __VA_ARGS__)

static int replace(char **field, const struct word *w)
{
	char *copy = strdup(w->value);

	if (!copy)
		return err_nomem(w->err);
	free(*field);
	*field = copy;
	return 0;
}

/* A name that Linux accepts for a network interface. */
static int set_netdev_name(char **field, const struct word *w, const char *key)
{
	size_t bad = strcspn(w->value, "/: \t");

	if (w->value[bad] != '\0')
		return bad_value(w, bad, "%s=: '%c' is not allowed in the name of a network interface", key,
				 w->value[bad]);
	if (strlen(w->value) >= IFNAMSIZ)
		return bad_value(w, 0, "%s=%s: longer than the %d characters that Linux allows", key, w->value,
				 IFNAMSIZ - 1);
	if (!strcmp(w->value, ".") || !strcmp(w->value, ".."))
		return bad_value(w, 0, "%s=%s: Linux does not allow this name", key, w->value);
	return replace(field, w);
}

static int set_number(int *field, const struct word *w, const char *key, int min, int max)
{
	size_t digits = strspn(w->value, "0123456789");
	unsigned long v;

	if (digits == 0 || w->value[digits] != '\0')
		return bad_value(w, digits, "%s=%s: write a decimal number", key, w->value);
	errno = 0;
	v = strtoul(w->value, NULL, 10);
	if (errno || v > (unsigned long)max || v < (unsigned long)min)
		return bad_value(w, 0, "%s=%s: must be from %d to %d", key, w->value, min, max);
	*field = v;
	return 0;
}

static void note_twice(const struct word *w, const char *key)
{
	hv_note_at(w->notes, w->text, place(w, w->at), "%s= is given twice: the last one counts", key);
}

static int set_mac(struct hv_vif *vif, const struct word *w)
{
	uint8_t mac[6];
	size_t at;

	if (!mac_parse_loose(w->value, mac, &at))
		return bad_value(w, at, "mac=%s: write six bytes in hexadecimal, e.g. 00:16:3e:01:02:03", w->value);
	if (mac[0] & 1)
		return bad_value(w, 0, "mac=%s: a multicast address: the first byte must be even", w->value);
	vif->has_mac = !mac_is_zero(mac);
	memcpy(vif->mac, mac, sizeof(mac));
	return 0;
}

static int set_bridge(struct hv_vif *vif, const struct word *w)
{
	return set_netdev_name(&vif->bridge, w, "bridge");
}

static int set_gatewaydev(struct hv_vif *vif, const struct word *w)
{
	return set_netdev_name(&vif->gatewaydev, w, "gatewaydev");
}

static int set_netdev(struct hv_vif *vif, const struct word *w)
{
	odd_value(w, "netdev= in a vif is the old name of gatewaydev=: use that");
	return set_gatewaydev(vif, w);
}

static int set_vifname(struct hv_vif *vif, const struct word *w)
{
	return set_netdev_name(&vif->vifname, w, "vifname");
}

static bool is_address(const char *s, size_t n)
{
	char buf[INET6_ADDRSTRLEN + 4];
	unsigned char addr[16];
	size_t host = 0, digits;
	int family, prefix;

	while (host < n && s[host] != '/')
		host++;
	if (n >= sizeof(buf))
		return false;
	memcpy(buf, s, host);
	buf[host] = '\0';
	family = memchr(buf, ':', host) ? AF_INET6 : AF_INET;
	if (inet_pton(family, buf, addr) != 1)
		return false;
	if (host == n)
		return true;
	digits = strspn(s + host + 1, "0123456789");
	if (digits == 0 || digits > 3 || host + 1 + digits != n)
		return false;
	prefix = atoi(s + host + 1);
	return prefix <= (family == AF_INET ? 32 : 128);
}

static int set_ip(struct hv_vif *vif, const struct word *w)
{
	size_t n;

	for (size_t i = strspn(w->value, BLANK); w->value[i]; i += strspn(w->value + i, BLANK)) {
		n = strcspn(w->value + i, BLANK);
		if (!is_address(w->value + i, n))
			return bad_value(w, i,
					 "ip=%.*s: not an IPv4 or IPv6 address: write the guest's own, e.g. "
					 "ip=172.16.16.2 (several: separated by blanks)",
					 (int)(n > 60 ? 60 : n), w->value + i);
		i += n;
	}
	return replace(&vif->ip, w);
}

static int set_script(struct hv_vif *vif, const struct word *w)
{
	return replace(&vif->script, w);
}

static int set_model(struct hv_vif *vif, const struct word *w)
{
	return replace(&vif->model, w);
}

static int set_backend(struct hv_vif *vif, const struct word *w)
{
	if (strcmp(w->value, "0") && strcmp(w->value, "Domain-0"))
		odd_value(w, "backend=%s: only the network of Domain-0 is served here", w->value);
	return replace(&vif->backend, w);
}

static int set_type(struct hv_vif *vif, const struct word *w)
{
	for (int i = HV_NICTYPE_DEFAULT + 1; i < HV_NICTYPE_MAX; i++)
		if (!strcmp(w->value, nictype_name[i])) {
			vif->type = i;
			return 0;
		}
	return bad_value(w, 0, "type=%s: write type=vif (paravirtual) or type=ioemu (also an emulated NIC)", w->value);
}

static int set_rate(struct hv_vif *vif, const struct word *w)
{
	struct err why;

	if (hv_rate_parse(w->value, &vif->rate_bytes_per_interval, &vif->rate_interval_usecs, &why))
		return bad_value(w, why.column - 1, "rate=%.60s: %s", w->value, why.text);
	if (vif->rate_bytes_per_interval == 0)
		odd_value(w,
			  "rate=%.60s: less than one byte per %u us, which limits nothing here and stops all traffic "
			  "under netback: make the interval longer",
			  w->value, vif->rate_interval_usecs);
	return replace(&vif->rate, w);
}

static int set_mtu(struct hv_vif *vif, const struct word *w)
{
	if (!strcmp(w->value, "0")) {
		vif->mtu = 0;
		return 0;
	}
	return set_number(&vif->mtu, w, "mtu", MTU_MIN, MTU_MAX);
}

static int set_devid(struct hv_vif *vif, const struct word *w)
{
	return set_number(&vif->devid, w, "devid", 0, DEVID_MAX);
}

static int set_vlan(struct hv_vif *vif, const struct word *w)
{
	struct err why;

	if (hv_vlan_parse(w->value, &vif->pvid, &why))
		return bad_value(w, why.column - 1, "vlan=%.60s: %s", w->value, why.text);
	return replace(&vif->vlan, w);
}

static int set_accel(struct hv_vif *vif, const struct word *w)
{
	(void)vif;
	odd_value(w, "accel= has no effect, neither here nor under xl");
	return 0;
}

static const struct key keys[] = {
	{"mac", set_mac},       {"bridge", set_bridge},   {"ip", set_ip},       {"rate", set_rate},
	{"script", set_script}, {"vifname", set_vifname}, {"model", set_model}, {"type", set_type},
	{"mtu", set_mtu},       {"devid", set_devid},     {"vlan", set_vlan},   {"gatewaydev", set_gatewaydev},
	{"netdev", set_netdev}, {"backend", set_backend}, {"accel", set_accel},
};
_Static_assert(sizeof(keys) / sizeof(*keys) <= 8 * sizeof(unsigned), "set_word() has a bit for each");

/* The keys of COLO (two guests in lock step, of which one takes over from the other). */
static bool is_colo(const char *key)
{
	return !strncmp(key, "colo_", 5) || !strcmp(key, "forwarddev");
}

static int unknown(const struct word *w, const char *name, const char *equals)
{
	size_t at = place(w, w->at);
	size_t n = equals ? (size_t)(equals - name) : strlen(name);

	if (!equals)
		return hv_err_at(w->err, w->text, at, "`%.60s': write KEY=VALUE, `trusted' or `untrusted'", name);
	if (!strncmp(name, "trusted=", 8) || !strncmp(name, "untrusted=", 10))
		return hv_err_at(w->err, w->text, at, "`%.60s': write only `trusted' or `untrusted'", name);
	if (n > 0 && strchr(BLANK, name[n - 1]))
		return hv_err_at(w->err, w->text, at, "`%.60s': a blank before the `=': remove it", name);
	return hv_err_at(
		w->err, w->text, at,
		"`%.*s=' is not a setting of a vif; the usual ones are mac= bridge= ip= rate= script= vifname= model= "
		"type= mtu= devid= vlan=",
		(int)(n > 60 ? 60 : n), name);
}

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!strcmp(name, keys[i].name))
			return &keys[i];
	return NULL;
}

/* `name` is the word itself, trimmed and NUL-terminated; *seen has a bit for each key that occurred before. */
static int set_word(struct hv_vif *vif, struct word *w, char *name, unsigned *seen)
{
	char *equals = strchr(name, '=');
	const struct key *key;

	if (!strcmp(name, "trusted") || !strcmp(name, "untrusted")) {
		vif->has_trusted = true;
		vif->trusted = *name == 't';
		return 0;
	}
	if (!equals)
		return unknown(w, name, NULL);
	*equals = '\0';
	key = find_key(name);
	if (!key && !is_colo(name)) {
		*equals = '=';
		return unknown(w, name, equals);
	}
	w->value = equals + 1;
	w->value_at = w->at + (equals + 1 - name);
	/* An empty ip= is left behind by templates, and means none to xl's scripts. */
	if (*w->value == '\0' && (!key || key->set != set_ip))
		return bad_value(w, 0, "%s= is empty: give a value, or remove it", name);
	if (!key) {
		odd_value(w, "%s= is for COLO replication, which is not supported: ignored", name);
		return 0;
	}
	if (*seen & 1u << (key - keys))
		note_twice(w, name);
	*seen |= 1u << (key - keys);
	return key->set(vif, w);
}

static int parse_words(const struct hv_text *text, char *spec, const uint32_t *src, struct hv_vif *vif,
		       struct hv_notes *notes, struct err *err)
{
	struct word w = {.text = text, .src = src, .notes = notes, .err = err};
	unsigned seen = 0;
	size_t end, next;
	int r;

	for (size_t i = 0; spec[i]; i++)
		if ((unsigned char)spec[i] < ' ' && spec[i] != '\t')
			return hv_err_at(err, text, place(&w, i), "a control character in a vif: remove it");
	for (size_t at = 0;; at = next + 1) {
		at += strspn(spec + at, BLANK);
		next = at + strcspn(spec + at, ",");
		bool last = spec[next] == '\0';

		for (end = next; end > at && strchr(BLANK, spec[end - 1]); end--)
			;
		spec[end] = '\0';
		w.at = at;
		if (end > at) {
			r = set_word(vif, &w, spec + at, &seen);
			if (r)
				return r;
		}
		if (last)
			return 0;
	}
}

int hv_vif_parse_in(const struct hv_text *text, const char *spec, const uint32_t *src, struct hv_vif *vif,
		    struct hv_notes *notes, struct err *err)
{
	char *copy = strdup(spec);
	int r;

	*vif = (struct hv_vif){.devid = -1, .trusted = true, .at = src ? src[0] : 0};
	if (!copy)
		r = err_nomem(err);
	else
		r = parse_words(text, copy, src, vif, notes, err);
	free(copy);
	if (r)
		hv_vif_fini(vif);
	return r;
}

int hv_vif_parse(const char *name, const char *spec, struct hv_vif *vif, struct hv_notes *notes, struct err *err)
{
	struct hv_text text;
	int r;

	*vif = (struct hv_vif){0};
	r = hv_text_copy(&text, name, spec, strlen(spec), err);
	if (r)
		return r;
	r = hv_vif_parse_in(&text, text.data, NULL, vif, notes, err);
	hv_text_fini(&text);
	return r;
}

static void print_word(FILE *out, bool *any, const char *key, const char *value)
{
	if (!value)
		return;
	fprintf(out, "%s%s=%s", *any ? "," : "", key, value);
	*any = true;
}

void hv_vif_print(const struct hv_vif *vif, FILE *out)
{
	bool any = false;
	char buf[24];

	if (vif->has_mac)
		print_word(out, &any, "mac", mac_format(vif->mac, buf));
	print_word(out, &any, "bridge", vif->bridge);
	print_word(out, &any, "ip", vif->ip);
	print_word(out, &any, "rate", vif->rate);
	print_word(out, &any, "script", vif->script);
	print_word(out, &any, "vifname", vif->vifname);
	print_word(out, &any, "model", vif->model);
	if (vif->type != HV_NICTYPE_DEFAULT)
		print_word(out, &any, "type", nictype_name[vif->type]);
	if (vif->mtu > 0) {
		snprintf(buf, sizeof(buf), "%d", vif->mtu);
		print_word(out, &any, "mtu", buf);
	}
	if (vif->devid >= 0) {
		snprintf(buf, sizeof(buf), "%d", vif->devid);
		print_word(out, &any, "devid", buf);
	}
	print_word(out, &any, "vlan", vif->vlan);
	print_word(out, &any, "gatewaydev", vif->gatewaydev);
	print_word(out, &any, "backend", vif->backend);
	if (vif->has_trusted)
		fprintf(out, "%s%s", any ? "," : "", vif->trusted ? "trusted" : "untrusted");
}

void hv_vif_fini(struct hv_vif *vif)
{
	free(vif->bridge);
	free(vif->gatewaydev);
	free(vif->ip);
	free(vif->script);
	free(vif->vifname);
	free(vif->model);
	free(vif->backend);
	free(vif->rate);
	free(vif->vlan);
	*vif = (struct hv_vif){0};
}
