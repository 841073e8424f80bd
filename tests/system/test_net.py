# SPDX-License-Identifier: BSD-3-Clause
"""Moving the host's netdev behind a bridge and back: xbar net start, stop, status, plan."""

import itertools
import os
import re
import select
import shutil
import subprocess
import threading
import time

import pytest
from conftest import until

STEPS = ["keep", "up", "rename", "bridge", "host-port", "uplink", "move", "commit"]
CONFIGURE = """
ip addr add 192.0.2.10/24 dev eth0 brd +
ip addr add 192.0.2.11/24 dev eth0 label eth0:1
ip addr add 198.51.100.7/28 dev eth0 metric 77 valid_lft 600 preferred_lft 300
ip -6 addr add 2001:db8::10/64 dev eth0 nodad
ip -6 addr add 2001:db8:1::10/64 dev eth0 nodad valid_lft 600 preferred_lft 300
ip route add default via 192.0.2.1 metric 100
ip route add default via 192.0.2.2 metric 200 mtu 1400
ip route add default via 198.51.100.1 table 100
ip rule add from 198.51.100.0/28 table 100 prio 1000
ip route add 10.20.0.0/16 via 192.0.2.3 src 192.0.2.11 proto 99
ip -6 route add default via 2001:db8::1 metric 50
ip neigh add 192.0.2.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent
"""
# Things that refer to the netdev or compete with it: policy rules, nexthop objects, routes to the same destinations
# through another netdev.
POLICY = """
ip link add eth9 type veth peer name far9
ip link set far9 up
ip link set eth9 up
ip addr add 203.0.113.5/24 dev eth0
ip addr add 203.0.113.6/24 dev eth9
ip rule add prio 1000 iif eth0 lookup 100
ip rule add prio 1000 from 10.9.0.0/16 lookup 100
ip rule add prio 1001 iif lo oif eth0 lookup 100
ip -6 rule add prio 1002 oif eth0 lookup 100
ip nexthop add id 7 via 192.0.2.3 dev eth0
ip route add 10.7.0.0/16 nhid 7
"""
LIFETIMES = ("valid_life_time", "preferred_life_time", "expires")


def steady(data):
    """`data` without the fields that change with time."""
    if isinstance(data, list):
        return [steady(item) for item in data]
    if isinstance(data, dict):
        return {k: "N" if k in LIFETIMES and v != 0xFFFFFFFF else steady(v) for k, v in data.items()}
    return data


def dump(netns):
    """The host's network configuration, as `ip` shows it."""
    # Routes of metric 0 are the kernel's own. Equal routes are in the order in which addresses passed DAD.
    routes6 = netns.ip("-6", "-details", "route", "show", "table", "all")
    routes6 = [r for r in routes6 if r["metric"]] + sorted((r for r in routes6 if not r["metric"]), key=str)
    return steady(
        {
            "link": netns.ip("-details", "link", "show"),
            "addr": netns.ip("-details", "addr", "show"),
            "route": netns.ip("-4", "-details", "route", "show", "table", "all"),
            "route6": routes6,
            "rule": netns.ip("rule", "show"),
            "rule6": netns.ip("-6", "rule", "show"),
            "nexthop": netns.run("ip", "-details", "nexthop", "show").stdout,
            # ordered by a hash of the netdev structure's address in memory
            "neigh": sorted(netns.ip("neigh", "show", "nud", "permanent"), key=str),
            "merging": netns.run("sh", "-c", "ethtool -k eth0 | grep receive-offload", check=False).stdout,
            "quiet": netns.run(
                "sh", "-c", "cd /proc/sys/net; grep . ipv4/conf/*/rp_filter ipv6/conf/*/accept_dad ipv6/conf/*/disable_ipv6"
            ).stdout.splitlines(),
        }
    )


def assert_same(before, after, when=None):
    """Assert, with only the difference in the message."""
    for key, value in before.items():
        if isinstance(value, list) and value != after[key]:
            for old, new in itertools.zip_longest(value, after[key]):
                assert old == new, (when, key, difference(old, new))
        assert value == after[key], (when, key)


def difference(old, new):
    if not isinstance(old, dict) or not isinstance(new, dict):
        return old, new
    return {name: (old.get(name), new.get(name)) for name in {**old, **new} if old.get(name) != new.get(name)}, old


def pings(netns, address):
    return netns.run("busybox", "ping", "-c1", "-W1", address, check=False).returncode == 0


def addresses(netns, netdev):
    (link,) = netns.ip("addr", "show", "dev", netdev)
    return [f"{addr['local']}/{addr['prefixlen']}" for addr in link["addr_info"] if addr["scope"] == "global"]


class Scene:
    """A host with eth0, xbard on it, and a gateway at the other end of the cable."""

    def __init__(self, make_netns, make_daemon, conf="hugepages = 0"):
        self.gateway = make_netns("gw")
        self.host = make_netns("host")
        self.host.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "gw0", "netns", self.gateway.name)
        for netns, netdev in ((self.host, "eth0"), (self.gateway, "gw0")):
            netns.run("sh", "-c", f"echo 0 >/proc/sys/net/ipv6/conf/{netdev}/accept_dad; ip link set {netdev} up")
        for address in ("192.0.2.1/24", "192.0.2.2/24", "192.0.2.3/24", "198.51.100.1/28", "2001:db8::1/64"):
            self.gateway.run("ip", "addr", "add", address, "dev", "gw0")
        self.gateway.run("ethtool", "-K", "gw0", "tx", "off")
        self.host.run("ethtool", "-K", "eth0", "gro", "on")  # off for a newly created veth
        self.daemon = make_daemon(conf=conf, netns=self.host)
        self.settle()

    def settle(self):
        """Wait until no IPv6 address is tentative."""
        until(lambda: "tentative" not in self.host.run("ip", "-6", "addr").stdout)
        time.sleep(0.1)

    def configure(self):
        self.host.run("sh", "-ec", CONFIGURE)
        self.settle()

    def net(self, op, *words, **kwargs):
        return self.daemon.xbar("net", op, *words, **kwargs)


@pytest.fixture
def scene(make_netns, make_daemon):
    made = Scene(make_netns, make_daemon)
    made.daemon.start()
    return made


@pytest.mark.parametrize("rename", ["yes", "no"])
def test_everything_the_netdev_had_moves_to_the_bridge_and_back(scene, rename):
    scene.configure()
    before = dump(scene.host)
    uplink = "peth0" if rename == "yes" else "eth0"
    said = scene.net("start", "netdev=eth0", "bridge=xenbr0", f"rename={rename}").stdout
    assert "xenbr0 has taken over eth0: 192.0.2.10/24" in said and "interrupted for" in said

    assert "tentative" not in scene.host.run("ip", "-6", "addr", "show", "dev", "xenbr0").stdout
    assert addresses(scene.host, uplink) == []
    assert addresses(scene.host, "xenbr0") == [
        a["local"] + f"/{a['prefixlen']}"
        for link in before["addr"]
        if link["ifname"] == "eth0"
        for a in link["addr_info"]
        if a["scope"] == "global"
    ]
    (eth0,) = [link for link in before["link"] if link["ifname"] == "eth0"]
    (xenbr0,) = scene.host.ip("link", "show", "dev", "xenbr0")
    assert (xenbr0["address"], xenbr0["mtu"]) == (eth0["address"], eth0["mtu"])
    routes = scene.host.ip("route", "show", "table", "all")
    assert {route["dev"] for route in routes} == {"xenbr0", "lo"}
    assert [r["gateway"] for r in routes if r["dst"] == "default"].count("198.51.100.1") == 1
    assert scene.daemon.port(uplink)["bridge"] == "xenbr0"
    assert "generic-receive-offload: off" in scene.host.run("ethtool", "-k", uplink).stdout

    for address in ("192.0.2.1", "198.51.100.1", "2001:db8::1"):
        assert until(lambda: pings(scene.host, address), 5)
    for address in ("192.0.2.10", "192.0.2.11", "2001:db8::10"):
        assert pings(scene.gateway, address)

    assert scene.net("stop", "bridge=xenbr0").stdout == "xenbr0 has given back eth0, which is as it was\n"
    assert_same(before, dump(scene.host))
    assert scene.daemon.call("show") == {"bridges": []}
    assert pings(scene.host, "192.0.2.1")


def test_rules_nexthop_objects_and_equal_routes_move_and_return_in_order(scene):
    scene.configure()
    scene.host.run("sh", "-ec", POLICY)
    scene.settle()
    before = dump(scene.host)
    scene.net("start", "netdev=eth0", "bridge=xenbr0")
    rules = [rule for family in ("-4", "-6") for rule in scene.host.ip(family, "rule", "show")]
    assert [rule["priority"] for rule in rules if "xenbr0" in (rule.get("iif"), rule.get("oif"))] == [1000, 1001, 1002]
    assert [rule.get("iif") for rule in rules if rule["priority"] == 1000] == [None, "xenbr0", None]
    assert "id 7 via 192.0.2.3 dev xenbr0" in scene.host.run("ip", "nexthop").stdout
    assert scene.host.ip("route", "get", "10.7.1.1")[0]["dev"] == "xenbr0"
    assert scene.host.ip("route", "get", "203.0.113.1")[0]["dev"] == "xenbr0"
    scene.net("stop", "bridge=xenbr0")
    assert_same(before, dump(scene.host))


def test_iperf3_runs_through_start_and_stop(scene):
    scene.configure()
    server = scene.gateway.popen("iperf3", "-s", "-1", "-B", "192.0.2.1", stdout=subprocess.DEVNULL)
    client = None
    try:
        until(lambda: ":5201" in scene.gateway.run("ss", "-lnt").stdout)
        client = scene.host.popen(
            "iperf3", "-c", "192.0.2.1", "-t", "4", "-i", "0.1", "--forceflush", "-f", "m", stdout=-1, stderr=-2, text=True
        )
        time.sleep(1)
        started = scene.net("start", "netdev=eth0", "bridge=xenbr0").stdout
        time.sleep(1)
        scene.net("stop", "bridge=xenbr0")
        report = client.communicate(timeout=30)[0]
    finally:
        for process in filter(None, (client, server)):
            process.kill()
            process.wait()
    assert client.returncode == 0 and "receiver" in report, report
    quiet = [line for line in report.splitlines() if re.search(r" 0\.00 +Mbits/sec", line)]
    print(f"{started}tenths of a second without a byte: {len(quiet)} of 40\n{report}")


def test_the_host_gets_each_frame_once(scene):
    scene.configure()
    scene.net("start", "netdev=eth0", "bridge=xenbr0")
    out = scene.gateway.run("busybox", "ping", "-c3", "-i0.2", "-W1", "192.0.2.10").stdout
    assert "DUP" not in out and "3 packets received" in out


def test_starting_twice_and_stopping_twice_is_harmless(scene):
    scene.configure()
    before = dump(scene.host)
    scene.net("start", "netdev=eth0", "bridge=xenbr0")
    started = dump(scene.host)
    assert scene.net("start", "netdev=eth0", "bridge=xenbr0").stdout == "eth0 is behind xenbr0 already\n"
    assert_same(started, dump(scene.host))
    scene.net("stop", "bridge=xenbr0")
    assert scene.net("stop", "bridge=xenbr0").stdout == "nothing to stop\n"
    assert_same(before, dump(scene.host))


def test_a_plan_shows_the_steps_and_changes_nothing(scene):
    scene.configure()
    before = dump(scene.host)
    lines = scene.net("plan", "netdev=eth0", "bridge=xenbr0").stdout.splitlines()
    assert [line.split()[1] for line in lines] == STEPS
    assert "move 6 addresses and" in lines[6] and "from peth0 to xenbr0" in lines[6]
    assert_same(before, dump(scene.host))
    assert scene.net("status").stdout == "no netdev of the host is behind a bridge\n"


def test_a_tcp_session_survives_start_and_stop(scene):
    scene.configure()
    server = scene.gateway.popen(
        "python3", "-c", "import socket; s=socket.create_server(('192.0.2.1',5000)); c=s.accept()[0]\n"
        "while d:=c.recv(65536): c.sendall(d)"
    )
    client = scene.host.popen(
        "python3", "-uc",
        "import socket,sys,time\n"
        "for i in range(50):\n"
        "    try: s=socket.create_connection(('192.0.2.1',5000)); break\n"
        "    except OSError: time.sleep(0.1)\n"
        "print('open', flush=True)\n"
        "for line in sys.stdin:\n"
        "    s.sendall(line.encode()); got=b''\n"
        "    while len(got) < len(line): got+=s.recv(65536)\n"
        "    print(got.decode(), end='', flush=True)",
        stdin=-1, stdout=-1, text=True,
    )

    def says(text, seconds=10):
        assert select.select([client.stdout], [], [], seconds)[0], f"the client is stuck before {text!r}"
        return client.stdout.readline() == text + "\n"

    def echoes(text):
        client.stdin.write(text + "\n")
        client.stdin.flush()
        return says(text)

    try:
        assert says("open")
        assert echoes("before")
        scene.net("start", "netdev=eth0", "bridge=xenbr0")
        assert echoes("over the bridge" + 100 * " and on")
        scene.net("stop", "bridge=xenbr0")
        assert echoes("after")
    finally:
        for process in (client, server):
            process.kill()
            process.wait()


# ---- when something goes wrong -----------------------------------------------------------------------------------------


def test_a_failing_step_undoes_the_earlier_ones(scene):
    scene.configure()
    before = dump(scene.host)
    scene.daemon.call("bridge-add", name="other", host=False)
    scene.daemon.call("vif-add", name="peth0", bridge="other")  # takes the name that the uplink should get
    failed = scene.net("start", "netdev=eth0", "bridge=xenbr0", check=False)
    assert failed.returncode == 1 and "peth0" in failed.stderr
    assert_same(before, dump(scene.host))
    assert [bridge["name"] for bridge in scene.daemon.call("show")["bridges"]] == ["other"]
    assert scene.net("status").stdout == "no netdev of the host is behind a bridge\n"


@pytest.mark.parametrize("done", range(1, len(STEPS) + 1))
@pytest.mark.parametrize("then", ["stop", "start"])
def test_a_daemon_killed_after_any_step_leaves_a_state_that_the_next_one_repairs(scene, done, then):
    scene.configure()
    before = dump(scene.host)
    scene.net("start", "netdev=eth0", "bridge=xenbr0", f"until={done}")
    scene.daemon.kill9()
    scene.daemon.start()
    if then == "start":
        scene.net("start", "netdev=eth0", "bridge=xenbr0")
        assert until(lambda: pings(scene.host, "192.0.2.1"), 5)
        assert len(addresses(scene.host, "xenbr0")) == 5
        assert scene.daemon.port("peth0")["bridge"] == "xenbr0"
    scene.net("stop", "netdev=eth0")
    assert_same(before, dump(scene.host))
    assert scene.daemon.call("show") == {"bridges": []}


# The system calls with which the daemon changes the host; xbard is killed at the Nth one.
CALLS = "sendmsg,sendto,ioctl,write,rename,unlink,mkdir"
LAST_CALL = 65535  # the largest number that strace accepts: never killed
KILLS = 16  # this many kills, evenly spread; XBAR_KILL_ALL=1: at every call


def traced(scene, op, when):
    """Run `net op` with xbard killed at call number `when`, or after the last; returns how many such calls it made."""
    out = scene.daemon.dir / "trace"
    tracer = subprocess.Popen(
        ["strace", "-f", "-o", out, "-p", str(scene.daemon.process.pid), "-e", f"trace={CALLS}"]
        + ["-e", f"inject={CALLS}:signal=SIGKILL:when={when}"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert "attached" in tracer.stderr.readline()
        scene.net(op, "netdev=eth0", *(["bridge=xenbr0"] if op == "start" else []), check=False)
    finally:
        if when < LAST_CALL:
            scene.daemon.kill9()
        tracer.terminate()
        tracer.wait()
        tracer.stderr.close()
    return len(re.findall(rf"^\d+ +({CALLS.replace(',', '|')})\(", out.read_text(), re.MULTILINE))


@pytest.mark.parametrize("op", ["start", "stop"])
def test_a_daemon_killed_within_any_step_leaves_a_state_that_the_next_one_repairs(scene, op):
    scene.configure()
    scene.host.run("sh", "-ec", POLICY)
    scene.settle()
    before = dump(scene.host)
    scene.net("start", "netdev=eth0", "bridge=xenbr0")
    started = dump(scene.host)
    if op == "start":
        scene.net("stop", "netdev=eth0")
    calls = traced(scene, op, LAST_CALL)
    every = 1 if os.environ.get("XBAR_KILL_ALL") else max(1, calls // KILLS)
    print(f"a {op} makes {calls} calls")
    for when in range(1, calls + 1, every):
        scene.net("start" if op == "stop" else "stop", "netdev=eth0", "bridge=xenbr0")
        traced(scene, op, when)
        scene.daemon.start()
        if when // every % 2:
            scene.net("start", "netdev=eth0", "bridge=xenbr0")
            then = dump(scene.host)
            assert [link["ifname"] for link in then["link"]] == [link["ifname"] for link in started["link"]], when
            for key in ("route", "rule", "rule6", "nexthop", "neigh"):
                assert then[key] == started[key], (when, key)
            assert until(lambda: pings(scene.host, "192.0.2.1"), 5), when
        scene.net("stop", "netdev=eth0")
        assert_same(before, dump(scene.host), when)


def test_if_the_daemon_is_killed_the_host_keeps_its_addresses_and_the_next_daemon_reconnects_it(scene):
    scene.configure()
    before = dump(scene.host)
    scene.net("start", "netdev=eth0", "bridge=xenbr0")
    started = addresses(scene.host, "xenbr0")
    scene.daemon.kill9()
    assert addresses(scene.host, "xenbr0") == started
    scene.daemon.start()
    assert until(lambda: pings(scene.host, "192.0.2.1"), 5)  # before the hooks run
    scene.host.run("ip", "addr", "add", "192.0.2.12/24", "dev", "xenbr0")
    scene.net("start", "netdev=eth0", "bridge=xenbr0")
    assert "192.0.2.12/24" in addresses(scene.host, "xenbr0")
    scene.host.run("ip", "addr", "del", "192.0.2.12/24", "dev", "xenbr0")
    scene.net("stop", "bridge=xenbr0")
    assert_same(before, dump(scene.host))


def test_what_was_added_on_the_bridge_moves_back_too(scene):
    scene.configure()
    scene.net("start", "netdev=eth0", "bridge=xenbr0")
    scene.host.run("ip", "addr", "add", "192.0.2.12/24", "dev", "xenbr0")
    scene.host.run("ip", "route", "add", "10.50.0.0/16", "via", "192.0.2.3", "dev", "xenbr0")
    scene.net("stop", "bridge=xenbr0")
    assert "192.0.2.12/24" in addresses(scene.host, "eth0")
    assert scene.host.ip("route", "show", "10.50.0.0/16")[0]["dev"] == "eth0"


def test_if_the_netdev_is_gone_the_hosts_addresses_stay_on_the_bridge(scene):
    scene.configure()
    scene.net("start", "netdev=eth0", "bridge=xenbr0")
    scene.host.run("ip", "link", "del", "peth0")
    failed = scene.net("stop", "bridge=xenbr0", check=False)
    assert failed.returncode == 1 and "netdev eth0 is gone" in failed.stderr
    assert "192.0.2.10/24" in addresses(scene.host, "xenbr0")


def test_a_bridge_with_guests_on_it_is_kept(scene):
    scene.configure()
    before = dump(scene.host)
    scene.net("start", "netdev=eth0", "bridge=xenbr0")
    scene.daemon.call("vif-add", name="vif1.0", bridge="xenbr0")
    scene.net("stop", "bridge=xenbr0")
    assert_same(before, dump(scene.host))
    (bridge,) = scene.daemon.call("show")["bridges"]
    assert (bridge["name"], bridge["interfaces"]) == ("xenbr0", ["vif1.0"])


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["netdev=eth7"], "there is no netdev eth7"),
        (["netdev=eth0", "antispoof=yes"], "antispoof=yes"),
        (["netdev=lo"], "netdev lo is not an Ethernet device"),
        (["netdev=br9"], "netdev br9 is a bridge of the kernel"),
        (["netdev=slave0"], "netdev slave0 is part of br9"),
        (["netdev=eth0", "bridge=br9"], "there is a netdev br9 already (a bridge), which is not xbard's"),
        (["netdev=eth0", "bridge=eth0", "rename=no"], "bridge eth0 cannot have the name of its netdev"),
        (["netdev=eth0", "bridge=xenbr0", "address=10.0.0.1/40"], '"10.0.0.1/40" is not an address'),
        (["netdev=eth1"], "eth1 cannot be renamed to peth1: there is a netdev of that name"),
        (["netdev=dummy0"], "which bridge should dummy0 be behind?"),
        (["netdev=longest-name123", "rename=yes", "bridge=xenbr0"], "longer than 15 characters"),
        ([], "there is no default route"),
        (["netdev=eth9", "wait=1"], "there is no netdev eth9"),
    ],
)
def test_a_refused_start_says_why_and_changes_nothing(scene, words, sentence):
    scene.host.run(
        "sh", "-ec", "ip link add br9 type bridge; ip link add slave0 type veth peer name slave1;"
        "ip link set slave0 master br9; ip link add eth1 type veth peer name peth1"
    )
    before = dump(scene.host)
    failed = scene.net("start", *words, check=False)
    assert failed.returncode == 1 and sentence in failed.stderr
    assert failed.stderr.count("\n") == 1
    assert_same(before, dump(scene.host))


def test_a_netdev_can_be_behind_only_one_bridge(scene):
    scene.net("start", "netdev=eth0", "bridge=xenbr0")
    for words, sentence in (
        (["netdev=eth0", "bridge=xenbr5"], "netdev eth0 is behind bridge xenbr0 already"),
        (["netdev=eth1", "bridge=xenbr0"], "bridge xenbr0 has netdev eth0 behind it, not eth1"),
        (["netdev=xenbr0", "bridge=xenbr5"], "xenbr0 is itself a bridge of the switch"),
    ):
        failed = scene.net("start", *words, check=False)
        assert failed.returncode == 1 and sentence in failed.stderr


def test_a_netdev_that_appears_late_is_waited_for(scene):
    def come():
        time.sleep(0.5)
        scene.host.run("ip", "link", "add", "eth5", "type", "veth", "peer", "name", "late")

    thread = threading.Thread(target=come)
    thread.start()
    said = scene.net("start", "netdev=eth5", "wait=20").stdout
    thread.join()
    assert "xenbr5 has taken over eth5" in said


# ---- names, private bridges --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, bridge, uplink",
    [
        ([], "xenbr0", "peth0"),
        (["vifnum=0"], "xenbr0", "peth0"),
        (["netdev=eth0", "vifnum=3"], "xenbr3", "peth0"),
        (["netdev=eth0", "bridge=eth0"], "eth0", "peth0"),  # as Xen 4.x named it
        (["netdev=enp3s0"], "xenbr0", "enp3s0"),
    ],
)
def test_default_names_are_those_of_the_classic_scripts(scene, words, bridge, uplink):
    scene.host.run("ip", "link", "add", "enp3s0", "type", "veth", "peer", "name", "far")
    scene.host.run("ip", "link", "set", "far", "up")
    scene.host.run("ip", "link", "set", "enp3s0", "up")
    scene.configure()
    before = dump(scene.host)
    scene.net("start", *words)
    (record,) = scene.daemon.call("net-status")
    assert (record["bridge"], record["uplink"], record["done"]) == (bridge, uplink, True)
    assert scene.net("start", *words).stdout.endswith(f"is behind {bridge} already\n")
    scene.net("stop")
    assert_same(before, dump(scene.host))


INTERFACES = """
auto lo
iface lo inet loopback
source more/*
iface xenbr7 inet manual
# iface dummy0 inet static
iface dummy0 inet static
    address 172.16.16.1
    netmask 255.255.255.0
iface xenbr1 inet6 static
    address 2001:db8:16::1/64
"""


@pytest.mark.parametrize(
    "interfaces, words, expected",
    [
        (INTERFACES, [], ["172.16.16.1/24", "2001:db8:16::1/64"]),
        (INTERFACES, ["address=10.5.0.1/16,10.6.0.1/16"], ["10.5.0.1/16", "10.6.0.1/16"]),
        ("", [], []),
        ("iface xenbr1 inet static\n address 10.7.0.1\\\n/24\n", [], ["10.7.0.1/24"]),
        ("iface xenbr1 inet static\n address 10.7.0.1\n", [], ["10.7.0.1/8"]),
        ("iface xenbr1 inet static\n netmask 30\n address 10.7.0.1\niface xenbr1 inet static\n address 10.8.0.1/16\n", [],
         ["10.7.0.1/30", "10.8.0.1/16"]),
        ("iface base inet static\n address 10.7.0.1/24\niface xenbr1 inet static inherits base\n", [], ["10.7.0.1/24"]),
        ("iface xenbr1 inet6 static\n address 2001:db8:7::1\niface xenbr1 inet dhcp\n address 10.7.0.1\n", [],
         ["2001:db8:7::1/64"]),
    ],
)
def test_a_private_bridge_needs_no_dummy(make_netns, make_daemon, monkeypatch, interfaces, words, expected):
    scene = Scene(make_netns, make_daemon)
    path = scene.daemon.dir / "interfaces"
    path.write_text(interfaces)
    monkeypatch.setenv("XBAR_INTERFACES", str(path))
    scene.daemon.start()
    before = dump(scene.host)
    scene.net("start", "netdev=dummy0", "bridge=xenbr1", *words)
    assert addresses(scene.host, "xenbr1") == expected
    assert scene.net("start", "vifnum=1", "netdev=dummy0").stdout == "dummy0 is behind xenbr1 already\n"
    scene.net("stop", "vifnum=1")
    assert_same(before, dump(scene.host))


@pytest.fixture
def private(make_netns, make_daemon, monkeypatch):
    """A scene of which /etc/network/interfaces is .interfaces; the daemon is not started."""
    scene = Scene(make_netns, make_daemon)
    scene.interfaces = scene.daemon.dir / "interfaces"
    monkeypatch.setenv("XBAR_INTERFACES", str(scene.interfaces))
    return scene


@pytest.mark.parametrize(
    "stanza, sentence",
    [
        ("iface xenbr1 inet static\n address 10.0.0\n", 'interface xenbr1 has address "10.0.0"'),
        ("iface xenbr1 inet static\n address 10.0.0.1/33\n", 'interface xenbr1 has address "10.0.0.1"'),
        ("iface xenbr1 inet static\n address 10.0.0.1\n netmask 255.0.255.0\n", 'with netmask "255.0.255.0", which is not valid'),
        ("iface xenbr1 inet static\n bogus\n", "interfaces:2: option with empty value"),
    ],
)
def test_a_bad_interfaces_file_is_named(private, stanza, sentence):
    private.interfaces.write_text(stanza)
    private.daemon.start()
    failed = private.net("start", "netdev=dummy0", "bridge=xenbr1", check=False)
    assert failed.returncode == 1 and str(private.interfaces) in failed.stderr and sentence in failed.stderr
    assert private.daemon.call("show") == {"bridges": []}


def start_with_ifquery(scene, monkeypatch, script=None):
    """Start the daemon with a PATH on which ifquery is `script`, or is missing."""
    path = scene.daemon.dir / "path"
    path.mkdir()
    (path / "ip").symlink_to(shutil.which("ip"))
    if script:
        (path / "ifquery").write_text(script)
        (path / "ifquery").chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(path))
        scene.daemon.start()


def test_without_ifquery_a_private_bridge_starts_and_says_that_it_has_no_address(private, monkeypatch):
    private.interfaces.write_text(INTERFACES)
    start_with_ifquery(private, monkeypatch)
    said = private.net("start", "netdev=dummy0", "bridge=xenbr1")
    assert "no address" in said.stdout
    assert f"warning: {private.interfaces} was not read: there is no ifquery" in said.stderr
    assert addresses(private.host, "xenbr1") == []
    private.net("stop", "bridge=xenbr1")
    said = private.net("start", "netdev=dummy0", "bridge=xenbr1", "address=10.5.0.1/16")
    assert said.stderr == "" and addresses(private.host, "xenbr1") == ["10.5.0.1/16"]


def test_an_ifquery_that_hangs_is_ended(private, monkeypatch):
    private.interfaces.write_text(INTERFACES)
    start_with_ifquery(private, monkeypatch, "#!/bin/sh\nexec /bin/sleep 60\n")
    before = time.monotonic()
    failed = private.net("start", "netdev=dummy0", "bridge=xenbr1", check=False)
    assert failed.returncode == 1 and "ifquery did not end within 2000 ms" in failed.stderr
    assert time.monotonic() - before < 10
    assert private.daemon.call("show") == {"bridges": []}


# `ifquery -i FILE xenbr1` of ifupdown-ng 0.11.4~rc1-1+b2, from three stanzas of ifupdown's; from one with netmask 300.0.0.0
IFUPDOWN_NG = """auto xenbr1
iface xenbr1
  use link
  use static
  address 172.16.16.1/24
  gateway 172.16.16.9
  address 10.1.0.1/16
  address 2001:db8::1/64

"""
IFUPDOWN_NG_ODD = "iface xenbr1\n  use link\n  use static\n  address 10.9.9.9\n\n"


def test_ifquery_may_be_that_of_ifupdown_ng(private, monkeypatch):
    private.interfaces.write_text(INTERFACES)
    output = private.daemon.dir / "output"
    output.write_text(IFUPDOWN_NG)
    unknown = '{ echo "ifquery: unknown interface $3" >&2; exit 1; }'
    start_with_ifquery(private, monkeypatch, f"#!/bin/sh\n[ $3 = xenbr1 ] || {unknown}\nexec /bin/cat {output}\n")
    private.net("start", "netdev=dummy0", "bridge=xenbr1")
    assert addresses(private.host, "xenbr1") == ["172.16.16.1/24", "10.1.0.1/16", "2001:db8::1/64"]
    private.net("stop", "bridge=xenbr1")
    output.write_text(IFUPDOWN_NG_ODD)
    failed = private.net("start", "netdev=dummy0", "bridge=xenbr1", check=False)
    assert failed.returncode == 1 and 'interface xenbr1 has address "10.9.9.9", which is not a valid' in failed.stderr


def test_an_existing_dummy_gives_its_addresses_and_gets_them_back(scene):
    scene.host.run(
        "sh", "-ec", "ip link add dummy0 type veth peer name dummypeer; ip link set dummy0 up; ip link set dummypeer up;"
        "ip addr add 172.16.16.1/24 dev dummy0; ip route add 172.17.0.0/16 via 172.16.16.9"
    )
    until(lambda: "tentative" not in scene.host.run("ip", "-6", "addr").stdout)
    before = dump(scene.host)
    scene.net("start", "netdev=dummy0", "bridge=xenbr1")
    assert addresses(scene.host, "xenbr1") == ["172.16.16.1/24"]
    assert addresses(scene.host, "dummy0") == []
    assert scene.host.ip("route", "show", "172.17.0.0/16")[0]["dev"] == "xenbr1"
    scene.net("stop", "bridge=xenbr1")
    assert_same(before, dump(scene.host))


@pytest.mark.parametrize("dummy", ["down", "up", "down; ip addr add 10.5.0.1/24 dev dummy0"])
def test_a_dummy_gets_back_only_what_it_had_and_the_next_start_is_like_the_first(
    make_netns, make_daemon, monkeypatch, dummy
):
    """Addresses from /etc/network/interfaces belong to the bridge only; a netdev that is down has no routes to take over."""
    scene = Scene(make_netns, make_daemon)
    path = scene.daemon.dir / "interfaces"
    path.write_text(INTERFACES)
    monkeypatch.setenv("XBAR_INTERFACES", str(path))
    scene.daemon.start()
    scene.host.run(
        "sh", "-ec", "ip link add dummy0 type veth peer name dummypeer; ip link set dummypeer up; ip link set dummy0 " + dummy
    )
    scene.settle()
    before, first = dump(scene.host), None
    network = "10.5.0.0/24" if "10.5" in dummy else "172.16.16.0/24"
    for _ in range(2):
        scene.net("start", "netdev=dummy0", "bridge=xenbr1")
        got = addresses(scene.host, "xenbr1"), scene.host.ip("-4", "route", "show", "table", "all")
        assert [r["dev"] for r in got[1] if r["dst"] == network] == ["xenbr1"]
        first = first or got
        assert got == first
        if dummy != "up":  # not possible on a netdev that is down
            scene.host.run("ip", "route", "add", "10.8.0.0/16", "via", network.replace("0/24", "9"))
        scene.net("stop", "bridge=xenbr1")
        assert_same(before, dump(scene.host))


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["frob"], "usage: xbar net"),
        (["start", "netdv=eth0"], '"netdv" is not a key; did you mean netdev?'),
        (["start", "eth0"], '"eth0" is not of the form KEY=VALUE'),
        (["start", "vifnum=x"], "that is not a number"),
        (["start", "rename=maybe"], "say yes or no"),
        (["start", "netdev=eth0", "netdev=eth1"], "netdev is given twice"),
    ],
)
def test_invalid_values_are_reported(scene, words, sentence):
    failed = scene.daemon.xbar("net", *words, check=False)
    assert failed.returncode == 2 and sentence in failed.stderr


def test_a_damaged_record_is_named_and_not_touched(scene):
    record = scene.daemon.rundir / "net" / "xenbr0.json"
    record.parent.mkdir(mode=0o700)
    record.write_text('{"version": 1}\n')
    scene.daemon.kill9()
    scene.daemon.start()
    failed = scene.net("start", "netdev=eth0", "bridge=xenbr0", check=False)
    assert failed.returncode == 1 and "net/xenbr0.json" in failed.stderr and "give that back by hand" in failed.stderr
    assert "error: " in scene.net("status").stdout
    record.unlink()  # given up
    assert scene.net("status").stdout == "no netdev of the host is behind a bridge\n"
    scene.net("start", "netdev=eth0", "bridge=xenbr0")
