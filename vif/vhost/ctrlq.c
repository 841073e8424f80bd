/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrlq.h"

#include <linux/virtio_net.h>

#define STEPS_MAX 64 /* descriptors of a command; Linux has up to 5 */

struct command {
	uint8_t out[4]; /* class, command, and what of its argument matters */
	unsigned len;
	uint8_t *ack; /* where the answer goes; NULL: nowhere */
};

static void *at(const struct ring_mem *mem, uint64_t gpa, uint32_t len)
{
	for (unsigned i = 0; i < mem->n; i++) {
		const struct ring_region *r = &mem->region[i];

		if (gpa - r->gpa < r->size && len <= r->size - (gpa - r->gpa))
			return r->va + (gpa - r->gpa);
	}
	return NULL;
}

static struct vring_desc fetch(const struct vring_desc *desc)
{
	return (struct vring_desc){.addr = __atomic_load_n(&desc->addr, __ATOMIC_RELAXED),
				   .len = __atomic_load_n(&desc->len, __ATOMIC_RELAXED),
				   .flags = __atomic_load_n(&desc->flags, __ATOMIC_RELAXED),
				   .next = __atomic_load_n(&desc->next, __ATOMIC_RELAXED)};
}

/* NULL, or the rule that the command breaks. */
static const char *read_command(const struct ring *ring, uint16_t head, struct command *command)
{
	const struct vring_desc *table = ring->desc;
	struct vring_desc desc = fetch(&table[head]);
	uint32_t size = ring->size;

	*command = (struct command){.len = 0};
	if (desc.flags & VRING_DESC_F_INDIRECT) {
		size = desc.len / sizeof(*table);
		table = at(ring->mem, desc.addr, desc.len);
		if (!table || !size || desc.addr % 16)
			return "an indirect table of the control ring lies where it cannot be";
		desc = fetch(&table[0]);
	}
	for (unsigned steps = 1;; steps++) {
		uint8_t *va = at(ring->mem, desc.addr, desc.len);

		if (!va || desc.flags & VRING_DESC_F_INDIRECT)
			return "a descriptor of the control ring points where it cannot";
		if (desc.flags & VRING_DESC_F_WRITE)
			command->ack = command->ack || !desc.len ? command->ack : va;
		for (uint32_t i = 0; !(desc.flags & VRING_DESC_F_WRITE) && i < desc.len; i++) {
			if (command->len == sizeof(command->out))
				break;
			command->out[command->len++] = va[i];
		}
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return NULL;
		if (steps == STEPS_MAX || desc.next >= size)
			return "a chain of the control ring does not end";
		desc = fetch(&table[desc.next]);
	}
}

static bool obey(const struct command *command, unsigned max, unsigned *pairs)
{
	const unsigned want = command->out[2] | command->out[3] << 8;

	if (command->len < 2)
		return false;
	switch (command->out[0]) {
	case VIRTIO_NET_CTRL_RX:
	case VIRTIO_NET_CTRL_ANNOUNCE:
		return true;
	case VIRTIO_NET_CTRL_MAC:
		return command->out[1] == VIRTIO_NET_CTRL_MAC_TABLE_SET;
	case VIRTIO_NET_CTRL_MQ:
		if (command->out[1] != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || command->len < 4 || !want || want > max)
			return false;
		*pairs = want;
		return true;
	default:
		return false;
	}
}

bool ctrlq_serve(struct ring *ring, unsigned max, unsigned *pairs)
{
	const uint16_t avail = __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE), before = ring->used_idx;

	if ((uint16_t)(avail - ring->last_avail) > ring->size)
		ring->broken = "the control ring's available index ran ahead by more than the ring holds";
	for (unsigned i = 0; i < CTRLQ_COMMANDS && !ring->broken && ring->last_avail != avail; i++) {
		const uint16_t mask = ring->size - 1;
		const uint16_t head = __atomic_load_n(&ring->avail->ring[ring->last_avail & mask], __ATOMIC_RELAXED);
		struct command command;

		ring->broken = head <= mask ? read_command(ring, head, &command)
					    : "the control ring names a descriptor that is not there";
		if (ring->broken)
			break;
		if (command.ack) {
			*command.ack = obey(&command, max, pairs) ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
			if (ring->log)
				ring_log_memory(ring, command.ack, 1);
		}
		ring->used->ring[ring->used_idx & mask] = (struct vring_used_elem){.id = head, .len = !!command.ack};
		ring->last_avail++;
		ring->used_idx++;
	}
	__atomic_store_n(&ring->used->idx, ring->used_idx, __ATOMIC_RELEASE);
	if (ring->log && ring->used_idx != before)
		ring_log_completed(ring, before, (uint16_t)(ring->used_idx - before));
	return ring->used_idx != before;
}
