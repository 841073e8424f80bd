/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lean netfront in a process: real granted pages (/dev/xen/gntalloc), real event channels. A struct front is one queue of
 * it, a struct front_ctrl its control ring, a struct front_vif what is in xenstore. It keeps the rules; a test that breaks
 * them writes to the rings itself.
 *
 * Threads. One. Errors. For tests: a failure ends the program, with a sentence.
 */
#ifndef XBAR_TESTS_XEN_FRONT_H
#define XBAR_TESTS_XEN_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/grant_table.h>
#include <xen/io/netif.h>

#define FRONT_TX_PAGES 64
#define FRONT_RX_PAGES 128

struct front {
	uint32_t backend;
	void *gntshr, *evtchn; /* handles */
	int port, rx_port; /* our ends; equal: one channel for both rings */
	unsigned signals, rx_signals; /* received on them by front_wait() */
	uint32_t tx_ref, rx_ref;
	netif_tx_front_ring_t tx;
	netif_rx_front_ring_t rx;
	uint8_t *tx_page, *rx_page; /* FRONT_*_PAGES of them */
	uint32_t tx_gref[FRONT_TX_PAGES], rx_gref[FRONT_RX_PAGES];
	uint16_t rx_id[256]; /* page posted at a slot */
	unsigned tx_used; /* pages in use, before tx_at */
	unsigned tx_at; /* next page to send from */
	unsigned tx_errors, rx_errors;
	unsigned rx_slots_of_last;
	struct netif_extra_info last_extra; /* of the last received frame; type 0: none */
	uint16_t last_flags;
};

void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Grant `n` pages to domain `backend`. */
void *front_share(void *gntshr, uint32_t backend, unsigned n, uint32_t *refs);
/* Grant and bind to domain `backend`, with two channels if `split`, and post all receive pages. */
void front_open(struct front *f, uint32_t backend, bool split);
void front_close(struct front *f);
/* Announce a frame; `flags` NETTXF_*, `gso` segment size or 0. false: no room until the backend answers. */
bool front_send(struct front *f, const uint8_t *frame, uint32_t len, uint16_t flags, uint16_t gso);
/* Likewise a request to join (`add`) or leave a multicast group, without a frame. */
bool front_group(struct front *f, bool add, const uint8_t group[6]);
/* Tell the backend what was announced, if it wants to know. */
void front_kick(struct front *f);
/* Take the responses to sent frames. Returns how many requests are still unanswered. */
unsigned front_reap(struct front *f);
/* Copy the next received frame to buf[65536 + 18] and post its pages again. Returns its length; 0: none. */
uint32_t front_receive(struct front *f, uint8_t *buf);
/* Wait for a signal from the backend, at most `ms`. */
void front_wait(struct front *f, int ms);

/* ---- the control ring (front_ctrl.c) ----------------------------------------------------------------------------- */

#define FRONT_CTRL_SLOTS 128

struct front_ctrl {
	uint32_t backend;
	void *gntshr, *evtchn;
	int port;
	uint32_t ref, page_ref;
	struct xen_netif_ctrl_sring *ring;
	uint32_t req_prod, rsp_cons;
	void *page; /* for the data of requests */
};

void front_ctrl_open(struct front_ctrl *c, uint32_t backend);
void front_ctrl_close(struct front_ctrl *c);
/* Write a request without publishing it; its id is its free-running index in the ring. */
void front_ctrl_put(struct front_ctrl *c, uint16_t type, uint32_t a, uint32_t b, uint32_t d);
/* Tell the backend what was put, if it wants to know. */
void front_ctrl_kick(struct front_ctrl *c);
/* Take the next response. false: none within `ms`. */
bool front_ctrl_take(struct front_ctrl *c, int ms, struct xen_netif_ctrl_response *rsp);
/* All of these. Returns the status, and in *data, unless that is NULL, the data. */
uint32_t front_ctrl_ask(struct front_ctrl *c, uint16_t type, uint32_t a, uint32_t b, uint32_t d, uint32_t *data);

/* ---- xenstore (front_store.c) ------------------------------------------------------------------------------------ */

struct front_vif { /* of domain 0, as a toolstack would set it up */
	unsigned devid;
	const char *bridge;
	uint8_t mac[6];
	struct front *queue; /* [queues] */
	unsigned queues;
	const struct front_ctrl *ctrl; /* NULL: none */
	bool multicast_control;
};

/* Write both directories, connect, and put the port on its bridge; false: as for front_connect(). */
bool front_attach(const struct front_vif *vif);
void front_detach(const struct front_vif *vif);
/* Publish the rings, and wait until the backend is Connected. false: it is Closing instead. */
bool front_connect(const struct front_vif *vif);
/* Go to Closed, and wait until the backend has followed: after that the rings belong to the frontend alone. */
void front_disconnect(const struct front_vif *vif);
/* Change request-multicast-control while connected. */
void front_multicast_control(const struct front_vif *vif, bool on);

/* ---- what the daemon says of a vif (front_store.c) --------------------------------------------------------------- */

/* Is `text` in the output of `xbar stats`? front_shows_soon() waits until it is. */
bool front_shows(const struct front_vif *vif, const char *text);
bool front_shows_soon(const struct front_vif *vif, const char *text);
/* Run `xbar port release`; false: it failed. */
bool front_release(const struct front_vif *vif);
/* A number in the JSON output of `xbar stats`, by name; 0: it is not there. */
unsigned long front_count(const struct front_vif *vif, const char *name);

#endif
