/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest's cfg file: whatever is understood is printed so that it is understood again, to the same. */
#include <stdlib.h>
#include <string.h>

#include "again.h"
#include "fuzz.h"
#include "hypervisor/cfg/cfg.h"
#include "hypervisor/cfg/guestcfg.h"

static void *parse(const struct hv_text *text, struct err *err)
{
	struct hv_cfg *tree;

	return hv_cfg_parse(text, &tree, NULL, err) ? NULL : tree;
}

static void print(const void *tree, FILE *out)
{
	const struct hv_cfg *cfg = tree;

	for (size_t i = 0; i < cfg->n; i++)
		hv_cfg_print_setting(&cfg->setting[i], out);
}

static void release(void *tree)
{
	hv_cfg_free(tree);
}

static const struct again again = {parse, print, release};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};
	struct hv_guest *guest;
	struct hv_text text;

	if (hv_text_copy(&text, "guest", (const char *)data, size, &err))
		return 0;
	print_and_parse_again(&again, &text);
	if (hv_guest_parse(&text, &guest, &err) == 0)
		hv_guest_free(guest);
	else if (guest || strncmp(err.text, "guest:", 6) != 0)
		abort(); /* an error without its place */
	hv_text_fini(&text);
	return 0;
}
