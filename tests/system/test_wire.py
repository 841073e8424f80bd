# SPDX-License-Identifier: BSD-3-Clause
"""Frames on wires: bridges whose ports are uplinks (veth pairs) and host ports, with scapy at the far ends of the wires."""
import ctypes
import os
import socket
import time

import pytest
from scapy.all import ICMP, IP, TCP, UDP, Dot1Q, Ether, Raw

from conftest import until

libc = ctypes.CDLL(None, use_errno=True)
ALL = "ff:ff:ff:ff:ff:ff"


class Wire:
    """The far end of an uplink: a packet socket in its network namespace."""

    def __init__(self, netns, name):
        self.name = name
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{netns.name}", os.O_RDONLY)
        try:
            assert libc.setns(there, 0) == 0
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.socket.bind((name, 0))
        finally:
            assert libc.setns(home, 0) == 0
            os.close(home)
            os.close(there)
        self.socket.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: the VLAN tag that the kernel stripped

    def send(self, frame):
        self.socket.send(bytes(frame))

    def receive(self, seconds=2.0, match=lambda frame: True):
        """The next frame that matches, with its VLAN tag restored; None after `seconds`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data, ancillary, _, addr = self.socket.recvmsg(65600, 256)
            except TimeoutError:
                break
            if addr[2] == socket.PACKET_OUTGOING:
                continue
            for _, kind, aux in ancillary:
                if kind == 8 and int.from_bytes(aux[0:4], "little") & 0x10:  # TP_STATUS_VLAN_VALID
                    data = data[:12] + b"\x81\x00" + aux[16:18][::-1] + data[12:]
            frame = Ether(data)
            if match(frame):
                return frame
        return None

    def close(self):
        self.socket.close()


@pytest.fixture
def wires(daemon):
    """Bridge br0 with uplinks a, b, c and a host port, and br1 with uplink d; returns their far ends, by name."""
    daemon.call("bridge-add", name="br0")
    daemon.call("bridge-add", name="br1")
    ends = {}
    for name in "abcd":
        daemon.netns.run("ip", "link", "add", f"up-{name}", "type", "veth", "peer", "name", name)
        daemon.netns.run("sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1", f"net.ipv6.conf.up-{name}.disable_ipv6=1")
        daemon.netns.run("ip", "link", "set", "dev", name, "up")
        daemon.call("uplink-add", bridge="br1" if name == "d" else "br0", netdev=f"up-{name}")
        ends[name] = Wire(daemon.netns, name)
    yield ends
    for end in ends.values():
        end.close()


def mac(n):
    return f"02:00:00:00:00:{n:02x}"


def frame(dst, src, text=b"x", kind=0x88B5):
    return Ether(dst=dst, src=src, type=kind) / Raw(text.ljust(46, b"."))


def heard(wires, text, seconds=1.0):
    """Names of the wires that receive a frame containing `text`."""
    return {n for n, w in wires.items() if w.receive(seconds if n == "a" else 0.3, lambda f: text in bytes(f))}


def test_unknown_unicast_is_flooded_to_all_other_ports_of_its_bridge_only(wires):
    wires["a"].send(frame(mac(9), mac(1), b"unknown"))
    assert heard(wires, b"unknown") == {"b", "c"}


def test_frames_to_a_learned_address_go_only_to_its_port_and_follow_it(wires):
    wires["b"].send(frame(ALL, mac(2), b"hello"))
    assert heard(wires, b"hello") == {"a", "c"}
    wires["a"].send(frame(mac(2), mac(1), b"first"))
    assert heard(wires, b"first") == {"b"}
    wires["c"].send(frame(ALL, mac(2), b"moved"))
    assert heard(wires, b"moved") == {"a", "b"}
    wires["a"].send(frame(mac(2), mac(1), b"second"))
    assert heard(wires, b"second") == {"c"}


@pytest.mark.parametrize(
    "dst, src, reason",
    [
        ("01:80:c2:00:00:00", mac(1), "reserved"),
        ("01:80:c2:00:00:0e", mac(1), "reserved"),
        (mac(2), "03:00:00:00:00:01", "source-invalid"),
        (mac(2), "00:00:00:00:00:00", "source-invalid"),
        (mac(1), mac(1), "hairpin"),
    ],
)
def test_frames_that_may_not_pass_are_dropped_and_counted_by_reason(daemon, wires, dst, src, reason):
    wires["a"].send(frame(dst, src, b"not me"))
    assert heard(wires, b"not me", 0.5) == set()
    assert reason in daemon.xbar("stats", "up-a").stdout


def test_a_reserved_address_beyond_the_first_sixteen_is_forwarded(wires):
    wires["a"].send(frame("01:80:c2:00:00:10", mac(1), b"go on"))
    assert heard(wires, b"go on") == {"b", "c"}


def test_a_vlan_tag_passes_unchanged(wires):
    wires["a"].send(Ether(dst=ALL, src=mac(1)) / Dot1Q(vlan=42, prio=3) / IP(dst="192.0.2.1") / UDP() / Raw(b"tagged"))
    got = wires["b"].receive(2, lambda f: b"tagged" in bytes(f))
    assert got is not None and got[Dot1Q].vlan == 42 and got[Dot1Q].prio == 3


def test_a_flushed_address_is_unknown_again(daemon, wires):
    wires["b"].send(frame(ALL, mac(2), b"hello"))
    assert heard(wires, b"hello") == {"a", "c"}
    assert mac(2) in daemon.xbar("fdb", "show", "br0").stdout
    daemon.xbar("fdb", "flush")
    assert mac(2) not in daemon.xbar("fdb", "show", "br0").stdout
    wires["a"].send(frame(mac(2), mac(1), b"again"))
    assert heard(wires, b"again") == {"b", "c"}


def test_frames_from_the_host_have_complete_checksums_on_the_wire(daemon, wires):
    """The host's stack leaves checksums to its TAP, so xbard must complete them for an uplink."""
    daemon.netns.run("ip", "addr", "add", "192.0.2.1/24", "dev", "br0")
    daemon.netns.run("ip", "neigh", "add", "192.0.2.9", "lladdr", mac(9), "dev", "br0")
    script = (
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.sendto(b'checked' * 20, ('192.0.2.9', 9))\n"
        "t = socket.socket(); t.settimeout(0.2)\n"
        "try: t.connect(('192.0.2.9', 80))\n"
        "except OSError: pass\n"
    )
    daemon.netns.run("/usr/bin/python3", "-c", script)
    for layer in (UDP, TCP):
        got = wires["a"].receive(2, lambda f, layer=layer: f.haslayer(layer) and f[IP].src == "192.0.2.1")
        assert got is not None, layer
        sent, ip_sent = got[layer].chksum, got[IP].chksum
        del got[layer].chksum, got[IP].chksum
        again = Ether(bytes(got))
        assert (again[layer].chksum, again[IP].chksum) == (sent, ip_sent)


def test_the_host_answers_on_its_bridge_with_its_own_address(daemon, wires):
    daemon.netns.run("ip", "addr", "add", "192.0.2.1/24", "dev", "br0")
    host = next(p for p in daemon.call("stats")["ports"] if p["name"] == "br0")["mac"]
    daemon.netns.run("ip", "neigh", "add", "192.0.2.9", "lladdr", mac(9), "dev", "br0")
    wires["c"].send(Ether(dst=host, src=mac(9)) / IP(src="192.0.2.9", dst="192.0.2.1") / ICMP(id=7) / Raw(b"echo me"))
    got = wires["c"].receive(2, lambda f: f.haslayer(ICMP) and f[ICMP].type == 0)
    assert got is not None and got.dst == mac(9) and got.src == host and b"echo me" in bytes(got)


def test_a_host_port_that_is_down_gets_nothing_until_it_is_up_again(daemon, wires):
    daemon.netns.run("ip", "link", "set", "br0", "down")
    before = daemon.port("br0")["tx"]["frames"]
    for n in range(100):
        wires["a"].send(frame(ALL, mac(1), b"to all %d." % n))
    assert wires["b"].receive(2, lambda f: b"to all 99." in bytes(f))
    host = daemon.port("br0")
    assert host["tx"]["frames"] == before and host["drops"]["tx-down"] >= 100
    daemon.netns.run("ip", "link", "set", "br0", "up")
    near = Wire(daemon.netns, "br0")
    for n in range(100):  # xbard may take some milliseconds to notice
        wires["a"].send(frame(ALL, mac(1), b"again"))
        if near.receive(0.1, lambda f: b"again" in bytes(f)):
            break
    else:
        pytest.fail("nothing comes to the host")
    near.close()


def test_frames_that_the_kernel_sends_on_an_uplink_are_not_received_from_it(daemon, wires):
    near = Wire(daemon.netns, "up-a")
    near.send(frame(ALL, mac(77), b"own"))
    assert wires["a"].receive(match=lambda f: b"own" in bytes(f))
    assert heard(wires, b"own", 0.5) == set()
    assert not [entry for entry in daemon.call("fdb-show", bridge="br0")["macs"] if entry["mac"] == mac(77)]
    near.close()


def test_a_netdev_that_disappears_is_reported_and_the_rest_keeps_working(daemon, wires):
    wires["b"].close()
    daemon.netns.run("ip", "link", "del", "dev", "up-b")
    daemon.await_log("vanished")
    wires.pop("b")
    wires["a"].send(frame(ALL, mac(1), b"still here"))
    assert heard(wires, b"still here") == {"c"}


def drops(daemon, port, reason):
    return next(p for p in daemon.call("stats")["ports"] if p["name"] == port)["drops"].get(reason, 0)


def test_nobody_claims_the_hosts_addresses(daemon, wires):
    def host_macs():
        return {row["mac"] for row in daemon.call("fdb-show", bridge="br0")["macs"] if row["local"]}

    def refused(address):
        before = drops(daemon, "up-a", "source-elsewhere")
        wires["a"].send(frame(ALL, address, b"forged"))
        until(lambda: drops(daemon, "up-a", "source-elsewhere") > before)
        assert wires["b"].receive(0.2, lambda got: b"forged" in bytes(got)) is None

    own = daemon.netns.run("cat", "/sys/class/net/br0/address").stdout.strip()
    until(lambda: host_macs() == {own})
    refused(own)
    # Set by hand, and of a netdev stacked on the host port: followed; the old one is free again.
    daemon.netns.run("ip", "link", "set", "br0", "address", mac(0x51))
    daemon.netns.run("ip", "link", "add", "link", "br0", "name", "stacked", "address", mac(0x52), "type", "macvlan")
    until(lambda: host_macs() == {mac(0x51), mac(0x52)})
    refused(mac(0x51))
    refused(mac(0x52))
    wires["a"].send(frame(ALL, own, b"free now"))
    assert wires["b"].receive(match=lambda got: b"free now" in bytes(got))
    # A frame to the host still reaches the host port alone.
    wires["a"].send(frame(mac(0x51), mac(1), b"to the host"))
    assert wires["b"].receive(0.2, lambda got: b"to the host" in bytes(got)) is None
    daemon.netns.run("ip", "link", "del", "stacked")
    until(lambda: host_macs() == {mac(0x51)})


def test_a_static_address_stays_on_its_port_until_it_is_deleted(daemon, wires):
    daemon.xbar("fdb", "add", "up-b", mac(7))
    row = next(row for row in daemon.call("fdb-show")["macs"] if row["mac"] == mac(7))
    assert (row["port"], row["static"], row["local"]) == ("up-b", True, False)
    wires["a"].send(frame(ALL, mac(7), b"forged"))
    until(lambda: drops(daemon, "up-a", "source-elsewhere") == 1)
    daemon.xbar("fdb", "flush")
    wires["a"].send(frame(mac(7), mac(1), b"for seven"))
    assert wires["b"].receive(match=lambda got: b"for seven" in bytes(got))
    assert wires["c"].receive(0.2, lambda got: b"for seven" in bytes(got)) is None
    # It goes with its port to another bridge, and survives a killed daemon.
    assert "that of port up-b on bridge br0 already" in daemon.error("fdb-add", port="up-a", mac=mac(7))
    daemon.kill9()
    daemon.start()
    assert [row["port"] for row in daemon.call("fdb-show")["macs"] if row["mac"] == mac(7)] == ["up-b"]
    daemon.call("port-leave", port="up-b")
    assert not [row for row in daemon.call("fdb-show")["macs"] if row["mac"] == mac(7)]
    daemon.call("port-join", port="up-b", bridge="br1")
    assert [row["bridge"] for row in daemon.call("fdb-show")["macs"] if row["mac"] == mac(7)] == ["br1"]
    daemon.xbar("fdb", "del", "up-b", mac(7))
    assert "no static MAC address" in daemon.error("fdb-del", port="up-b", mac=mac(7))
    assert not [row for row in daemon.call("fdb-show")["macs"] if row["mac"] == mac(7)]
