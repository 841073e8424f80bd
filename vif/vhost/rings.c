/* SPDX-License-Identifier: BSD-3-Clause */
#include "rings.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <unistd.h>

void ring_setup_init(struct ring_setup *setup)
{
	*setup = (struct ring_setup){.kickfd = -1, .call = {.fd = -1}};
}

void ring_setup_reset(struct ring_setup *setup)
{
	if (setup->kickfd >= 0)
		close(setup->kickfd);
	signal_close(&setup->call);
	ring_setup_init(setup);
}

/* The part of a ring at `user`, if it lies in shared memory and is aligned as virtio 1.2, 2.7 and 2.8 want it. */
static void *part(const struct memory *memory, uint64_t user, uint64_t len, uint64_t align, const char **why)
{
	void *va = memory_user(memory, user, len);

	if (user % align || (uintptr_t)va % align)
		*why = "is not aligned";
	else if (!va)
		*why = "lies outside the memory that the guest shares";
	else
		return va;
	return NULL;
}

/* What keeps the ring from being served; NULL: *ring is filled in. */
static const char *fill(struct ring *ring, struct ring_setup *setup, const struct memory *memory, uint64_t features)
{
	const bool packed = features & VIRTIO_F(VIRTIO_F_RING_PACKED);
	const char *why = NULL;
	const uint64_t n = setup->size;

	if (setup->big_endian)
		return "is big-endian: give the guest a driver of virtio 1.0 or later";
	if (!n)
		return "has no size";
	if (packed) {
		ring->slot = part(memory, setup->desc, n * sizeof(*ring->slot), 16, &why);
		ring->driver_event = part(memory, setup->avail, sizeof(*ring->driver_event), 4, &why);
		ring->device_event = part(memory, setup->used, sizeof(*ring->device_event), 4, &why);
	} else if (n & (n - 1)) {
		return "is split and has a number of entries that is no power of two";
	} else {
		ring->desc = part(memory, setup->desc, n * sizeof(*ring->desc), 16, &why);
		ring->avail = part(memory, setup->avail, sizeof(*ring->avail) + (n + 1) * sizeof(uint16_t), 2, &why);
		ring->used = part(memory, setup->used,
				  sizeof(*ring->used) + n * sizeof(struct vring_used_elem) + sizeof(uint16_t), 4, &why);
	}
	if (why)
		return why;
	ring->packed = packed;
	ring->size = (uint16_t)n;
	ring_resume(ring);
	setup->base = ring->used_idx;
	ring->event_idx = features & VIRTIO_F(VIRTIO_RING_F_EVENT_IDX);
	ring->mergeable = features & VIRTIO_F(VIRTIO_NET_F_MRG_RXBUF);
	ring->hdr_len = features & (VIRTIO_F(VIRTIO_NET_F_MRG_RXBUF) | VIRTIO_F(VIRTIO_F_VERSION_1)) ? 12 : 10;
	ring->callfd = setup->call.fd;
	ring->kickfd = setup->kickfd;
	ring->log_used = setup->log;
	ring->logs_used = setup->logs_used;
	ring->enabled = true;
	return NULL;
}

/* Fill in ring `index`. false: it is not served. */
static bool show(struct ring *ring, struct signal *call, struct ring_setup *setup, unsigned index,
		 const struct memory *memory, uint64_t features, struct err *err)
{
	/* without the protocol features there is no message that enables a ring */
	const bool enabled = setup->enabled || !(features & VIRTIO_F(VHOST_USER_F_PROTOCOL_FEATURES));
	const struct ring absent = *ring;
	const char *why;

	*call = setup->call;
	if (!setup->started || !setup->addressed || !enabled)
		return false;
	why = fill(ring, setup, memory, features);
	if (!why)
		return true;
	*ring = absent;
	err_set(err, -EINVAL, "ring %u %s", index, why);
	return false;
}

struct session *rings_build(struct ring_setup *setup, const struct memory *memory, const struct rings_plan *plan,
			    struct err *err)
{
	struct session *session = calloc(1, sizeof(*session));
	bool any = false;

	err->text[0] = '\0';
	if (!session) {
		err_nomem(err);
		return NULL;
	}
	session->features = plan->features;
	session->pairs = plan->pairs;
	memory_table(memory, &session->mem);
	session->log = memory->log;
	session->ctrl = (struct ring){.callfd = -1, .kickfd = -1, .mem = &session->mem};
	if (plan->features & VIRTIO_F(VHOST_F_LOG_ALL) && session->log.bits)
		session->ctrl.log = &session->log;
	for (unsigned q = 0; q < plan->pairs; q++) {
		struct ring *rx = &session->rx[q], *tx = &session->tx[q];

		*rx = *tx = session->ctrl;
		if (2 * q >= plan->ctrl) /* the driver uses fewer pairs than the vif has */
			continue;
		if (show(rx, &session->rx_call[q], &setup[2 * q + 1], 2 * q + 1, memory, plan->features, err))
			session->rx_queues = q + 1;
		if (show(tx, &session->tx_call[q], &setup[2 * q], 2 * q, memory, plan->features, err) &&
		    session->tx_queues == q && q < plan->active)
			session->tx_queues = q + 1; /* a receiver's queues are used without gaps */
		any |= rx->enabled || tx->enabled;
		if (tx->enabled)
			ring_disarm(tx);
	}
	if (plan->ctrl < VRINGS_MAX &&
	    show(&session->ctrl, &session->ctrl_call, &setup[plan->ctrl], plan->ctrl, memory, plan->features, err))
		any = true;
	if (any)
		return session;
	free(session);
	return NULL;
}

void rings_collect(struct ring_setup *setup, const struct session *session, unsigned ctrl)
{
	/* what was looked at and not completed is looked at again: so the used index, in both rings */
	for (unsigned q = 0; q < session->pairs; q++) {
		if (session->rx[q].enabled)
			setup[2 * q + 1].base = session->rx[q].used_idx;
		if (session->tx[q].enabled)
			setup[2 * q].base = session->tx[q].used_idx;
	}
	if (session->ctrl.enabled)
		setup[ctrl].base = session->ctrl.used_idx;
}

void rings_free(struct session *session)
{
	free(session);
}
