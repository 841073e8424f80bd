/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guests that break netif's rules, against the daemon on a real Xen host. Each rule is broken by a vif of its own, on real
 * grants and event channels, while two others on the same bridge go on talking; the daemon must name the rule (`xbar
 * stats`), or only count, where it is no rule but a misfortune. Runs in domain 0, as frontends of its own backend.
 *
 * usage: hostile BRIDGE [NAME]...   ends with 1 where something was not as it must be; NAME: those alone
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "front.h"

#define WAIT_MS 5000

static struct front a, b; /* who keep the rules */
static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};
static const uint8_t mac_h[6] = {2, 0, 0, 0, 0, 0xc}; /* who does not */
static bool all_good = true;

static void header(uint8_t *frame, const uint8_t *to, const uint8_t *from)
{
	memset(frame, 0x5a, 1514);
	memcpy(frame, to, 6);
	memcpy(frame + 6, from, 6);
	frame[12] = 0x88; /* an Ethernet type for local experiments */
	frame[13] = 0xb5;
}

/* One frame from a to b and one back. */
static bool others_go_on(void)
{
	static uint8_t out[1514], in[65536 + 18];
	struct front *from = &a, *to = &b;

	for (int way = 0; way < 2; way++) {
		bool came = false;

		header(out, way ? mac_a : mac_b, way ? mac_b : mac_a);
		front_reap(from);
		if (!front_send(from, out, sizeof(out), 0, 0))
			return false;
		front_kick(from);
		for (int waited = 0; !came && waited < WAIT_MS; waited += 20) {
			uint32_t len;

			while ((len = front_receive(to, in)))
				came |= len == sizeof(out) && !memcmp(in, out, len);
			if (!came)
				front_wait(to, 20);
		}
		if (!came)
			return false;
		from = &b;
		to = &a;
	}
	return true;
}

/* ---- broken rules ------------------------------------------------------------------------------------------------ */

static void request(struct front *f, uint16_t offset, uint16_t size, uint16_t flags)
{
	f->tx.sring->ring[f->tx.req_prod_pvt++ % 256].req =
		(netif_tx_request_t){.gref = f->tx_gref[0], .offset = offset, .size = size, .flags = flags};
}

static void extra(struct front *f, uint8_t type, uint8_t flags, uint16_t gso_size, uint8_t gso_type)
{
	struct netif_extra_info info = {.type = type, .flags = flags, .u.gso = {.size = gso_size, .type = gso_type}};

	memcpy(&f->tx.sring->ring[f->tx.req_prod_pvt++ % 256].req, &info, sizeof(info));
}

static void index_ahead(struct front *f)
{
	f->tx.req_prod_pvt = f->tx.rsp_cons + 257;
}

static void index_behind(struct front *f)
{
	f->tx.req_prod_pvt = f->tx.rsp_cons - 1;
}

static void over_the_page(struct front *f)
{
	request(f, 4090, 60, 0);
}

static void over_the_page_later(struct front *f)
{
	request(f, 0, 200, NETTXF_more_data);
	request(f, 4090, 60, 0);
}

static void offset_beyond(struct front *f)
{
	request(f, 0xffff, 0xffff, 0);
}

static void no_end(struct front *f)
{
	request(f, 0, 200, NETTXF_more_data);
}

static void no_end_in_a_full_ring(struct front *f)
{
	for (int i = 0; i < 256; i++)
		request(f, 0, i ? 1 : 1000, NETTXF_more_data);
}

static void no_extra(struct front *f)
{
	request(f, 0, 60, NETTXF_extra_info);
}

static void extras_in_a_full_ring(struct front *f)
{
	request(f, 0, 60, NETTXF_extra_info);
	for (int i = 1; i < 256; i++)
		extra(f, XEN_NETIF_EXTRA_TYPE_HASH, XEN_NETIF_EXTRA_FLAG_MORE, 0, 0);
}

static void extra_unknown(struct front *f)
{
	request(f, 0, 60, NETTXF_extra_info);
	extra(f, 200, 0, 0, 0);
}

static void gso_size_0(struct front *f)
{
	request(f, 0, 3000, NETTXF_extra_info);
	extra(f, XEN_NETIF_EXTRA_TYPE_GSO, 0, 0, XEN_NETIF_GSO_TYPE_TCPV4);
}

static void gso_unknown(struct front *f)
{
	request(f, 0, 3000, NETTXF_extra_info);
	extra(f, XEN_NETIF_EXTRA_TYPE_GSO, 0, 1448, 77);
}

/* The receive ring is looked at when there is a frame for it. */
static void send_to_hostile(void)
{
	static uint8_t frame[1514];

	header(frame, mac_h, mac_a);
	front_reap(&a);
	if (front_send(&a, frame, sizeof(frame), 0, 0))
		front_kick(&a);
}

static void rx_index_ahead(struct front *f)
{
	__atomic_store_n(&f->rx.sring->req_prod, f->rx.rsp_cons + 1000, __ATOMIC_RELEASE);
	send_to_hostile();
}

static void rx_index_behind(struct front *f)
{
	__atomic_store_n(&f->rx.sring->req_prod, f->rx.rsp_cons - 5, __ATOMIC_RELEASE);
	send_to_hostile();
}

/* ---- misfortunes ------------------------------------------------------------------------------------------------- */

static void bad_grants(struct front *f)
{
	for (int i = 0; i < 50; i++) {
		request(f, 0, 1514, 0);
		f->tx.sring->ring[(f->tx.req_prod_pvt - 1) % 256].req.gref = 0xffffff00u + i;
	}
}

static void ring_grants(struct front *f)
{
	request(f, 0, 1514, 0);
	f->tx.sring->ring[(f->tx.req_prod_pvt - 1) % 256].req.gref = f->tx_ref; /* its own ring as a frame */
}

static void odd_sizes(struct front *f)
{
	request(f, 0, 0, 0);
	request(f, 0, 13, 0);
	request(f, 0, 100, NETTXF_more_data);
	request(f, 0, 4000, 0);
	request(f, 0, 100, NETTXF_csum_blank);
	request(f, 0, 0xffff, NETTXF_more_data);
	for (int i = 0; i < 40; i++)
		request(f, 0, 1000, i < 39 ? NETTXF_more_data : 0);
}

static void rx_bad_grants(struct front *f)
{
	for (int i = 0; i < 256; i++)
		f->rx.sring->ring[i].req.gref = 0xffffff00u + i;
	for (int i = 0; i < 20; i++)
		send_to_hostile();
}

/* Everything sent to it waits, and then is dropped; nobody else waits long. */
static void rx_never_posts(struct front *f)
{
	f->rx.sring->req_prod = f->rx.sring->rsp_prod;
	for (int i = 0; i < 20; i++)
		send_to_hostile();
}

static void signals_without_end(struct front *f)
{
	for (int i = 0; i < 20000; i++)
		xenevtchn_notify(f->evtchn, f->port);
}

/* Frees what it has granted, while the backend has it mapped. */
static void rings_revoked(struct front *f)
{
	xengntshr_unshare(f->gntshr, f->tx_page, FRONT_TX_PAGES);
	xengntshr_unshare(f->gntshr, f->rx_page, FRONT_RX_PAGES);
	f->tx_page = f->rx_page = NULL;
	request(f, 0, 1514, 0);
	send_to_hostile();
}

static const struct {
	const char *name;
	void (*act)(struct front *f);
	const char *why; /* a part of what the daemon must say; NULL: it must not cut it off */
} acts[] = {
	{"index-ahead", index_ahead, "request index ran ahead"},
	{"index-behind", index_behind, "request index ran ahead"},
	{"over-the-page", over_the_page, "crosses the end of its page"},
	{"over-the-page-later", over_the_page_later, "crosses the end of its page"},
	{"offset-beyond", offset_beyond, "crosses the end of its page"},
	{"no-end", no_end, "fewer slots"},
	{"no-end-in-a-full-ring", no_end_in_a_full_ring, "fewer slots"},
	{"no-extra", no_extra, "announced and not there"},
	{"extras-in-a-full-ring", extras_in_a_full_ring, "announced and not there"},
	{"extra-unknown", extra_unknown, "no known type"},
	{"gso-size-0", gso_size_0, "segment size of 0"},
	{"gso-unknown", gso_unknown, "segmentation type"},
	{"rx-index-ahead", rx_index_ahead, "receive ring's request index"},
	{"rx-index-behind", rx_index_behind, "receive ring's request index"},
	{"bad-grants", bad_grants, NULL},
	{"ring-grants", ring_grants, NULL},
	{"odd-sizes", odd_sizes, NULL},
	{"rx-bad-grants", rx_bad_grants, NULL},
	{"rx-never-posts", rx_never_posts, NULL},
	{"signals-without-end", signals_without_end, NULL},
	{"rings-revoked", rings_revoked, NULL},
};

/* ---- what the daemon says ---------------------------------------------------------------------------------------- */

static bool shows(unsigned devid, const char *text)
{
	char command[80], all[4096];
	FILE *pipe;
	size_t n;

	snprintf(command, sizeof(command), "xbar stats vif0.%u", devid);
	pipe = popen(command, "r");
	if (!pipe)
		die("popen");
	n = fread(all, 1, sizeof(all) - 1, pipe);
	all[n] = '\0';
	if (pclose(pipe))
		return false;
	return strstr(all, text);
}

static bool shows_soon(unsigned devid, const char *text)
{
	for (int waited = 0; waited < WAIT_MS; waited += 200) {
		if (shows(devid, text))
			return true;
		usleep(200000);
	}
	return false;
}

static void attach(struct front *f, unsigned devid, const char *bridge, const uint8_t mac[6])
{
	char command[100];

	front_open(f, 0);
	front_attach(f, devid, bridge, mac);
	/* it may have been put there by its script */
	snprintf(command, sizeof(command), "xbar port join vif0.%u %.15s >/dev/null 2>&1", devid, bridge);
	if (system(command))
		usleep(200000);
}

static void verdict(const char *name, bool good, const char *what)
{
	if (!good) {
		printf("FAIL %-22s %s\n", name, what);
		all_good = false;
	}
}

static void try(unsigned i, const char *bridge)
{
	unsigned devid = 110 + i;
	struct front h;
	bool before = all_good;
	static uint8_t hello[1514];

	attach(&h, devid, bridge, mac_h);
	header(hello, mac_a, mac_h); /* so that its address is known */
	front_send(&h, hello, sizeof(hello), 0, 0);
	front_kick(&h);
	for (int k = 0; front_reap(&h) && k < 250; k++)
		usleep(20000);
	acts[i].act(&h);
	front_kick(&h);
	xenevtchn_notify(h.evtchn, h.port);
	if (acts[i].why)
		verdict(acts[i].name, shows_soon(devid, acts[i].why), "is not cut off for what it did");
	verdict(acts[i].name, others_go_on(), "stops the others");
	if (!acts[i].why)
		verdict(acts[i].name, shows(devid, ": netif, connected"), "is cut off for a misfortune");
	front_detach(devid);
	if (h.tx_page)
		front_close(&h);
	verdict(acts[i].name, others_go_on(), "stops the others when it has gone");
	printf("%s %-22s %s\n", all_good == before ? "ok  " : "BAD ", acts[i].name,
	       acts[i].why ? acts[i].why : "counted");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		die("usage: hostile BRIDGE [NAME]...");
	attach(&a, 100, argv[1], mac_a);
	attach(&b, 101, argv[1], mac_b);
	others_go_on(); /* the first frames make the addresses known */
	verdict("the others", others_go_on(), "do not even begin");
	for (unsigned i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		bool named = argc < 3;

		for (int k = 2; k < argc; k++)
			named |= !strcmp(argv[k], acts[i].name);
		if (named)
			try(i, argv[1]);
	}
	front_detach(100);
	front_detach(101);
	front_close(&a);
	front_close(&b);
	return !all_good;
}
