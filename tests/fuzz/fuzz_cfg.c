/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest's cfg file: whatever is understood is printed so that it is understood again, to the same. */
#include <stdlib.h>
#include <string.h>

#include "../../hypervisor/cfg.h"
#include "../../hypervisor/guestcfg.h"
#include "fuzz.h"

static char *print(const struct hv_cfg *cfg, size_t *len)
{
	char *s = NULL;
	FILE *mem = open_memstream(&s, len);

	if (!mem)
		abort();
	for (size_t i = 0; i < cfg->n; i++)
		hv_cfg_print_setting(&cfg->setting[i], mem);
	fclose(mem);
	return s;
}

static void print_and_parse_again(const struct hv_text *text)
{
	struct hv_err err = {0};
	char *first, *second;
	struct hv_text again;
	struct hv_cfg *cfg;
	size_t len;

	if (hv_cfg_parse(text, &cfg, NULL, &err))
		return;
	first = print(cfg, &len);
	hv_cfg_free(cfg);
	if (len <= HV_TEXT_MAX) { /* escapes make it longer */
		if (hv_text_copy(&again, "printed", first, len, &err) || hv_cfg_parse(&again, &cfg, NULL, &err))
			abort();
		second = print(cfg, &len);
		if (strcmp(first, second) != 0)
			abort();
		hv_cfg_free(cfg);
		hv_text_fini(&again);
		free(second);
	}
	free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_err err = {0};
	struct hv_guest *guest;
	struct hv_text text;

	if (hv_text_copy(&text, "guest", (const char *)data, size, &err))
		return 0;
	print_and_parse_again(&text);
	if (hv_guest_parse(&text, &guest, &err) == 0)
		hv_guest_free(guest);
	else if (guest || strncmp(err.text, "guest:", 6) != 0)
		abort(); /* an error without its place */
	hv_text_fini(&text);
	return 0;
}
