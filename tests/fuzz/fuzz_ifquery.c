/* SPDX-License-Identifier: BSD-3-Clause */
/* What ifquery says of an interface: each address that is taken from it can be given to a netdev; what cannot be is named. */
#include <stdlib.h>

#include "fuzz.h"
#include "vswitch/hostnet/ifupdown.c" /* its reader takes text without an ifquery, and is nobody else's to call */
#include "vswitch/hostnet/rtnl/rtnl.h"

static int add_address(const char *address, void *arg, struct err *err)
{
	return rtnl_snap_add_address(arg, address, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rtnl_snap *snap = rtnl_snap_new("xenbr0");
	struct err err = {0};
	const struct reader reader = {
		.path = "interfaces", .name = "eth0", .fn = add_address, .arg = snap, .err = &err};
	char *text = strndup((const char *)data, size < OUTPUT_MAX ? size : OUTPUT_MAX - 1);

	if (!snap || !text)
		abort();
	if (read_output(&reader, text) && strncmp(err.text, "interfaces: ", 12))
		abort();
	rtnl_snap_free(snap);
	free(text);
	return 0;
}
