#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# iperf3 3.12-1+deb12u2: a TCP transfer of -n BYTES that arrived whole is reported as received in part, often as 0 bytes.
#
# Expected: TCP loses nothing: after `-n 1M` from client to server, end.sum_received.bytes is what end.sum_sent.bytes is.
# Instead: the client says over its control connection that it is done when it has *written* all, and the server then stops
# reading and counts what it had read by then; how often that is short depends on how quick the two are. With -R, where the
# receiver ends the test, both are the same.
#
# Seen:   iperf3 -J -c 127.0.0.1 -n 1M       sum_sent 1048576, sum_received 0
#         iperf3 -J -c 127.0.0.1 -n 1M -R    sum_sent 1048576, sum_received 1048576
#
# Why it matters: "sent 1 MiB, received 0, at 0 bit/s" is what a broken leg of a switch would look like. For a short test
# take -R, or a time (-t) long against what sockets and rings can hold.
# shellcheck source-path=SCRIPTDIR
. "${0%/*}/box.sh"
box iperf3=3.12-1+deb12u2 jq=1.6-2.1+deb12u3

iperf3 -s >/dev/null 2>&1 &
for _ in {1..50}; do
	iperf3 -c 127.0.0.1 -n 1 >/dev/null 2>&1 && break
	sleep 0.1
done

short=0 n=0
while [ "$n" -lt 50 ] && [ "$short" -lt 3 ]; do
	n=$((n + 1))
	iperf3 -J -c 127.0.0.1 -n 1M >forward
	seen "bytes sent" 1048576 "$(jq .end.sum_sent.bytes forward)"
	[ "$(jq .end.sum_received.bytes forward)" = 1048576 ] || short=$((short + 1))
	iperf3 -J -c 127.0.0.1 -n 1M -R >reverse
	seen "bytes received with -R" 1048576 "$(jq .end.sum_received.bytes reverse)"
done
[ "$short" -gt 0 ] || changed "$n transfers out of $n were counted whole"
ok "$short of $n transfers that arrived were counted short, none with -R"
