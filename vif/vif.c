/* SPDX-License-Identifier: BSD-3-Clause */
#include "vif.h"

__thread unsigned vif_worker_id;
__thread uint32_t vif_pass;
void (*vif_synchronize)(void);

static const char *const drop_names[] = {
	[VIF_RX_MALFORMED] = "rx-malformed",   [VIF_RX_TOO_MANY_SEGS] = "rx-too-many-segments",
	[VIF_TX_NO_BUFFER] = "tx-no-buffer",   [VIF_TX_TOO_BIG] = "tx-too-big",
	[VIF_TX_NO_OFFLOAD] = "tx-no-offload", [VIF_TX_DOWN] = "tx-down",
	[VIF_TX_ERROR] = "tx-error",           [VIF_RX_BAD_GRANT] = "rx-bad-grant",
	[VIF_TX_BAD_GRANT] = "tx-bad-grant",   [VIF_TX_FILTERED] = "tx-filtered",
};
_Static_assert(sizeof(drop_names) / sizeof(drop_names[0]) == VIF_DROP_MAX, "every reason has a name");

const char *vif_drop_name(enum vif_drop reason)
{
	return reason < VIF_DROP_MAX ? drop_names[reason] : "?";
}

void vif_quarantine(struct vif_port *port, const char *why)
{
	const char *none = NULL;

	/* the first reason is the one that matters */
	__atomic_compare_exchange_n(&port->quarantine, &none, why, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}
