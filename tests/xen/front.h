/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lean netfront in a process: real granted pages (/dev/xen/gntalloc), real event channels, one queue. It keeps the
 * rules; who wants to break them writes to its rings by hand.
 *
 * Threads. One. Errors. It is for tests: what cannot be had ends the program, with a sentence.
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
	int port; /* our end, for both rings */
	uint32_t tx_ref, rx_ref;
	netif_tx_front_ring_t tx;
	netif_rx_front_ring_t rx;
	uint8_t *tx_page, *rx_page; /* FRONT_*_PAGES of them */
	uint32_t tx_gref[FRONT_TX_PAGES], rx_gref[FRONT_RX_PAGES];
	uint16_t rx_id[256]; /* page posted at a slot */
	unsigned tx_used; /* pages between tx_at and the ones free */
	unsigned tx_at; /* next page to send from */
	unsigned tx_errors, rx_errors;
	unsigned rx_slots_of_last;
	struct netif_extra_info last_extra; /* of the frame received last; type 0: none */
	uint16_t last_flags;
};

void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Grant and bind to domain `backend`, and post all receive pages. */
void front_open(struct front *f, uint32_t backend);
void front_close(struct front *f);
/* Announce a frame; `flags` NETTXF_*, `gso` segment size or 0. false: no room until the backend answers. */
bool front_send(struct front *f, const uint8_t *frame, uint32_t len, uint16_t flags, uint16_t gso);
/* Tell the backend what was announced, if it wants to know. */
void front_kick(struct front *f);
/* Take the answers to what was sent. How many frames' requests are still out. */
unsigned front_reap(struct front *f);
/* The next frame that came, into buf[65536]; its page goes back to the ring. 0: none. */
uint32_t front_receive(struct front *f, uint8_t *buf);
/* Wait for the backend's signal, at most `ms`. */
void front_wait(struct front *f, int ms);

/* Through xenstore: write a vif's directories as a toolstack and a frontend of domain 0 do, and wait for Connected. */
void front_attach(struct front *f, unsigned devid, const char *bridge, const uint8_t mac[6]);
void front_detach(unsigned devid);

#endif
