/* SPDX-License-Identifier: BSD-3-Clause */
#include "eal.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#define NEED_MB 64 /* of hugepages, for uplinks' buffers; guest to guest needs none */

static bool huge;

/* Megabytes of free hugepages of the default size. */
static unsigned long huge_free_mb(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long pages = 0, kb = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "HugePages_Free: %lu", &pages);
		sscanf(line, "Hugepagesize: %lu", &kb);
	}
	if (f)
		fclose(f);
	return pages * kb / 1024;
}

int eal_open(bool no_huge, struct err *err)
{
	const char *argv[16];
	char lcores[32];
	cpu_set_t before;
	int argc = 0, cpu = 0;

	huge = !no_huge && huge_free_mb() >= NEED_MB;
	if (sched_getaffinity(0, sizeof(before), &before))
		return err_set(err, -errno, "the CPUs that may be used cannot be read: %s", strerror(errno));
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	snprintf(lcores, sizeof(lcores), "0@%d", cpu);
	argv[argc++] = "xbard";
	argv[argc++] = "--lcores";
	argv[argc++] = lcores;
	argv[argc++] = huge ? "--in-memory" : "--no-shconf"; /* no files, so nothing is left behind */
	argv[argc++] = "--no-telemetry";
	argv[argc++] = "--log-level=lib.*:warning";
	argv[argc++] = "--log-level=pmd.*:warning";
	if (access("/sys/bus/pci/drivers/vfio-pci", F_OK))
		argv[argc++] = "--no-pci";
	if (!huge) {
		argv[argc++] = "--no-huge";
		argv[argc++] = "-m";
		argv[argc++] = "256";
	}
	argv[argc] = NULL;
	/* it reorders the array and leaves the strings alone */
	if (rte_eal_init(argc, (char **)(uintptr_t)argv) < 0)
		return err_set(err, -rte_errno, "DPDK does not start: %s", rte_strerror(rte_errno));
	/* the EAL pins the thread that calls it; the workers choose their CPUs from what we were given */
	sched_setaffinity(0, sizeof(before), &before);
	return 0;
}

void eal_close(void)
{
	rte_eal_cleanup();
}

bool eal_hugepages(void)
{
	return huge;
}
