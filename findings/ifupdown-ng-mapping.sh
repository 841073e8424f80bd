#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# ifupdown-ng 0.11.4~rc1-1+b2: a `mapping` stanza makes the interface before it a DHCP client.
#
# Expected: /etc/network/interfaces of ifupdown is read as it is ("mapping" is one of its stanzas: interfaces(5)), or the
# stanza is refused or passed over.
# Instead: its lines are taken for options of the iface stanza above, and `script` is one of udhcpc's: so xenbr0, which is
# static, gets `use dhcp` as well. Nothing is said.
#
# Seen (ifquery xenbr0):
#         use static
#         address 203.0.113.10/24
#         mapping eth0
#         dhcp-script /usr/local/sbin/where
#         use dhcp
#         map office
# and ifup runs both the static and the dhcp executor for xenbr0.
#
# Why it matters: the host's address on the bridge is joined by one from whoever answers DHCP there, which on a bridge with
# guests may be a guest. ifupdown 0.8.41 reads the same file as meant.
# shellcheck source-path=SCRIPTDIR
. "${0%/*}/box.sh"
box ifupdown-ng=0.11.4~rc1-1+b2

cat >interfaces <<'END'
auto xenbr0
iface xenbr0 inet static
	address 203.0.113.10/24

mapping eth0
	script /usr/local/sbin/where
	map office
END

query() { ifquery -i interfaces xenbr0; }
seen "static" 1 "$(query | grep -c 'use static')"
seen "the script" 1 "$(query | grep -c 'dhcp-script /usr/local/sbin/where')"
seen "dhcp" 1 "$(query | grep -c 'use dhcp')"
for executor in static dhcp; do
	ifup -n -v -i interfaces -S state xenbr0 2>&1 | grep -q "xenbr0: attempting to run $executor executor for phase up" ||
		changed "ifup does not run the $executor executor"
done
ok "xenbr0, static, is a DHCP client too"
