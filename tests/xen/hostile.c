/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guests that break netif's rules, against the daemon on a real Xen host. A separate vif breaks each rule, on real grants
 * and event channels, while two others on the same bridge continue to exchange frames. The daemon must name the broken
 * rule (`xbar stats`), or only count what is a fault but breaks no rule. Runs in domain 0, as frontends of its own
 * backend.
 *
 * usage: hostile BRIDGE [NAME]...   runs all acts, or those named; exits with 1 if one failed
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <xenevtchn.h>

#include "hostile.h"

#define WAIT_MS 5000

#define FIRST 110 /* devid of the first act's vif */

struct front hostile_a, hostile_b;
const uint8_t hostile_mac_a[6] = {2, 0, 0, 0, 0, 0xa}, hostile_mac[6] = {2, 0, 0, 0, 0, 0xc};
static const uint8_t mac_b[6] = {2, 0, 0, 0, 0, 0xb};
static const char *on; /* name of the current act */
static bool all_good = true;

void hostile_must(bool good, const char *what)
{
	if (good)
		return;
	printf("FAIL %-22s %s\n", on, what);
	all_good = false;
}

void hostile_open(struct hostile *h)
{
	front_open(&h->queue, 0, false);
	front_ctrl_open(&h->ctrl, 0);
}

void hostile_close(struct hostile *h)
{
	front_close(&h->queue);
	front_ctrl_close(&h->ctrl);
}

void hostile_header(uint8_t *frame, const uint8_t *to, const uint8_t *from)
{
	memset(frame, 0x5a, 1514);
	memcpy(frame, to, 6);
	memcpy(frame + 6, from, 6);
	frame[12] = 0x88; /* an Ethernet type for local experiments */
	frame[13] = 0xb5;
}

void hostile_is_sent(void)
{
	static uint8_t frame[1514];

	hostile_header(frame, hostile_mac, hostile_mac_a);
	front_reap(&hostile_a);
	if (front_send(&hostile_a, frame, sizeof(frame), 0, 0))
		front_kick(&hostile_a);
}

/* Does it arrive? Other frames are skipped. */
static bool arrives_at(struct front *to, const uint8_t *frame, uint32_t len)
{
	static uint8_t in[65536 + 18];
	bool came = false;

	for (int waited = 0; !came && waited < WAIT_MS; waited += 20) {
		uint32_t got;

		while ((got = front_receive(to, in)))
			came |= got == len && !memcmp(in, frame, len);
		if (!came)
			front_wait(to, 20);
	}
	return came;
}

bool hostile_arrives(const uint8_t *frame, uint32_t len)
{
	return arrives_at(&hostile_a, frame, len);
}

bool hostile_others_go_on(void)
{
	static uint8_t out[1514];

	for (int way = 0; way < 2; way++) {
		struct front *from = way ? &hostile_b : &hostile_a, *to = way ? &hostile_a : &hostile_b;

		hostile_header(out, way ? hostile_mac_a : mac_b, way ? mac_b : hostile_mac_a);
		front_reap(from);
		if (!front_send(from, out, sizeof(out), 0, 0))
			return false;
		front_kick(from);
		if (!arrives_at(to, out, sizeof(out)))
			return false;
	}
	return true;
}

static void play(const struct hostile_act *act, unsigned devid, const char *bridge)
{
	static uint8_t hello[1514];
	struct hostile h = {.vif = {.devid = devid, .bridge = bridge, .queues = 1}};
	bool before = all_good;

	on = act->name;
	h.vif.queue = &h.queue;
	h.vif.ctrl = &h.ctrl;
	memcpy(h.vif.mac, hostile_mac, 6);
	hostile_open(&h);
	hostile_must(front_attach(&h.vif), "does not even connect");
	hostile_header(hello, hostile_mac_a, hostile_mac); /* so that its address is learned */
	front_send(&h.queue, hello, sizeof(hello), 0, 0);
	front_kick(&h.queue);
	for (int k = 0; front_reap(&h.queue) && k < 250; k++)
		usleep(20000);
	act->act(&h);
	front_kick(&h.queue);
	xenevtchn_notify(h.queue.evtchn, h.queue.port);
	if (act->end == QUARANTINED)
		hostile_must(front_shows_soon(&h.vif, act->why), "is not quarantined for what it did");
	hostile_must(hostile_others_go_on(), "stops the others");
	if (act->end == CONNECTED)
		hostile_must(front_shows(&h.vif, ": netif, connected"), "is quarantined though it broke no rule");
	front_detach(&h.vif);
	hostile_close(&h);
	hostile_must(hostile_others_go_on(), "stops the others when it is gone");
	hostile_must(!hostile_a.tx_errors && !hostile_a.rx_errors && !hostile_b.tx_errors && !hostile_b.rx_errors,
		     "causes errors for the others");
	hostile_a.tx_errors = hostile_a.rx_errors = hostile_b.tx_errors = hostile_b.rx_errors = 0;
	printf("%s %-22s %s%s%s\n", all_good == before ? "ok  " : "BAD ", act->name, act->replays ? act->replays : "",
	       act->replays ? ": " : "",
	       act->end == QUARANTINED ? act->why
	       : act->end == CONNECTED ? "stays connected"
				       : "either way");
	fflush(stdout);
}

static void play_all(const struct hostile_act *acts, unsigned devid, int argc, char **argv)
{
	for (; acts->name; acts++, devid++) {
		bool named = argc < 3;

		for (int k = 2; k < argc; k++)
			named |= !strcmp(argv[k], acts->name);
		if (named)
			play(acts, devid, argv[1]);
	}
}

int main(int argc, char **argv)
{
	struct front_vif vif_a = {.devid = 100, .queue = &hostile_a, .queues = 1};
	struct front_vif vif_b = {.devid = 101, .queue = &hostile_b, .queues = 1};

	if (argc < 2)
		die("usage: hostile BRIDGE [NAME]...");
	on = "start";
	vif_a.bridge = vif_b.bridge = argv[1];
	memcpy(vif_a.mac, hostile_mac_a, 6);
	memcpy(vif_b.mac, mac_b, 6);
	front_open(&hostile_a, 0, false);
	front_open(&hostile_b, 0, false);
	hostile_must(front_attach(&vif_a) && front_attach(&vif_b), "keeps the others from connecting");
	hostile_others_go_on(); /* the first frames make the bridge learn the addresses */
	hostile_must(hostile_others_go_on(), "keeps the others from talking");
	play_all(hostile_ring_acts, FIRST, argc, argv);
	play_all(hostile_ctrl_acts, 2 * FIRST, argc, argv);
	front_detach(&vif_a);
	front_detach(&vif_b);
	front_close(&hostile_a);
	front_close(&hostile_b);
	return !all_good;
}
