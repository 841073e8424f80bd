#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Sourced by the scripts beside it.
#
#   box NAME=VERSION...   Makes a root folder of these Debian packages and all that they depend on, taken from the host's apt
#                         sources, and runs the rest of the calling script in it: as root, in mount, network and process
#                         namespaces of its own, with `lo` up, in an empty /tmp. Whatever is left running ends with the script.
#   ok, changed TEXT...   The verdict: exit 0 or 1.
#   seen WHAT WANTED GOT  changed, unless WANTED and GOT are the same.
#
# Exit 2: the packages could not be had. The host needs apt with fresh lists, and unshare; nothing of it is changed.
set -eu

box_download() { # ROOT PACKAGE...: nothing counts as installed, so that the host's own packages make no difference
	local root=$1
	shift
	mkdir -p "$root/debs/partial"
	apt-get -qq -y --no-install-recommends --download-only -o Dir::State::status=/dev/null \
		-o Dir::Cache::archives="$root/debs" -o APT::Sandbox::User=root -o Debug::NoLocking=1 \
		install bash coreutils dash grep sed gawk iproute2 "$@" >"$root/log" 2>&1 && return
	cat "$root/log" >&2
	exit 2
}

box_unpack() {
	local root=$1 d
	mkdir -p "$root"/{dev,proc,run,sys,tmp,var,usr/{bin,sbin,lib,lib64}}
	for d in bin sbin lib lib64; do ln -s "usr/$d" "$root/$d"; done
	ln -s /run "$root/var/run"
	for d in "$root"/debs/*.deb; do
		dpkg-deb --fsys-tarfile "$d" | tar -xf - -C "$root" --keep-directory-symlink
	done
	ln -sf dash "$root/bin/sh"
	ln -sf gawk "$root/bin/awk"
	printf 'root:x:0:0::/:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\n' >"$root/etc/group"
}

box_enter() { # in the namespaces; device nodes of the box's own, since the host's are none of its business
	local root=$1 d
	for d in dev run tmp; do mount -t tmpfs "$d" "$root/$d"; done
	mount -t proc proc "$root/proc"
	mount -t sysfs sysfs "$root/sys"
	mkdir "$root/dev/shm" "$root/dev/net"
	mknod -m 666 "$root/dev/null" c 1 3
	mknod -m 666 "$root/dev/zero" c 1 5
	mknod -m 666 "$root/dev/random" c 1 8
	mknod -m 666 "$root/dev/urandom" c 1 9
	mknod -m 666 "$root/dev/net/tun" c 10 200
	# shellcheck disable=SC2016 # the $0 of the bash in the box
	BOXED=1 exec chroot "$root" /bin/bash -c 'cd /tmp && ip link set lo up && . "$0"' "/findings/$2"
}

box() {
	local root status=0
	[ -z "${BOXED:-}" ] || return 0
	root=$(mktemp -d)
	set -m # so that all that is started is one process group
	(
		box_download "$root" "$@"
		box_unpack "$root"
		mkdir "$root/findings"
		cp "${BASH_SOURCE[0]}" "$0" "$root/findings"
		export -f box_enter
		exec unshare --mount --net --pid --fork --kill-child -- /bin/bash -ec 'box_enter "$@"' - "$root" "${0##*/}"
	) &
	# shellcheck disable=SC2064 # the values of now
	trap "kill -KILL -- -$! 2>/dev/null || :; wait $! || :; rm -rf '$root'" EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	wait $! || status=$?
	exit "$status"
}

ok() {
	echo "ok ${0##*/}: $*"
	exit 0
}

changed() {
	echo "changed ${0##*/}: $*" >&2
	exit 1
}

seen() {
	[ "$2" = "$3" ] || changed "$1: \`$3', and not \`$2' as stated"
}
