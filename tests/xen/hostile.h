/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Acts of a guest that breaks netif's rules: hostile_ring.c has those on its transmit and receive rings, hostile_ctrl.c
 * those on its control ring. hostile.c is the stage.
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
	CUT_OFF, /* with the reason that is given */
	GOES_ON, /* it is a misfortune, no rule: the vif stays in service */
	EITHER, /* as it happens to be read */
};

struct hostile_act {
	const char *name;
	const char *replays; /* the advisory of Xen whose fault would show; NULL: none */
	void (*act)(struct hostile *h);
	enum hostile_end end;
	const char *why; /* CUT_OFF: a part of what the daemon must say */
};

/* Each ends with one without name. */
extern const struct hostile_act hostile_ring_acts[], hostile_ctrl_acts[];

extern struct front hostile_a, hostile_b; /* who keep the rules, and go on */
extern const uint8_t hostile_mac_a[6], hostile_mac[6]; /* a's, and of who does not */

/* What must be for the act that is on. */
void hostile_must(bool good, const char *what);
/* A frame of 1514 bytes. */
void hostile_header(uint8_t *frame, const uint8_t *to, const uint8_t *from);
/* a sends a frame to the hostile one, or the hostile one has sent this one: does it come to a? */
void hostile_is_sent(void);
bool hostile_arrives(const uint8_t *frame, uint32_t len);
/* a and b reach each other. */
bool hostile_others_go_on(void);
/* Its rings, granted anew; and given back. */
void hostile_open(struct hostile *h);
void hostile_close(struct hostile *h);

#endif
