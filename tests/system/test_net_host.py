# SPDX-License-Identifier: BSD-3-Clause
"""Taking over netdevs that need kernel modules (VLANs, bonds, dummies), and the classic host as a whole.

The machine that runs the tests may lack those modules, so the host is a User-Mode Linux machine whose root is this
machine's own, read-only, through hostfs. This file's tests run in it, with the same programs. Outside, each test asserts
the result of the test of the same name inside.
"""

import functools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from conftest import BUILD, TOP, until
from test_net import Scene, addresses, assert_same, dump, pings

INSIDE = "XBAR_IN_UML" in os.environ
MODULES = "ipv6 8021q bonding dummy tun veth af_packet macvlan"
SECONDS = 500  # ten times what it takes on an idle machine
INIT = """#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root PYTHONDONTWRITEBYTECODE=1 XBAR_IN_UML=1 XBAR_BUILD=/run/build
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir /run/tree /run/build /run/out
mount -t hostfs -o {top} none /run/tree
mount -t hostfs -o {build} none /run/build
mount -t hostfs -o {out} none /run/out
mount -t tmpfs tmp /tmp
mount -t tmpfs modules /lib/modules
ln -s "/usr/lib/uml/modules/$(uname -r)" "/lib/modules/$(uname -r)"
for module in {modules}; do modprobe "$module"; done
ip link set lo up
cd /run/tree
/usr/bin/python3 -m pytest -q -p no:cacheprovider -rP -o junit_logging=system-out --junitxml=/run/out/results.xml {select} \\
	tests/system/test_net_host.py 2>&1 | tee /run/out/log
busybox poweroff -f
"""


# ---- outside -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results():
    """Results of the tests inside: {name: (failure or None, output)}, and the machine's log under ""."""
    out = Path(tempfile.mkdtemp(prefix="xt-uml-", dir="/tmp"))
    init = out / "init"
    init.write_text(
        INIT.format(top=TOP, build=BUILD, out=out, modules=MODULES, select=os.environ.get("XBAR_UML_SELECT", ""))
    )
    init.chmod(0o755)
    argv = ["linux.uml", "mem=512M", "rootfstype=hostfs", "ro", f"init={init}", "con=null", "con0=null,fd:1", "quiet"]
    with (out / "console").open("wb") as console:
        machine = subprocess.Popen(
            [*argv, f"uml_dir={out}/"], stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
        )
    try:
        machine.wait(SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(machine.pid, signal.SIGKILL)
        machine.wait()
    log = "".join((out / name).read_text(errors="replace") for name in ("console", "log") if (out / name).exists())
    found = {"": (None, log)}
    if (out / "results.xml").exists():
        for case in ET.parse(out / "results.xml").iter("testcase"):
            # A test whose clean-up also fails is listed twice.
            bad = [part.text for kind in ("failure", "error") for part in case.findall(kind)]
            bad += filter(None, [found.get(case.get("name"), (None, ""))[0]])
            said = case.findtext("system-out") or ""
            found[case.get("name")] = ("\n".join(bad) or None, f"{case.get('time')} s inside\n{said}")
    shutil.rmtree(out)
    return found


def in_uml(test):
    """Run `test` in the machine."""
    if INSIDE:
        return test

    def outcome(results):
        assert test.__name__ in results, f"not run:\n{results[''][1]}"
        failure, output = results[test.__name__]
        print(output)
        assert failure is None, failure

    functools.update_wrapper(outcome, test)
    del outcome.__wrapped__  # the fixtures are needed only inside
    return outcome


# ---- inside ------------------------------------------------------------------------------------------------------------

VLANS = """
ip link add link eth0 name eth0.100 type vlan id 100 egress-qos-map 1:2 3:4 ingress-qos-map 5:6
ip link set eth0.100 mtu 1400 txqueuelen 77 alias 'the storage' group 9
ip link property add dev eth0.100 altname vlan100alt
echo 1 >/proc/sys/net/ipv4/conf/eth0.100/forwarding
echo 0 >/proc/sys/net/ipv6/conf/eth0.100/accept_ra
ip link add link eth0 name storage address 02:00:00:00:02:00 type vlan id 200 reorder_hdr off loose_binding on
ip link add link eth0.100 name inner type vlan id 7 protocol 802.1ad
ip link add link eth0 name asleep type vlan id 300
for netdev in eth0.100 storage inner; do ip link set $netdev up; done
ip link set asleep down
ip addr add 10.100.0.10/24 dev eth0.100
ip addr add 10.100.0.11/24 dev eth0.100 label eth0.100:1
ip -6 addr add 2001:db8:100::10/64 dev eth0.100 nodad
ip addr add 10.200.0.10/24 dev storage valid_lft 900 preferred_lft 800
ip addr add 10.107.0.10/24 dev inner
ip route add 10.101.0.0/16 via 10.100.0.1 metric 5 table 101
ip route add default via 10.100.0.1 metric 900
ip neigh add 10.100.0.9 lladdr 02:00:00:00:00:09 dev eth0.100 nud permanent
ip rule add prio 2000 iif eth0.100 lookup 101
"""
GATEWAY_VLANS = """
ip link add link gw0 name gw0.100 type vlan id 100
ip link add link gw0 name gw0.200 type vlan id 200
ip link add link gw0.100 name gw.inner type vlan id 7 protocol 802.1ad
for netdev in gw0.100 gw0.200 gw.inner; do ip link set $netdev up; done
ip addr add 10.100.0.1/24 dev gw0.100
ip -6 addr add 2001:db8:100::1/64 dev gw0.100 nodad
ip addr add 10.200.0.1/24 dev gw0.200
ip addr add 10.107.0.1/24 dev gw.inner
"""
BEYOND = ("192.0.2.1", "2001:db8::1", "10.100.0.1", "2001:db8:100::1", "10.200.0.1", "10.107.0.1")


class VlanScene(Scene):
    def configure(self):
        super().configure()
        self.gateway.run("sh", "-ec", GATEWAY_VLANS)
        self.host.run("sh", "-ec", VLANS)
        self.settle()


@pytest.fixture
def vlans(make_netns, make_daemon):
    made = VlanScene(make_netns, make_daemon)
    made.daemon.start()
    made.configure()
    return made


def everything(netns):
    """dump(), and the sysctls of each VLAN netdev."""
    sysctls = netns.run("sh", "-c", "cd /proc/sys/net; grep -s . ipv[46]/*/eth0.100/* ipv[46]/*/storage/*", check=False)
    return {**dump(netns), "sysctl": [line for line in sysctls.stdout.splitlines() if "stable_secret" not in line]}


def assert_back(scene, before, what=everything):
    """Everything is as it was, once the kernel has processed carrier changes in its work queue."""
    end = time.monotonic() + 5
    while what(scene.host) != before and time.monotonic() < end:
        time.sleep(0.2)
    assert_same(before, what(scene.host))


def reaches(scene, *targets):
    for address in targets:
        assert until(lambda: pings(scene.host, address), 5), address


@in_uml
def test_vlan_netdevs_move_to_the_host_port_and_back(vlans):
    before = everything(vlans.host)
    reaches(vlans, *BEYOND)
    said = vlans.net("plan", "netdev=eth0", "bridge=xenbr0").stdout
    assert ", 4 VLAN netdevs from peth0 to xenbr0" in said
    vlans.net("start", "netdev=eth0", "bridge=xenbr0")
    links = {link["ifname"]: link for link in vlans.host.ip("-details", "link", "show")}
    assert [links[name]["link"] for name in ("eth0.100", "storage", "inner")] == ["xenbr0", "xenbr0", "eth0.100"]
    assert addresses(vlans.host, "eth0.100") == ["10.100.0.10/24", "10.100.0.11/24", "2001:db8:100::10/64"]
    reaches(vlans, *BEYOND)
    # The largest frame that fits with its tag.
    assert vlans.host.run("ping", "-c1", "-W2", "-Mdo", "-s1372", "10.100.0.1").returncode == 0
    assert vlans.host.run("ping", "-c1", "-W2", "-Mdo", "-s1472", "10.200.0.1").returncode == 0
    vlans.net("stop", "bridge=xenbr0")
    assert_back(vlans, before)
    reaches(vlans, *BEYOND)


@in_uml
def test_vlan_netdevs_survive_a_kill_at_any_moment(vlans):
    before = everything(vlans.host)
    for op in ("start", "stop"):
        for when in (20, 70, 120):
            vlans.net("start" if op == "stop" else "stop", "netdev=eth0", "bridge=xenbr0")
            killed_at(vlans, op, when / 1000)
            vlans.net("stop", "netdev=eth0")
            assert_back(vlans, before)


def killed_at(scene, op, seconds):
    """Kill -9 this long after `net op` has begun, and start a new daemon."""
    tool = scene.host.popen(BUILD / "xbar", "net", op, "netdev=eth0", "bridge=xenbr0", env=scene.daemon.env, stderr=-1)
    time.sleep(seconds)
    scene.daemon.kill9()
    tool.communicate(timeout=30)
    scene.daemon.start()


@in_uml
def test_changes_to_a_vlan_netdev_move_back_too(vlans):
    vlans.net("start", "netdev=eth0", "bridge=xenbr0")
    vlans.host.run(
        "sh", "-ec", "ip addr add 10.100.0.12/24 dev eth0.100; ip link del inner;"
        "ip link add link xenbr0 name new type vlan id 400; ip link set new up; ip addr add 10.40.0.1/24 dev new"
    )
    vlans.net("stop", "bridge=xenbr0")
    assert "10.100.0.12/24" in addresses(vlans.host, "eth0.100")
    assert "inner" not in vlans.host.links()
    (new,) = vlans.host.ip("link", "show", "dev", "new")
    assert (new["link"], addresses(vlans.host, "new")) == ("eth0", ["10.40.0.1/24"])


@in_uml
def test_what_cannot_be_moved_is_named(vlans):
    vlans.host.run("sh", "-ec", "ip link add link storage name mac0 type macvlan")
    before = everything(vlans.host)
    failed = vlans.net("start", "netdev=eth0", "bridge=xenbr0", check=False)
    assert failed.returncode == 1 and "netdev mac0 (macvlan) is on storage" in failed.stderr
    assert "ip link del mac0" in failed.stderr
    assert_back(vlans, before)


@in_uml
def test_a_bond_and_its_vlan_netdevs_are_taken_over_but_not_its_members(make_netns, make_daemon):
    scene = Scene(make_netns, make_daemon)
    scene.daemon.start()
    scene.host.run(
        "sh", "-ec", "ip link add bond0 type bond mode active-backup miimon 50;"
        "ip link add eth1 type veth peer name far1; ip link set far1 up;"
        "for i in eth0 eth1; do ip link set $i down; ip link set $i master bond0; done; ip link set bond0 up;"
        "ip link property add dev bond0 altname uplink-a;"
        "ip link add link bond0 name bond0.100 type vlan id 100; ip link set bond0.100 up;"
        "ip addr add 192.0.2.10/24 dev bond0; ip route add default via 192.0.2.1; ip addr add 10.100.0.10/24 dev bond0.100"
    )
    scene.gateway.run(
        "sh", "-ec", "ip link add link gw0 name gw0.100 type vlan id 100; ip link set gw0.100 up;"
        "ip addr add 10.100.0.1/24 dev gw0.100"
    )
    scene.settle()
    reaches(scene, "192.0.2.1", "10.100.0.1")
    before = dump(scene.host)
    failed = scene.net("start", "netdev=eth0", check=False)
    assert failed.returncode == 1 and "netdev eth0 is part of bond0: say netdev=bond0" in failed.stderr

    scene.net("start", "netdev=uplink-a")
    (record,) = scene.daemon.call("net-status")
    assert (record["netdev"], record["uplink"], record["bridge"]) == ("bond0", "bond0", "xenbr0")
    assert addresses(scene.host, "xenbr0") == ["192.0.2.10/24"]
    assert "generic-receive-offload: off" in scene.host.run("ethtool", "-k", "eth0").stdout
    reaches(scene, "192.0.2.1", "10.100.0.1")
    scene.net("stop", "netdev=uplink-a")
    assert_back(scene, before, dump)

    scene.net("start", "netdev=bond0.100", "bridge=xenbr7")
    assert addresses(scene.host, "xenbr7") == ["10.100.0.10/24"]
    reaches(scene, "192.0.2.1", "10.100.0.1")
    failed = scene.net("start", "netdev=bond0", check=False)
    assert failed.returncode == 1 and "VLAN netdev bond0.100 of bond0 is behind bridge xenbr7" in failed.stderr
    scene.net("stop", "bridge=xenbr7")
    assert_back(scene, before, dump)


@in_uml
def test_a_gateway_on_a_vlan_netdev_must_answer_again(make_netns, make_daemon):
    scene = Scene(make_netns, make_daemon)
    scene.daemon.start()
    scene.host.run("sh", "-ec", "ip addr add 192.0.2.10/24 dev eth0")
    for netns, netdev, address in ((scene.gateway, "gw0", "203.0.113.1/24"), (scene.host, "eth0", "203.0.113.10/24")):
        netns.run(
            "sh", "-ec", f"ip link add link {netdev} name {netdev}.5 type vlan id 5; ip link set {netdev}.5 up;"
            f"ip addr add {address} dev {netdev}.5"
        )
    scene.host.run("ip", "route", "add", "default", "via", "203.0.113.1")
    scene.settle()
    said = scene.net("start", "netdev=eth0", "bridge=xenbr0")
    assert said.stdout.endswith("; confirmed by 203.0.113.1%eth0.5\n") and said.stderr == ""


def losses(report):
    """From the output of ping -D: the longest time in ms between two answers, and how many are missing."""
    times = [float(t) for t in re.findall(r"^\[([\d.]+)\].* bytes from", report, re.MULTILINE)]
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", report).groups())
    return max(b - a for a, b in zip(times, times[1:])) * 1000, sent - received


@in_uml
def test_the_classic_host_with_public_and_private_bridge_under_traffic(make_netns, make_daemon):
    scene = VlanScene(make_netns, make_daemon)
    scene.daemon.xend_path.write_text(f"(network-script {TOP}/scripts/my_network_script)\n")
    scene.configure()
    scene.host.run(
        "sh", "-ec", "ip link add dummy0 type dummy; ip link set dummy0 up; ip addr add 172.16.16.1/24 dev dummy0;"
        "ip link property add dev eth0 altname enp3s0; ip rule add prio 1001 iif eth0 lookup 100"
    )
    scene.settle()
    before = everything(scene.host)
    server = scene.gateway.popen("iperf3", "-s", "-1", stdout=subprocess.DEVNULL)
    until(lambda: ":5201" in scene.gateway.run("ss", "-lnt").stdout)
    # Longer than start and stop take; both finish by themselves.
    client = scene.host.popen("iperf3", "-c", "192.0.2.1", "-b", "20M", "-t", "14", "-f", "m", stdout=-1, stderr=-2, text=True)
    ping = scene.gateway.popen("ping", "-D", "-i", "0.005", "192.0.2.10", stdout=-1, text=True)
    try:
        scene.daemon.start()
        until(lambda: addresses(scene.host, "xenbr1") == ["172.16.16.1/24"] if "xenbr1" in scene.host.links() else False)
        reaches(scene, *BEYOND)
        assert scene.daemon.port("peth0")["bridge"] == "xenbr0"
        assert addresses(scene.host, "dummy0") == []
        assert {r["dev"] for r in scene.host.ip("route", "show", "default")} == {"xenbr0", "eth0.100"}
        scene.net("stop", "bridge=xenbr1")
        scene.net("stop", "bridge=xenbr0")
        assert_back(scene, before)
        report = client.communicate(timeout=40)[0]
        ping.send_signal(signal.SIGINT)
        gap, lost = losses(ping.communicate(timeout=10)[0])
    finally:
        for process in (client, server, ping):
            process.kill()
            process.wait()
    assert client.returncode == 0 and "receiver" in report, report
    print("\n".join(line for line in scene.daemon.log().splitlines() if "has taken over" in line))
    print(f"ping every 5 ms, through start and stop: {lost} lost, at most {gap:.0f} ms between two answers")
    print(report.splitlines()[-3])
