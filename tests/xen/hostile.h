/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Acts of a guest that breaks netif's rules: hostile_ring.c has those on its transmit and receive rings, hostile_ctrl.c
 * those on its control ring. hostile.c runs them.
 */
#ifndef XBAR_TESTS_XEN_HOSTILE_H
#define XBAR_TESTS_XEN_HOSTILE_H

#include "front.h"

struct hostile {
	struct front queue;
	struct front_ctrl ctrl;
	struct front_vif vif;
};

enum hostile_end {
	QUARANTINED, /* with the reason that the act names */
	CONNECTED, /* a fault that breaks no rule: the vif stays in service */
	EITHER, /* depends on when the ring is read */
};

struct hostile_act {
	const char *name;
	const char *replays; /* the Xen advisory whose attack this is; NULL: none */
	void (*act)(struct hostile *h);
	enum hostile_end end;
	const char *why; /* QUARANTINED: must be part of the reason that the daemon gives */
};

/* Each ends with an act without a name. */
extern const struct hostile_act hostile_ring_acts[], hostile_ctrl_acts[];

extern struct front hostile_a, hostile_b; /* which keep the rules, and must not be affected */
extern const uint8_t hostile_mac_a[6], hostile_mac[6]; /* a's, and the hostile guest's */

/* Check something about the current act; `what` completes the sentence "ACT ..." if it fails. */
void hostile_must(bool good, const char *what);
/* Fill a frame of 1514 bytes. */
void hostile_header(uint8_t *frame, const uint8_t *to, const uint8_t *from);
/* a sends a frame to the hostile guest. */
void hostile_is_sent(void);
/* Does this frame, which the hostile guest has sent, arrive at a? */
bool hostile_arrives(const uint8_t *frame, uint32_t len);
/* Do a and b reach each other? */
bool hostile_others_go_on(void);
/* Grant its rings, and take them back. */
void hostile_open(struct hostile *h);
void hostile_close(struct hostile *h);

#endif
