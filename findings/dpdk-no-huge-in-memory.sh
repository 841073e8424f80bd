#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# DPDK 22.11.11-0+deb12u1: --no-huge with --in-memory is refused, in the name of an option that nobody gave: --legacy-mem.
#
# Expected: --no-huge takes anonymous memory, --in-memory keeps the EAL from making files; the two go well together, on a
# host without hugepages (a Xen dom0, a container) more than anywhere. If not, the message names these two.
# Instead: the EAL's set-up fails with status 1, "Option --legacy-mem is not compatible with --in-memory" and the usage:
# --no-huge switches the legacy memory mode on by itself, and the options are checked after that. Neither the manual nor
# the usage says so of --no-huge.
#
# Seen:   dpdk-testpmd --no-huge -m 64 --in-memory    EAL: Option --legacy-mem is not compatible with --in-memory
#         dpdk-testpmd --no-huge -m 64 --no-shconf    runs
#
# Why it matters: a switch that falls back from hugepages to none by adding --no-huge to its usual options no longer starts,
# and the message sends its user looking for --legacy-mem. Exchange --in-memory for --no-shconf in that case.
# shellcheck source-path=SCRIPTDIR
. "${0%/*}/box.sh"
v=22.11.11-0+deb12u1
box dpdk-dev=$v librte-bus-vdev23=$v librte-mempool-ring23=$v librte-net-null23=$v

testpmd() { # OPTION...: its exit status; log has what it says
	local r=0
	timeout -s KILL 120 dpdk-testpmd --no-pci --no-telemetry -m 64 "$@" --vdev net_null0 -- --total-num-mbufs=2048 \
		--stats-period=0 </dev/null >log 2>&1 || r=$?
	echo "$r"
}
refusal="Option --legacy-mem is not compatible with --in-memory"

seen "with --no-huge --no-shconf" "0 0" "$(testpmd --no-huge --no-shconf) $(grep -c "$refusal" log)"
seen "with --no-huge --in-memory" "1 1" "$(testpmd --no-huge --in-memory) $(grep -c "$refusal" log)"
ok "--no-huge --in-memory: $refusal"
