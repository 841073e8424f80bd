/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A main for fuzz targets without a fuzzer: runs LLVMFuzzerTestOneInput() over every file named, and every file below
 * every directory named, so that a corpus is an ordinary test under any compiler. A target's own main would be the
 * fuzzer's. Fails where a name cannot be read, and where there was nothing to run.
 */
#include <errno.h>
#include <ftw.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define OPEN_DIRS 16

/* nftw(3) hands its call back no argument. */
static unsigned inputs;

static int run_file(const char *path, size_t size)
{
	errno = 0;
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size ? size : 1); /* exactly: a sanitizer sees a read beyond the end */

	if (!file || !data || fread(data, 1, size, file) != size) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno ? errno : EIO));
		free(data);
		if (file)
			fclose(file);
		return 1;
	}
	fclose(file);
	fprintf(stderr, "%s: %zu bytes\n", path, size); /* a crash shows which input it was */
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	inputs++;
	return 0;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	if (type == FTW_F && S_ISREG(st->st_mode))
		return run_file(path, st->st_size);
	if (type == FTW_D)
		return 0;
	fprintf(stderr, "%s: not a readable file or directory\n", path);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE-OR-DIRECTORY...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		unsigned before = inputs;

		int rc = nftw(argv[i], visit, OPEN_DIRS, 0);

		if (rc) {
			if (rc < 0) /* not visit()'s, which has said why */
				fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
			return 1;
		}
		if (inputs == before) {
			fprintf(stderr, "%s: no inputs there\n", argv[i]);
			return 1;
		}
	}
	fprintf(stderr, "%u inputs replayed\n", inputs);
	return 0;
}
