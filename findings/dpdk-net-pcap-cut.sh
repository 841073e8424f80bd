#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# DPDK 22.11.11-0+deb12u1: net_pcap writes no more than 16128 bytes of a frame, counts it as sent, and its files say 65535.
#
# Expected: frames up to the snap length in the file's header, 65535, are written whole: the driver names no limit (testpmd
# shows 4294967295 as the longest), and it reads a frame of 60000 bytes whole from a file.
# Instead: everything behind byte 16128 is gone. The counters have no error and no drop; TX-packets has all frames.
#
# Seen:   frames of 16128, 16129, 60000 bytes in; in the output 16128, 16128 of 16129, 16128 of 60000; TX-dropped: 0
#
# Why it matters: net_pcap is how frames are recorded or brought into a switch under test; the TSO frames of guests, up to
# 64 KiB, come out of it cut, and what reads the file puts the blame on the switch.
# shellcheck source-path=SCRIPTDIR
. "${0%/*}/box.sh"
v=22.11.11-0+deb12u1
box dpdk-dev=$v librte-net-pcap23=$v librte-bus-vdev23=$v librte-mempool-ring23=$v python3-scapy=2.5.0+dfsg-2

python3 - 2>/dev/null <<'END'
from scapy.all import Ether, wrpcap
wrpcap("in.pcap", [Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01", type=0x88b5) / bytes(n - 14)
                   for n in (16128, 16129, 60000)])
END
quit() { # once testpmd says there that it forwards, and the frames of the file have had time to go through
	for _ in {1..300}; do
		! grep -qs 'packet forwarding - ports' log || break
		sleep 0.2
	done
	sleep 2
	echo quit
}
# shellcheck disable=SC2094 # the log is read while it grows
quit | stdbuf -oL timeout -s KILL 120 dpdk-testpmd --no-huge --no-shconf -m 256 --no-pci --no-telemetry \
	--vdev net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap -- \
	-i --total-num-mbufs=2048 --no-flush-rx --port-topology=loop --auto-start >log 2>&1 || changed "testpmd: $(tail -5 log)"

seen "sent, dropped" "3 0" "$(awk '/statistics/ { port = $6 } /TX-packets/ && port == "0" { print $2, $4 }' log)"
lengths=$(python3 -c '
from scapy.all import PcapReader
r = PcapReader("out.pcap")
print(r.snaplen, *("%d/%d" % (len(p), p.wirelen) for p in r))' 2>/dev/null)
seen "snap length, and the bytes of each frame" "65535 16128/16128 16128/16129 16128/60000" "$lengths"
ok "three frames sent, none dropped; snap length, and the bytes of each: $lengths"
