#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# iperf3 3.12-1+deb12u2: over a link slower than the sender, a TCP transfer of -n BYTES is reported as hardly received at all.
#
# Expected: the transfer ends when the receiver has all of it, since TCP loses nothing: after `-n 1M` from client to server,
# end.sum_received.bytes is what end.sum_sent.bytes is, and the rate is that of the link.
# Instead: the client says over its control connection that it is done when it has *written* all, which is when its socket
# has taken it. The server stops reading then, and counts what it has read so far; the rest is thrown away. With -R, where
# the receiver ends the test, both are the same.
#
# Seen, with data limited to 8 Mbit/s by the host's own queue, and the control connection not:
#         iperf3 -J -c 127.0.0.1 --cport 5555 -n 1M       sum_sent 1048576, sum_received 0 or 32768, in 0.02 s
#         iperf3 -J -c 127.0.0.1 --cport 5555 -n 1M -R    sum_sent 1048576, sum_received 1048576
#
# Why it matters: "sent 1 MiB, received 0, at 0 bit/s" is what a broken leg of a switch would look like. For a short test
# take -R, or a time (-t) long against what sockets and rings can hold.
# shellcheck source-path=SCRIPTDIR
. "${0%/*}/box.sh"
box iperf3=3.12-1+deb12u2 jq=1.6-2.1+deb12u3

tc qdisc add dev lo root handle 1: htb default 1
tc class add dev lo parent 1: classid 1:1 htb rate 10gbit quantum 60000
tc class add dev lo parent 1: classid 1:2 htb rate 8mbit
tc filter add dev lo parent 1: protocol ip u32 match ip sport 5555 0xffff flowid 1:2
iperf3 -s >/dev/null 2>&1 &
for _ in {1..50}; do
	iperf3 -c 127.0.0.1 -n 1 >/dev/null 2>&1 && break
	sleep 0.1
done

iperf3 -J -c 127.0.0.1 --cport 5555 -n 1M >forward
iperf3 -J -c 127.0.0.1 --cport 5555 -n 1M -R >reverse
received=$(jq .end.sum_received.bytes forward)
seen "bytes sent, errors" "1048576 null" "$(jq -r '"\(.end.sum_sent.bytes) \(.error)"' forward)"
seen "bytes received with -R" 1048576 "$(jq .end.sum_received.bytes reverse)"
[ "$received" -lt 524288 ] || changed "$received bytes of 1048576 are counted as received"
ok "$received bytes of 1048576 are counted as received, all of them with -R"
