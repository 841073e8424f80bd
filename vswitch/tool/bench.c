/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define PROGRAM XBAR_PREFIX "/lib/xbar/bench/run"

int cmd_bench(int argc, char **argv)
{
	(void)argc;
	execv(PROGRAM, argv);
	if (errno == ENOENT)
		return cli_fail(PROGRAM
				" does not exist: `make install` puts it there; in the sources, run `make bench`");
	return cli_fail(PROGRAM ": %s", strerror(errno));
}
