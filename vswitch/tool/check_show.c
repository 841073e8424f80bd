/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdlib.h>

#include "check.h"

#define COLUMN 13

/* A file may contain anything; a terminal must not interpret it. */
static void put_text(const char *s, FILE *out)
{
	for (; *s; s++)
		fputc(*s >= ' ' && *s <= '~' ? *s : '?', out);
}

static void row(const char *name, const char *value, FILE *out)
{
	if (!value)
		return;
	fprintf(out, "  %-*s", COLUMN, name);
	put_text(value, out);
	fputc('\n', out);
}

static void row_mib(const char *name, unsigned mib, FILE *out)
{
	if (mib > 0)
		fprintf(out, "  %-*s%u MiB\n", COLUMN, name, mib);
}

void check_show_vif(const struct hv_vif *vif, FILE *out)
{
	char *spec = NULL;
	size_t len;
	FILE *mem = open_memstream(&spec, &len);

	if (mem) {
		hv_vif_print(vif, mem);
		fclose(mem);
	}
	row("vif", spec, out);
	free(spec);
	if (!vif->has_mac)
		row("", "mac: not given; one is generated when the guest is created", out);
	if (vif->rate)
		fprintf(out, "  %-*srate: %" PRIu64 " bytes every %" PRIu32 " us\n", COLUMN, "",
			vif->rate_bytes_per_interval, vif->rate_interval_usecs);
	if (vif->vlan)
		fprintf(out, "  %-*svlan: untagged frames belong to %d\n", COLUMN, "", vif->pvid);
}

void check_show_guest(const struct hv_guest *guest, FILE *out)
{
	put_text(guest->path, out);
	fputs(": a guest's cfg\n", out);
	row("name", guest->name, out);
	row("uuid", guest->uuid, out);
	row("type", hv_guest_type_name(guest->type), out);
	row_mib("memory", guest->memory_mb, out);
	row_mib("maxmem", guest->maxmem_mb, out);
	fprintf(out, "  %-*s%u\n", COLUMN, "vcpus", guest->vcpus);
	row("kernel", guest->kernel, out);
	if (!guest->kernel && !guest->bootloader && guest->type != HV_GUEST_HVM)
		row("kernel", "not given: xl requires kernel= or bootloader=", out);
	row("ramdisk", guest->ramdisk, out);
	row("cmdline", guest->cmdline, out);
	row("bootloader", guest->bootloader, out);
	for (size_t i = 0; i < guest->ndisk; i++)
		row("disk", guest->disk[i], out);
	for (size_t i = 0; i < guest->nvif; i++)
		check_show_vif(&guest->vif[i], out);
	row("on_poweroff", hv_on_name(guest->on_poweroff), out);
	row("on_reboot", hv_on_name(guest->on_reboot), out);
	row("on_crash", hv_on_name(guest->on_crash), out);
}

static void show_script(const char *name, const struct hv_xend_script *script, FILE *out)
{
	fprintf(out, "  %-16s", name);
	for (size_t i = 0; i < script->argc; i++) {
		fputs(i > 0 ? " " : "", out);
		put_text(script->argv[i], out);
	}
	if (!script->argc)
		fputs("none", out);
	if (script->line > 0)
		fprintf(out, "  (line %u)\n", script->line);
	else
		fputs("  (xend's default)\n", out);
}

void check_show_xend(const struct hv_xend *xend, FILE *out)
{
	put_text(xend->path, out);
	fputs(": xend's options\n", out);
	show_script("network-script", &xend->network, out);
	show_script("vif-script", &xend->vif, out);
}
