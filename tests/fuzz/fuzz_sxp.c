/* SPDX-License-Identifier: BSD-3-Clause */
/* xend-config.sxp: whatever is understood is printed so that it is understood again, to the same. */
#include <stdlib.h>
#include <string.h>

#include "../../hypervisor/sxp.h"
#include "../../hypervisor/xend.h"
#include "fuzz.h"

static char *print(const struct hv_sxp *list, size_t *len)
{
	char *s = NULL;
	FILE *mem = open_memstream(&s, len);

	if (!mem)
		abort();
	hv_sxp_print(list, mem);
	fclose(mem);
	return s;
}

static void print_and_parse_again(const struct hv_text *text)
{
	struct hv_err err = {0};
	char *first, *second;
	struct hv_text again;
	struct hv_sxp *all;
	size_t len;

	if (hv_sxp_parse(text, &all, NULL, &err))
		return;
	first = print(all, &len);
	hv_sxp_free(all);
	if (len <= HV_TEXT_MAX) { /* escapes make it longer */
		if (hv_text_copy(&again, "printed", first, len, &err) || hv_sxp_parse(&again, &all, NULL, &err))
			abort();
		second = print(all, &len);
		if (strcmp(first, second) != 0)
			abort();
		hv_sxp_free(all);
		hv_text_fini(&again);
		free(second);
	}
	free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_err err = {0};
	struct hv_xend *xend;
	struct hv_text text;

	if (hv_text_copy(&text, "xend", (const char *)data, size, &err))
		return 0;
	print_and_parse_again(&text);
	if (hv_xend_parse(&text, &xend, &err) == 0)
		hv_xend_free(xend);
	else if (xend || strncmp(err.text, "xend:", 5) != 0)
		abort(); /* an error without its place */
	hv_text_fini(&text);
	return 0;
}
