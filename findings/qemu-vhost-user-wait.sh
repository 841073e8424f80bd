#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# QEMU 7.2 (1:7.2+dfsg-7+deb12u18): `-netdev vhost-user` on a socket with wait=off waits for its back-end all the same.
#
# Expected: `-chardev socket,server=on,wait=off` is what says that QEMU does not wait for a peer; the machine starts, its link
# down until the back-end connects, as it is when a back-end goes away later.
# Instead: QEMU stops in the netdev's set-up. It listens on both sockets, and accepts no one on the monitor's, so that it can
# be neither asked nor told to quit. The same chardev without the netdev does not hold it.
#
# Seen:   -chardev ...,wait=off                            the QMP greeting comes at once
#         -chardev ...,wait=off -netdev vhost-user,...     no greeting in 10 s, the process lives on
#
# Why it matters: with a switch that is not up yet, or that waits for the guest to be announced first, a manager hangs on a
# guest's start. Have the switch connect, or listen, before QEMU starts.
# shellcheck source-path=SCRIPTDIR
. "${0%/*}/box.sh"
box qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 qemu-system-common=1:7.2+dfsg-7+deb12u18+b3 \
	qemu-system-data=1:7.2+dfsg-7+deb12u18 socat=1.7.4.4-2

greeting() { # ARGUMENT...: what QMP says in 10 seconds
	local pid
	rm -f qmp vhost
	qemu-system-x86_64 -M none -nodefaults -display none -qmp unix:qmp,server=on,wait=off \
		-chardev socket,id=c,path=vhost,server=on,wait=off "$@" >log 2>&1 &
	pid=$!
	for _ in {1..300}; do
		[ ! -S qmp ] || [ ! -S vhost ] || break
		sleep 0.1
	done
	timeout 10 socat -u unix-connect:qmp - 2>/dev/null | head -c 6
	kill -0 "$pid" && echo " alive"
	kill -9 "$pid"
}

seen "with the chardev alone" '{"QMP" alive' "$(greeting)"
seen "with the netdev" " alive" "$(greeting -netdev vhost-user,id=n,chardev=c)"
ok "no QMP greeting in 10 s with -netdev vhost-user, wait=off or not"
