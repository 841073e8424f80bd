/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the guests do: each sends to those that the pattern has for it, in turn; each reads every byte that it receives.
 *
 * Model. Without a rate the loop is closed: no receiver is sent more than it has posted buffers for, so that a switch
 * at its limit is measured by what it moves and not by what it throws away. With a rate frames leave when they are due,
 * and what the switch does not take in time is lost.
 *
 * What is found out: frames that are lost (a gap in a flow's sequence), late or double (a step back), damaged (any byte
 * but the time stamp's that is not what was sent), astray (flooded to a guest that they are not for).
 */
#ifndef XBAR_BENCH_TRAFFIC_H
#define XBAR_BENCH_TRAFFIC_H

#include "frame.h"
#include "guest.h"

#define TRAFFIC_GUESTS 64
#define TRAFFIC_MACS (1u << 20)
#define TRAFFIC_BURST 64 /* frames of a guest's turn; fewer of long ones, so that guests and switch work at a time */
#define TRAFFIC_LATENCIES 1024 /* classes: 16 to each power of two */

enum traffic_pattern { TRAFFIC_ONE, TRAFFIC_BOTH, TRAFFIC_MESH, TRAFFIC_HOT, TRAFFIC_FLOOD };

struct traffic_count {
	uint64_t sent; /* what goes to everybody: once for each receiver */
	uint64_t received, bytes, lost, misordered, damaged, astray, announced;
	uint64_t refused; /* with a rate: due, and the transmit ring was full */
	uint64_t turns, busy; /* turns of the loop; those at whose start the switch had something to do */
};

struct traffic_sender {
	unsigned npair, at; /* receivers, and which is next */
	uint8_t to[TRAFFIC_GUESTS]; /* itself: all others */
	uint32_t mac; /* next MAC; 0 again: the sequence goes up */
	uint64_t seq;
};

struct traffic {
	unsigned n;
	struct guest *guest;
	struct frame_kind kind;
	enum traffic_pattern pattern;
	uint32_t macs; /* of each guest */
	uint32_t window; /* frames on their way to one receiver */
	unsigned burst;
	bool paced;
	struct traffic_sender sender[TRAFFIC_GUESTS];
	uint32_t on_way[TRAFFIC_GUESTS]; /* to receiver i */
	uint64_t *next; /* next sequence number of flow [(from * n + to) * macs + mac] */
	uint64_t flows, flows_seen;
	struct frame_pair *pair; /* [from * n + to] */
	struct traffic_count count;
	uint64_t latency[TRAFFIC_LATENCIES];
};

/* The pattern of this name: one, both, mesh, hot, flood. false: there is none. */
bool traffic_pattern(const char *name, enum traffic_pattern *pattern);
/* `guest`: n of them, started; `macs` in all, spread over the guests. 0 or -ENOMEM. */
int traffic_new(struct traffic *t, struct guest *guest, unsigned n, const struct frame_kind *kind,
		enum traffic_pattern pattern, uint32_t macs);
void traffic_free(struct traffic *t);
/* Show guest `from`'s MAC to the switch; before guest_shape(). false: no free slot. */
bool traffic_announce(struct traffic *t, unsigned from, uint32_t mac);
/* A turn: every guest sends, then every guest receives. With t->paced, `due` frames at most. Returns how many left. */
unsigned traffic_turn(struct traffic *t, unsigned due);
/* Every guest receives; returns how many frames came. */
unsigned traffic_receive(struct traffic *t);
/* Nothing is on its way any more: what had not come by now was lost. */
void traffic_settle(struct traffic *t);
/* The latency, in TSC cycles, that `share` of the frames did not exceed. */
uint64_t traffic_latency(const uint64_t *latency, double share);

#endif
