#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# iperf3 3.12-1+deb12u2: with -J a client that failed exits 0.
#
# Expected: the exit status is the same with and without -J; the JSON is only another form of the report.
# Instead: without -J a refused connection and a busy server give status 1; with -J the error stands in the JSON's "error"
# and the status is 0, with nothing on standard error. (The server, in the same case, exits 1 with -J too.)
#
# Seen:   iperf3 -c 127.0.0.1 -p 9       iperf3: error - unable to connect to server: Connection refused       status 1
#         iperf3 -J -c 127.0.0.1 -p 9    "error":  "unable to connect to server: Connection refused"           status 0
#
# Why it matters: a check of a virtual switch by `iperf3 -J ... && echo works` passes over a switch that forwards nothing.
# Look for "error", and that "end" is not empty.
# shellcheck source-path=SCRIPTDIR
. "${0%/*}/box.sh"
box iperf3=3.12-1+deb12u2

status() { # ARGUMENT...: the exit status; out has both streams
	local r=0
	iperf3 "$@" >out 2>&1 || r=$?
	echo "$r"
}

seen "refused" 1 "$(status -c 127.0.0.1 -p 9)"
seen "refused, with -J" 0 "$(status -J -c 127.0.0.1 -p 9)"
grep -q '"error":.*Connection refused' out || changed "with -J the refusal is not in the JSON"

iperf3 -s >/dev/null 2>&1 &
for _ in {1..50}; do
	[ "$(status -c 127.0.0.1 -n 1)" = 1 ] || break
	sleep 0.1
done
iperf3 -c 127.0.0.1 -t 20 >/dev/null 2>&1 &
sleep 1
seen "busy" 1 "$(status -c 127.0.0.1 -n 1)"
seen "busy, with -J" 0 "$(status -J -c 127.0.0.1 -n 1)"
grep -q '"error":.*busy' out || changed "with -J the busy server is not in the JSON"
ok "status 0 with -J where it is 1 without"
