/* SPDX-License-Identifier: BSD-3-Clause */
/* One vif's spec: whatever is understood is printed so that it is understood again, to the same. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "hypervisor/cfg/vifspec.h"

static char *print(const struct hv_vif *vif)
{
	char *spec = NULL;
	size_t len;
	FILE *mem = open_memstream(&spec, &len);

	if (!mem)
		abort();
	hv_vif_print(vif, mem);
	fclose(mem);
	return spec;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_notes notes = {0};
	struct err err = {0};
	char *spec = strndup((const char *)data, size), *first, *second;
	struct hv_vif vif;

	if (!spec)
		abort();
	if (hv_vif_parse("spec", spec, &vif, &notes, &err) == 0) {
		first = print(&vif);
		hv_vif_fini(&vif);
		if (hv_vif_parse("printed", first, &vif, NULL, &err))
			abort();
		second = print(&vif);
		if (strcmp(first, second) != 0)
			abort();
		hv_vif_fini(&vif);
		free(first);
		free(second);
	} else if (strncmp(err.text, "spec", 4) != 0) {
		abort(); /* an error without its place */
	}
	hv_notes_fini(&notes);
	free(spec);
	return 0;
}
