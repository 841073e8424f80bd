#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# User-Mode Linux 6.1.176 (6.1um4+b13): a vhost-user card gets no interrupt unless the back-end offers its request channel.
#
# Expected: VHOST_USER_PROTOCOL_F_BACKEND_REQ is optional, and what is sent on that channel is optional as well. The guest's
# rings are signalled through the descriptors of SET_VRING_CALL, with or without it.
# Instead: virtio_uml allocates the card's interrupt when it sets up the channel, and only then; its rings share that one.
# Without the channel the number is still 0, which is the timer's: virtio_net's probe fails with -16 (EBUSY), and there is no
# netdev. With the channel, on which the back-end need never say a word, the card works.
#
# Seen, from the guest's console:
#         offered        19:  0  SIGIO  virtio-uml, virtio-uml.0-input.0, virtio-uml.0-output.0          eth0 lo
#         not offered    genirq: Flags mismatch irq 0. 00000080 (virtio-uml.0-input.0) vs. 00014200 (hr timer)
#                        virtio_net: probe of virtio0 failed with error -16                              lo
#
# Why it matters: a switch's own back-end that has nothing to ask for leaves that bit out, and works with QEMU; under
# User-Mode Linux the guest comes up without a NIC. The switch sees a front end that connects, negotiates and goes silent.
# shellcheck source-path=SCRIPTDIR
. "${0%/*}/box.sh"
box user-mode-linux=6.1um4+b13 busybox-static=1:1.35.0-4+deb12u1+b1 cpio=2.13+dfsg-7.1 python3=3.11.2-1+b1

cat >backend.py <<'END'
"""backend FEATURES: a vhost-user back-end with these protocol features. It answers a card's set-up, and moves no frame."""
import socket, struct, sys

U64 = {1: 1 << 30 | 1 << 32, 15: int(sys.argv[1], 0)}  # GET_FEATURES: VERSION_1; GET_PROTOCOL_FEATURES
NEED_REPLY, GET_VRING_BASE = 8, 11
listener = socket.socket(socket.AF_UNIX)
listener.bind("vhost")
listener.listen()
conn, held = listener.accept()[0], []
while header := socket.recv_fds(conn, 12, 8):
    if len(header[0]) < 12:
        break
    request, flags, size = struct.unpack("=III", header[0])
    body = conn.recv(size, socket.MSG_WAITALL) if size else b""
    held += header[1]
    if request == GET_VRING_BASE:
        conn.sendall(struct.pack("=IIIII", request, 5, 8, body[0], 0))
    elif request in U64 or flags & NEED_REPLY:
        conn.sendall(struct.pack("=IIIQ", request, 5, 8, U64.get(request, 0)))
END

mkdir -p root/bin root/proc root/sys
cp /bin/busybox root/bin
shopt -s globstar
cp /usr/lib/uml/modules/**/{failover,net_failover,virtio_net}.ko root
cat >root/init <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for m in failover net_failover virtio_net; do insmod /$m.ko; done
echo netdevs: $(ls /sys/class/net)
echo interrupt: $(grep virtio-uml.0-input.0 /proc/interrupts)
poweroff -f
END
chmod +x root/init
(cd root && printf "%s\n" ** | cpio -o -H newc -R 0:0 2>/dev/null) >initrd

boot() { # FEATURES: what the guest says of its netdevs and interrupts
	rm -rf vhost uml
	python3 backend.py "$1" &
	for _ in {1..300}; do
		[ ! -S vhost ] || break
		sleep 0.1
	done
	timeout -s KILL 120 linux.uml mem=64M initrd=initrd con=null con0=null,fd:1 virtio_uml.device="$PWD/vhost:1" \
		uml_dir="$PWD/uml" umid=vm pty.legacy_count=0 </dev/null >log 2>&1 || changed "linux.uml: $(tail -5 log)"
	tr -d '\r' <log | sed -n 's/^\(netdevs\|interrupt\): //p; /Flags mismatch\|probe of virtio0 failed/p' | sed 's/^\[.*\] //'
}

reply_ack=8 backend_req=32
seen "with the channel" "eth0 lo
19: 0 SIGIO virtio-uml, virtio-uml.0-input.0, virtio-uml.0-output.0" "$(boot $((reply_ack | backend_req)))"
seen "without it" "genirq: Flags mismatch irq 0. 00000080 (virtio-uml.0-input.0) vs. 00014200 (hr timer)
virtio_net: probe of virtio0 failed with error -16
lo" "$(boot $reply_ack)"
ok "eth0 with the back-end request channel, and none without it"
