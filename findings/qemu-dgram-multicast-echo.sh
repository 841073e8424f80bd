#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# QEMU 7.2 (1:7.2+dfsg-7+deb12u18): a dgram netdev with a multicast group hands a machine its own frames back.
#
# Expected: the group is a shared wire between machines (the manual: "a bus"); a card on a wire does not hear itself, so the
# netdev drops what it has sent itself, whose source address and port it knows.
# Instead: the socket has IP_MULTICAST_LOOP on, which other machines on the same host need, and nothing is dropped: each
# frame comes back to where it came from, whoever else is in the group.
#
# Seen: one ARP request into a hub with a stream port and a multicast port comes out of the stream port again, unchanged.
#
# Why it matters: in front of a learning switch (hub, tap, or a nested bridge in the guest) the echo moves the sender's MAC to
# the port of the group with every frame, and then what is meant for the sender goes to the wire. IPv6's duplicate address
# detection hears its own probe, and a guard against address theft sees its own guest's address come from outside.
# shellcheck source-path=SCRIPTDIR
. "${0%/*}/box.sh"
box qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 qemu-system-common=1:7.2+dfsg-7+deb12u18+b3 \
	qemu-system-data=1:7.2+dfsg-7+deb12u18 python3=3.11.2-1+b1

ip link set lo multicast on
ip route add 239.0.0.0/8 dev lo
qemu-system-x86_64 -M none -nodefaults -display none \
	-netdev stream,id=s,server=on,addr.type=unix,addr.path=net -netdev hubport,hubid=0,id=h0,netdev=s \
	-netdev dgram,id=d,remote.type=inet,remote.host=239.1.2.3,remote.port=5000,local.type=inet,local.host=127.0.0.1,local.port=5000 \
	-netdev hubport,hubid=0,id=h1,netdev=d >log 2>&1 &

echo=$(python3 - <<'END'
import socket, struct, time
s = socket.socket(socket.AF_UNIX)
for _ in range(300):
    try:
        s.connect("net")
        break
    except OSError:
        time.sleep(0.1)
frame = bytes.fromhex("ffffffffffff0200000000010806000108000604000102000000000" "10a0000010000000000000a000002").ljust(60, b"\0")
s.sendall(struct.pack("!I", len(frame)) + frame)
s.settimeout(5)
try:
    back = s.recv(4 + len(frame), socket.MSG_WAITALL)
    print("the same frame" if back[4:] == frame else back.hex())
    back = s.recv(1)
except socket.timeout:
    print("nothing more")
END
)
seen "what comes back" "the same frame
nothing more" "$echo"
ok "a frame sent to the group came back once to the machine that sent it"
