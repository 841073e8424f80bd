#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# DPDK 22.11.11-0+deb12u1: one frame above its MTU costs net_tap the rest of the burst, and testpmd counts that loss twice.
#
# Expected: a frame too long for the TAP is dropped, or refused, alone; of 23 frames of which the third has 3000 bytes, 22
# reach the TAP, and TX-dropped is 1.
# Instead: sending stops at the long frame. What stands behind it in the burst goes as well, small frames too: 2 of 23
# arrive. The driver reports the 21 as unsent *and* counts them as errors, and testpmd adds both: TX-dropped is 42, and
# TX-total more than was ever offered.
#
# Seen:   TX-packets: 2              TX-dropped: 42            TX-total: 44        (23 frames went in)
#
# Why it matters: a guest that sends one jumbo frame or unsegmented TSO frame into a switch with a TAP port takes other
# guests' frames of the same burst with it; and a loss that was computed from these counters is twice the real one.
# shellcheck source-path=SCRIPTDIR
. "${0%/*}/box.sh"
v=22.11.11-0+deb12u1
box dpdk-dev=$v librte-net-tap23=$v librte-net-pcap23=$v librte-bus-vdev23=$v librte-mempool-ring23=$v \
	python3-scapy=2.5.0+dfsg-2

python3 - 2>/dev/null <<'END'
from scapy.all import Ether, wrpcap
wrpcap("in.pcap", [Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01", type=0x88b5) / bytes(n - 14)
                   for n in [60, 60, 3000] + 20 * [60]])
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
	--vdev net_pcap0,rx_pcap=in.pcap \
	--vdev net_tap0,iface=dtap0 -- -i --total-num-mbufs=2048 --no-flush-rx --auto-start >log 2>&1 ||
	changed "testpmd: $(tail -5 log)"

# Port 1's forward statistics: RX is what the kernel sent of its own accord, TX what came of the 23.
tx=$(awk '/statistics/ { port = $6 } /TX-packets/ && port == "1" { print $2, $4, $6 }' log)
seen "frames in" 23 "$(awk '/statistics/ { port = $6 } /RX-packets/ && port == "0" { print $2 }' log)"
seen "sent, dropped, total" "2 42 44" "$tx"
ok "23 frames in, the third too long: sent, dropped, total = $tx"
