#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# tcpreplay 4.4.3-1: tcprewrite gives frames to IPv6 groups a group address as their *source* MAC, asked or not.
#
# Expected: `tcprewrite -i in.pcap -o out.pcap` without an option copies; with `--enet-dmac=MAC` every frame gets this MAC.
# Instead: without any option, a frame from 02:00:00:00:00:02 to 33:33:00:00:00:fb leaves as one *from 33:33:00:00:00:01*,
# made from the last bytes of its IPv6 source address (fe80::1). And with `--enet-dmac=02:00:00:00:00:99` a frame to an IPv4
# group goes to neither MAC: it keeps the first five bytes that a group address has and takes the sixth.
#
# Seen:   02:00:00:00:00:02 > 33:33:00:00:00:fb    no option                        33:33:00:00:00:01 > 33:33:00:00:00:fb
#         02:00:00:00:00:02 > 01:00:5e:00:00:fb    --enet-dmac=02:00:00:00:00:99    02:00:00:00:00:02 > 01:00:5e:00:00:99
#
# Why it matters: who replays a capture to try a virtual switch sees neighbour discovery and mDNS vanish. The switch is right:
# a group source is not valid, and an anti-spoof guard or a learning bridge drops it. The capture was harmed before.
# shellcheck source-path=SCRIPTDIR
. "${0%/*}/box.sh"
box tcpreplay=4.4.3-1 tcpdump=4.99.3-1 python3-scapy=2.5.0+dfsg-2

python3 - 2>/dev/null <<'END'
from scapy.all import Ether, IP, IPv6, UDP, wrpcap
me = "02:00:00:00:00:02"
wrpcap("in.pcap", [
    Ether(src=me, dst="33:33:00:00:00:fb") / IPv6(src="fe80::1", dst="ff02::fb") / UDP(sport=9, dport=9),
    Ether(src=me, dst="01:00:5e:00:00:fb") / IP(src="10.0.0.1", dst="224.0.0.251") / UDP(sport=9, dport=9)])
END
macs() { tcpdump -Z root -enr "$1" 2>/dev/null | sed 's/^[^ ]* //; s/,.*//'; }

tcprewrite -i in.pcap -o plain.pcap
tcprewrite --enet-dmac=02:00:00:00:00:99 -i in.pcap -o dmac.pcap
seen "the capture" "02:00:00:00:00:02 > 33:33:00:00:00:fb
02:00:00:00:00:02 > 01:00:5e:00:00:fb" "$(macs in.pcap)"
seen "without an option" "33:33:00:00:00:01 > 33:33:00:00:00:fb
02:00:00:00:00:02 > 01:00:5e:00:00:fb" "$(macs plain.pcap)"
seen "with --enet-dmac" "33:33:00:00:00:01 > 02:00:00:00:00:99
02:00:00:00:00:02 > 01:00:5e:00:00:99" "$(macs dmac.pcap)"
ok "source MAC 33:33:00:00:00:01 from tcprewrite without an option"
