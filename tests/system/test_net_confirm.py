# SPDX-License-Identifier: BSD-3-Clause
"""What happens after a netdev of the host was moved behind a bridge: gateways confirm the change or it is rolled back, and
xbard follows what others do to the netdev."""

import json
import subprocess
import threading
import time

import pytest
from conftest import CallError, until
from test_net import Scene, addresses, assert_same, dump, pings

CONFIGURE = "ip addr add 192.0.2.10/24 dev eth0; ip -6 addr add 2001:db8::10/64 dev eth0 nodad"
FICKLE, FICKLE6 = "192.0.2.9", "2001:db8::9"  # a gateway that answers once, before the change, and then no longer
# The other one, 192.0.2.1 and 2001:db8::1, is the kernel at the far end and always answers.
GATEWAY = """
import sys
from scapy.all import ARP, Ether, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6, conf, get_if_hwaddr
sock, mac = conf.L2socket(iface="gw0", promisc=True), get_if_hwaddr("gw0")
left = {address: 1 for address in sys.argv[1:]}
print("ready", flush=True)
while True:
    frame = sock.recv()
    if frame is None or frame.src == mac:
        continue
    if ARP in frame and frame[ARP].op == 1 and left.get(frame[ARP].pdst):
        left[frame[ARP].pdst] -= 1
        sock.send(Ether(src=mac, dst=frame.src) / ARP(op=2, hwsrc=mac, psrc=frame[ARP].pdst, hwdst=frame.src, pdst=frame[ARP].psrc))
    elif ICMPv6ND_NS in frame and left.get(frame[ICMPv6ND_NS].tgt):
        target = frame[ICMPv6ND_NS].tgt
        left[target] -= 1
        sock.send(Ether(src=mac, dst=frame.src) / IPv6(src=target, dst=frame[IPv6].src)
                  / ICMPv6ND_NA(tgt=target, R=1, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=mac))
"""
STARTED = "xenbr0\tnetdev eth0\tuplink peth0\tstarted\t"


@pytest.fixture
def scene(make_netns, make_daemon):
    made = Scene(make_netns, make_daemon)
    made.daemon.start()
    made.host.run("sh", "-ec", CONFIGURE)
    made.settle()
    return made


@pytest.fixture
def fickle(scene):
    """Default routes through the fickle gateway."""
    process = scene.gateway.popen("/usr/bin/python3", "-c", GATEWAY, FICKLE, FICKLE6, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    route(scene, FICKLE)
    yield scene
    process.kill()
    process.wait()


def route(scene, gateway, *words):
    scene.host.run("ip", "-6" if ":" in gateway else "-4", "route", "add", "default", "via", gateway, *words)


def answer_again(scene, *gateways):
    for gateway in gateways:
        scene.gateway.run("ip", "addr", "add", gateway + ("/64" if ":" in gateway else "/24"), "dev", "gw0", "nodad")


class Later:
    """A request in the background; after join(), .result or .error is set."""

    def __init__(self, daemon, cmd, **args):
        self.result = self.error = None
        self.thread = threading.Thread(target=self.call, args=(daemon, cmd, args))
        self.thread.start()

    def call(self, daemon, cmd, args):
        try:
            with daemon.connect() as client:
                client.settimeout(60)
                client.sendall(json.dumps({"cmd": cmd, **args}).encode() + b"\n")
                answer = json.loads(client.makefile().readline())
            self.result, self.error = answer.get("result"), answer.get("error")
        except (OSError, ValueError) as e:
            self.error = f"no answer: {e}"

    def join(self):
        self.thread.join(60)
        assert not self.thread.is_alive(), "no answer"
        return self


def start_later(scene, **args):
    return Later(scene.daemon, "net-start", netdev="eth0", bridge="xenbr0", **args)


def is_unconfirmed(scene):
    records = scene.daemon.call("net-status")
    return records and records[0]["unconfirmed"]


# ---- gateways ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gateways", [["192.0.2.1"], ["2001:db8::1"], ["192.0.2.1", "192.0.2.2", "2001:db8::1"]])
def test_a_start_is_confirmed_by_its_gateways(scene, gateways):
    for metric, gateway in enumerate(gateways):
        route(scene, gateway, "metric", 100 + metric)
    before = dump(scene.host)
    said = scene.net("start", "netdev=eth0", "bridge=xenbr0")
    assert said.stdout.endswith(f"; confirmed by {', '.join(gateways)}\n") and said.stderr == ""
    assert scene.net("status").stdout.startswith(STARTED)
    scene.daemon.kill9()
    scene.daemon.start()
    assert not is_unconfirmed(scene)
    scene.net("stop", "bridge=xenbr0")
    assert_same(before, dump(scene.host))


@pytest.mark.parametrize("silent, others", [(FICKLE, []), (FICKLE6, []), (FICKLE, ["192.0.2.1", "2001:db8::1"])])
def test_everything_is_rolled_back_if_a_gateway_no_longer_answers(fickle, silent, others):
    fickle.host.run("ip", "route", "del", "default")
    for metric, gateway in enumerate([*others, silent]):
        route(fickle, gateway, "metric", 100 + metric)
    before = dump(fickle.host)
    failed = fickle.net("start", "netdev=eth0", "bridge=xenbr0", "confirm=2", check=False)
    assert failed.returncode == 1 and failed.stderr.count("\n") == 1
    assert f"gateway {silent} answered before, but not within 2 s through bridge xenbr0" in failed.stderr
    assert "everything is back as it was" in failed.stderr and "confirm=0" in failed.stderr
    assert_same(before, dump(fickle.host))
    assert fickle.daemon.call("show") == {"bridges": []}
    assert fickle.net("status").stdout == "no netdev of the host is behind a bridge\n"
    assert pings(fickle.host, "192.0.2.1")


def test_a_gateway_among_several_next_hops_of_a_route_is_checked(fickle):
    fickle.host.run("ip", "route", "del", "default")
    fickle.host.run("ip", "route", "add", "default", "nexthop", "via", "192.0.2.1", "nexthop", "via", FICKLE)
    assert f"gateway {FICKLE} " in fickle.net("start", "netdev=eth0", "bridge=xenbr0", "confirm=1", check=False).stderr


def test_a_gateway_that_was_silent_before_is_not_waited_for(scene):
    route(scene, "192.0.2.1")
    route(scene, "192.0.2.88", "metric", "200")
    said = scene.net("start", "netdev=eth0", "bridge=xenbr0")
    assert said.stdout.endswith("; confirmed by 192.0.2.1\n")
    assert said.stderr == "xbar: warning: 192.0.2.88: this gateway did not answer before the start either\n"


def test_if_no_gateway_answered_before_the_start_stands_with_a_warning(scene):
    route(scene, "192.0.2.88")
    said = scene.net("start", "netdev=eth0", "bridge=xenbr0")
    assert said.stdout.endswith("; not confirmed\n") and "it is unknown whether the host still has a network" in said.stderr
    assert scene.net("status").stdout.startswith(STARTED)


def test_a_gateway_with_a_permanent_mac_address_is_kept_and_not_checked(scene):
    route(scene, "192.0.2.1")
    scene.host.run("ip", "neigh", "add", "192.0.2.1", "lladdr", "02:00:00:00:00:01", "dev", "eth0", "nud", "permanent")
    before = dump(scene.host)
    assert "192.0.2.1: this gateway did not answer" in scene.net("start", "netdev=eth0", "bridge=xenbr0").stderr
    assert scene.host.ip("neigh", "show", "dev", "xenbr0", "nud", "permanent")[0]["lladdr"] == "02:00:00:00:00:01"
    scene.net("stop")
    assert_same(before, dump(scene.host))


def test_without_a_gateway_there_is_nothing_to_confirm(scene):
    said = scene.net("start", "netdev=eth0", "bridge=xenbr0")
    assert said.stdout.endswith("; there is no gateway to confirm it\n") and said.stderr == ""
    assert "confirm" not in scene.net("start", "netdev=dummy0", "bridge=xenbr1").stdout


def test_confirm_0_disables_the_check(fickle):
    assert fickle.net("start", "netdev=eth0", "bridge=xenbr0", "confirm=0").stdout.endswith("; no confirmation was asked for\n")
    assert fickle.net("status").stdout.startswith(STARTED)


# ---- while it is not confirmed -------------------------------------------------------------------------------------------


@pytest.fixture
def unconfirmed(fickle):
    """A start that its gateway has not confirmed: .before is the host's configuration before it, .later the pending answer."""
    fickle.before = dump(fickle.host)
    fickle.later = start_later(fickle, confirm=60)
    until(lambda: is_unconfirmed(fickle))
    yield fickle
    if fickle.daemon.process:
        fickle.net("stop", check=False)
    fickle.later.join()


def test_status_shows_how_long_it_waits_and_for_which_gateway(unconfirmed):
    fields = unconfirmed.net("status").stdout.split("\t")
    assert fields[:3] == ["xenbr0", "netdev eth0", "uplink peth0"]
    assert fields[3].startswith("unconfirmed, ") and fields[3].endswith(f" s left for {FICKLE}")
    assert 0 < int(fields[3].split()[1]) <= 60


def test_it_is_confirmed_as_soon_as_the_gateway_answers(unconfirmed):
    answer_again(unconfirmed, FICKLE)
    result = unconfirmed.later.join().result
    assert (result["confirmation"], result["unconfirmed"], result["gateways"]) == ("by gateways", False, [FICKLE])
    assert not is_unconfirmed(unconfirmed)


def test_it_can_be_confirmed_by_hand(unconfirmed):
    assert "bridge xenbr7 nothing to confirm" in unconfirmed.daemon.error("net-confirm", bridge="xenbr7")
    assert unconfirmed.net("confirm", "bridge=xenbr0").stdout == "the start is confirmed\n"
    assert unconfirmed.later.join().result["confirmation"] == "by hand"
    assert unconfirmed.net("status").stdout.startswith(STARTED)
    failed = unconfirmed.net("confirm", check=False)
    assert failed.returncode == 1 and "there is nothing to confirm" in failed.stderr


def test_a_stop_ends_it_and_gives_everything_back(unconfirmed):
    unconfirmed.net("stop", "bridge=xenbr0")
    assert "bridge xenbr0 was stopped before its gateways had answered" in unconfirmed.later.join().error
    assert_same(unconfirmed.before, dump(unconfirmed.host))


def test_a_second_start_waits_for_the_same_result(unconfirmed):
    second = start_later(unconfirmed)
    assert "behind it, not eth5" in unconfirmed.daemon.error("net-start", netdev="eth5", bridge="xenbr0")
    answer_again(unconfirmed, FICKLE)
    assert second.join().result["confirmation"] == unconfirmed.later.join().result["confirmation"] == "by gateways"


def test_a_client_that_hangs_up_does_not_end_it(unconfirmed):
    with unconfirmed.daemon.connect() as client:
        client.sendall(b'{"cmd": "net-start", "netdev": "eth0", "bridge": "xenbr0"}\n')
    answer_again(unconfirmed, FICKLE)
    assert unconfirmed.later.join().result["confirmation"] == "by gateways"


def test_a_clean_stop_gives_everything_back(unconfirmed):
    assert unconfirmed.daemon.stop() == 0
    assert unconfirmed.later.join().error == "xbard is stopping"
    assert_same(unconfirmed.before, dump(unconfirmed.host))


def test_after_a_kill_the_next_daemon_confirms_it_if_the_gateway_answers(unconfirmed):
    unconfirmed.daemon.kill9()
    answer_again(unconfirmed, FICKLE)
    unconfirmed.daemon.start()
    until(lambda: not is_unconfirmed(unconfirmed))
    unconfirmed.daemon.await_log("the start is confirmed by gateways")
    assert "192.0.2.10/24" in addresses(unconfirmed.host, "xenbr0")


def test_after_a_kill_a_second_start_waits_for_the_result(unconfirmed):
    unconfirmed.daemon.kill9()
    unconfirmed.daemon.start()
    again = start_later(unconfirmed)
    assert is_unconfirmed(unconfirmed)
    answer_again(unconfirmed, FICKLE)
    assert again.join().result["already"] is True
    assert not is_unconfirmed(unconfirmed)


def test_after_a_kill_the_next_daemon_gives_everything_back_if_the_gateway_is_silent(fickle):
    before = dump(fickle.host)
    later = start_later(fickle, confirm=3)
    until(lambda: is_unconfirmed(fickle))
    fickle.daemon.kill9()
    assert "192.0.2.10/24" in addresses(fickle.host, "xenbr0")
    fickle.daemon.start()
    until(lambda: fickle.daemon.call("net-status") == [])
    assert f"gateway {FICKLE} answered before, but not within 3 s" in fickle.daemon.log()
    assert_same(before, dump(fickle.host))
    later.join()


def test_after_a_kill_the_next_daemon_can_be_told_to_stop(unconfirmed):
    unconfirmed.daemon.kill9()
    unconfirmed.daemon.start()
    unconfirmed.net("stop", "netdev=eth0")
    assert_same(unconfirmed.before, dump(unconfirmed.host))


def test_a_stop_before_the_change_while_gateways_are_probed_ends_the_start(scene):
    route(scene, "192.0.2.88")
    before = dump(scene.host)
    later = start_later(scene)
    until(lambda: scene.host.ip("neigh", "show", "192.0.2.88", "dev", "eth0"))
    assert scene.net("stop", "bridge=xenbr0").stdout == "nothing to stop\n"
    assert "was stopped" in later.join().error
    assert_same(before, dump(scene.host))


def test_no_start_is_accepted_while_scripts_finish_for_a_stop(make_netns, make_daemon):
    scene = Scene(make_netns, make_daemon)
    slow = '#!/bin/sh\n[ "$1" = start ] || sleep 4\n'  # longer than gateways are probed before the change
    scene.daemon = make_daemon(conf="hugepages = 0", netns=scene.host, xend="(network-script slow)", scripts={"slow": slow})
    scene.daemon.start()
    scene.host.run("sh", "-ec", CONFIGURE)
    scene.settle()
    route(scene, "192.0.2.88")
    later = start_later(scene)
    until(lambda: scene.host.ip("neigh", "show", "192.0.2.88", "dev", "eth0"))
    assert scene.daemon.stop() == 0
    assert later.join().error == "xbard is stopping"


def test_a_start_waiting_for_its_netdev_is_told_that_the_daemon_stops(scene):
    later = Later(scene.daemon, "net-start", netdev="eth9", bridge="xenbr9", wait=60)
    time.sleep(0.2)  # the wait is not visible from outside; if the start is late, it gets another answer
    assert scene.daemon.stop() == 0
    assert later.join().error == "xbard is stopping; netdev eth9 has not appeared"


def test_a_clean_stop_without_a_network_script_gives_back_what_was_taken(scene):
    route(scene, "192.0.2.1")
    before = dump(scene.host)
    scene.net("start", "netdev=eth0", "bridge=xenbr0")
    assert scene.daemon.stop() == 0
    assert_same(before, dump(scene.host))


def test_stop_keep_leaves_everything_for_the_next_daemon(scene):
    route(scene, "192.0.2.1")
    scene.net("start", "netdev=eth0", "bridge=xenbr0")
    scene.daemon.xbar("stop", "--keep")
    scene.daemon.wait()
    assert "192.0.2.10/24" in addresses(scene.host, "xenbr0")
    scene.daemon.start()
    assert until(lambda: pings(scene.host, "192.0.2.1"), 5)


TWO = """
echo 0 >/proc/sys/net/ipv6/conf/eth1/accept_dad
ip link set eth1 up
ip addr add 192.0.2.11/24 dev eth1
ip addr add 203.0.113.11/24 dev eth1
ip -6 addr add 2001:db8:1::11/64 dev eth1 nodad
ip route add default via 192.0.2.1 dev eth0
ip route add default via 203.0.113.1 dev eth1 metric 10
ip route add 10.0.0.0/8 nexthop via 192.0.2.1 dev eth0 nexthop via 203.0.113.1 dev eth1
ip -6 route add default via 2001:db8::1 dev eth0 metric 5
ip -6 route append default via 2001:db8:1::1 dev eth1 metric 5
ip rule add prio 50 iif eth0 lookup 8
ip rule add prio 50 from 192.0.2.11 lookup 10
ip rule add prio 50 iif eth1 lookup 10
"""


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("back", [(0, 1), (1, 0)])
def test_two_netdevs_that_share_routes_and_rules_can_be_taken_over_at_once(scene, back, killed):
    scene.host.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "gw1", "netns", scene.gateway.name)
    scene.gateway.run("ethtool", "-K", "gw1", "tx", "off")
    scene.gateway.run("ip", "link", "set", "gw1", "up")
    scene.gateway.run("ip", "addr", "add", "203.0.113.1/24", "dev", "gw1")
    scene.gateway.run("ip", "addr", "add", "2001:db8:1::1/64", "dev", "gw1", "nodad")
    scene.host.run("sh", "-ec", TWO)
    scene.settle()
    before, rules = dump(scene.host), scene.host.run("ip", "rule").stdout
    starts = [Later(scene.daemon, "net-start", netdev=f"eth{i}", bridge=f"xenbr{i}") for i in (0, 1)]
    if killed:
        until(lambda: len(scene.daemon.call("net-status")) == 2)
        scene.daemon.kill9()
        scene.daemon.start()
        until(lambda: not any(record["unconfirmed"] for record in scene.daemon.call("net-status")))
    else:
        assert [start.join().error for start in starts] == [None, None]
    assert scene.host.run("ip", "rule").stdout == rules.replace("eth", "xenbr")
    for i in back:
        scene.net("stop", f"bridge=xenbr{i}")
    assert scene.host.run("ip", "rule").stdout == rules
    assert_same(before, dump(scene.host))


# ---- what others do to the netdev ----------------------------------------------------------------------------------------


@pytest.fixture
def taken(scene):
    """eth0 is peth0, behind xenbr0."""
    route(scene, "192.0.2.1")
    scene.before = dump(scene.host)
    scene.net("start", "netdev=eth0", "bridge=xenbr0")
    return scene


def link(scene, netdev):
    (link,) = scene.host.ip("link", "show", "dev", netdev)
    return link


@pytest.mark.parametrize("mtu", [1400, 9000])
def test_the_host_port_follows_the_mtu_of_its_uplink(taken, mtu):
    taken.gateway.run("ip", "link", "set", "gw0", "mtu", mtu)
    taken.host.run("ip", "link", "set", "peth0", "mtu", mtu)
    until(lambda: link(taken, "xenbr0")["mtu"] == mtu)
    ping = ("busybox", "ping", "-c1", "-W1", "-s", mtu - 28, "192.0.2.1")
    assert until(lambda: taken.host.run(*ping, check=False).returncode == 0)
    taken.daemon.kill9()
    taken.daemon.start()
    assert link(taken, "xenbr0")["mtu"] == mtu


def test_the_host_port_follows_the_mac_address_of_its_uplink(taken):
    taken.host.run("ip", "link", "set", "peth0", "address", "02:00:00:00:99:01")
    until(lambda: link(taken, "xenbr0")["address"] == "02:00:00:00:99:01")
    until(lambda: taken.daemon.port("xenbr0")["mac"] == "02:00:00:00:99:01")
    taken.daemon.kill9()
    taken.daemon.start()
    assert link(taken, "xenbr0")["address"] == "02:00:00:00:99:01"


def test_the_host_port_has_carrier_while_its_uplink_has(taken):
    taken.gateway.run("ip", "link", "set", "gw0", "down")
    until(lambda: "NO-CARRIER" in link(taken, "xenbr0")["flags"])
    taken.gateway.run("ip", "link", "set", "gw0", "up")
    until(lambda: "NO-CARRIER" not in link(taken, "xenbr0")["flags"])
    assert until(lambda: pings(taken.host, "192.0.2.1"), 5)


def test_what_a_dhcp_client_sets_on_the_uplink_moves_to_the_host_port(taken):
    taken.host.run(
        "sh", "-ec", "ip addr add 198.51.100.7/28 dev peth0 valid_lft 600 preferred_lft 600;"
        "ip route add default via 198.51.100.1 dev peth0 metric 500"
    )
    until(lambda: "198.51.100.7/28" in addresses(taken.host, "xenbr0"))
    until(lambda: addresses(taken.host, "peth0") == [])
    routes = taken.host.ip("route", "show", "default")
    assert {(r["gateway"], r["dev"]) for r in routes} == {("192.0.2.1", "xenbr0"), ("198.51.100.1", "xenbr0")}
    assert pings(taken.host, "198.51.100.1")

    taken.host.run("ip", "addr", "add", "198.51.100.7/28", "dev", "peth0", "valid_lft", 6000, "preferred_lft", 6000)

    def lifetime():
        infos = taken.host.ip("addr", "show", "dev", "xenbr0")[0]["addr_info"]
        return next(info["valid_life_time"] for info in infos if info["local"] == "198.51.100.7")

    until(lambda: lifetime() > 600)  # the lease is renewed
    until(lambda: addresses(taken.host, "peth0") == [])
    taken.net("stop")
    assert "198.51.100.7/28" in addresses(taken.host, "eth0")


def test_the_record_follows_an_uplink_that_is_renamed(taken):
    taken.host.run("sh", "-ec", "ip link set peth0 down; ip link set peth0 name wan0; ip link set wan0 up")
    until(lambda: taken.daemon.call("net-status")[0]["uplink"] == "wan0")
    assert until(lambda: pings(taken.host, "192.0.2.1"), 5)
    assert taken.daemon.port("wan0")["bridge"] == "xenbr0"
    taken.daemon.kill9()
    taken.daemon.start()
    assert until(lambda: pings(taken.host, "192.0.2.1"), 5)
    taken.net("stop", "bridge=xenbr0")
    assert_same(taken.before, dump(taken.host))


def connect_again(scene, mac):
    scene.gateway.run("ip", "link", "add", "gw0", "address", mac, "type", "veth", "peer", "name", "eth0", "netns", scene.host.name)
    for netns, netdev in ((scene.host, "eth0"), (scene.gateway, "gw0")):
        netns.run("sh", "-c", f"echo 0 >/proc/sys/net/ipv6/conf/{netdev}/accept_dad; ip link set {netdev} up")
    scene.gateway.run("ethtool", "-K", "gw0", "tx", "off")
    scene.gateway.run("ip", "addr", "add", "192.0.2.1/24", "dev", "gw0")


@pytest.mark.parametrize("killed", [False, True])
def test_a_netdev_that_disappears_and_returns_is_taken_over_again(taken, killed):
    mac = taken.gateway.ip("link", "show", "dev", "gw0")[0]["address"]
    taken.host.run("ip", "link", "del", "peth0")
    until(lambda: "uplink gone" in taken.net("status").stdout)
    assert "its uplink peth0 is gone" in taken.daemon.log()
    assert "192.0.2.10/24" in addresses(taken.host, "xenbr0")
    until(lambda: "NO-CARRIER" in link(taken, "xenbr0")["flags"])
    if killed:
        taken.daemon.kill9()
        taken.daemon.start()
    connect_again(taken, mac)
    taken.daemon.await_log("its uplink peth0 is back")
    assert taken.net("status").stdout.startswith(STARTED)
    assert until(lambda: pings(taken.host, "192.0.2.1"), 5)
    assert link(taken, "xenbr0")["address"] == link(taken, "peth0")["address"]
    taken.net("stop")
    assert "192.0.2.10/24" in addresses(taken.host, "eth0") and pings(taken.host, "192.0.2.1")


def test_a_start_that_could_not_be_rolled_back_is_confirmed_when_its_netdev_returns(fickle):
    mac = fickle.gateway.ip("link", "show", "dev", "gw0")[0]["address"]
    later = start_later(fickle, confirm=3)
    until(lambda: is_unconfirmed(fickle))
    fickle.host.run("ip", "link", "del", "peth0")
    assert "giving back eth0 failed: netdev eth0 is gone" in later.join().error
    assert is_unconfirmed(fickle) and "192.0.2.10/24" in addresses(fickle.host, "xenbr0")
    connect_again(fickle, mac)
    answer_again(fickle, FICKLE)
    until(lambda: not is_unconfirmed(fickle))
    assert fickle.net("status").stdout.startswith(STARTED)


def test_a_storm_of_events_ends_in_the_right_state(taken):
    taken.host.run("sh", "-ec", "for i in $(seq 200); do ip link set peth0 mtu $((1300 + i)); done")
    until(lambda: link(taken, "xenbr0")["mtu"] == 1500)
    assert taken.daemon.log().count("follows its uplink to MTU") < 100


# ---- refused, and given back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("bridge", "del", "xenbr0"),
        ("uplink", "del", "peth0"),
        ("port", "leave", "peth0"),
        ("bridge", "set", "xenbr0", "--host", "off"),
    ],
)
def test_a_port_that_holds_the_hosts_network_cannot_be_removed(taken, words):
    failed = taken.daemon.xbar(*words, check=False)
    assert failed.returncode == 1 and "`network-bridge stop bridge=xenbr0`" in failed.stderr
    assert pings(taken.host, "192.0.2.1")


@pytest.mark.parametrize("killed", [False, True])
def test_an_uplink_does_not_coalesce_received_frames_until_it_is_given_back(scene, killed):
    def merges():
        return "generic-receive-offload: on" in scene.host.run("ethtool", "-k", "eth0").stdout

    assert merges()
    scene.daemon.xbar("bridge", "add", "br0")
    scene.daemon.xbar("uplink", "add", "br0", "eth0")
    assert not merges()
    if killed:
        scene.daemon.kill9()
        scene.daemon.start()
        assert not merges()
    scene.daemon.xbar("uplink", "del", "eth0")
    assert merges()
