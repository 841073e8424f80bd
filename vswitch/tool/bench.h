/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar bench: runs the benchmark that was installed with this tool (bench/run).
 */
#ifndef XBAR_TOOL_BENCH_H
#define XBAR_TOOL_BENCH_H

int cmd_bench(int argc, char **argv);

#endif
