/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrlq.h"

#include <linux/virtio_net.h>

static bool obey(const struct ring_request *request, unsigned max, unsigned *pairs)
{
	const unsigned want = request->byte[2] | request->byte[3] << 8;

	if (request->len < 2)
		return false;
	switch (request->byte[0]) {
	case VIRTIO_NET_CTRL_RX:
	case VIRTIO_NET_CTRL_ANNOUNCE:
		return true;
	case VIRTIO_NET_CTRL_MAC:
		return request->byte[1] == VIRTIO_NET_CTRL_MAC_TABLE_SET;
	case VIRTIO_NET_CTRL_MQ:
		if (request->byte[1] != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || request->len < 4 || !want || want > max)
			return false;
		*pairs = want;
		return true;
	default:
		return false;
	}
}

bool ctrlq_serve(struct ring *ring, unsigned max, unsigned *pairs)
{
	struct ring_request request;
	unsigned n = 0;

	for (; n < CTRLQ_COMMANDS && ring_next_request(ring, &request); n++)
		ring_answer(ring, &request, obey(&request, max, pairs) ? VIRTIO_NET_OK : VIRTIO_NET_ERR);
	return n > 0;
}
