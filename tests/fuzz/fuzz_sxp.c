/* SPDX-License-Identifier: BSD-3-Clause */
/* xend-config.sxp: whatever is understood is printed so that it is understood again, to the same. */
#include <stdlib.h>
#include <string.h>

#include "again.h"
#include "fuzz.h"
#include "hypervisor/cfg/xend.h"

static void *parse(const struct hv_text *text, struct err *err)
{
	struct hv_xend *xend;

	return hv_xend_parse(text, &xend, err) ? NULL : xend;
}

static void print(const void *xend, FILE *out)
{
	hv_xend_print(xend, out);
}

static void release(void *xend)
{
	hv_xend_free(xend);
}

static const struct again again = {parse, print, release};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};
	struct hv_xend *xend;
	struct hv_text text;

	if (hv_text_copy(&text, "xend", (const char *)data, size, &err))
		return 0;
	print_and_parse_again(&again, &text);
	if (hv_xend_parse(&text, &xend, &err) == 0)
		hv_xend_free(xend);
	else if (xend || strncmp(err.text, "xend:", 5) != 0)
		abort(); /* an error without its place */
	hv_text_fini(&text);
	return 0;
}
