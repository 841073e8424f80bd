# SPDX-License-Identifier: BSD-3-Clause
"""Xen guests with their kernel's netfront, and xbard in place of the kernel's netback: frames, xl commands, and xbard itself."""

import time

import pytest
from conftest import PRIVATE, PUBLIC, until

BEYOND = "203.0.113.1"


# ---- frames


@pytest.mark.parametrize(
    "guest, address",
    [
        ("guest1", PRIVATE["guest2"]),
        ("guest1", PUBLIC["guest2"]),
        ("guest2", BEYOND),
        (None, PUBLIC["guest1"]),
        (None, PRIVATE["guest2"]),
    ],
    ids=["guest-private", "guest-public", "guest-beyond", "host-public", "host-private"],
)
def test_tcp_runs_both_ways(dom0, guest, address):
    assert dom0.iperf(address, guest=guest) > 0
    assert dom0.iperf(address, "-n 2M -p 5202 -R", guest=guest) > 0


def test_machines_beyond_the_uplink_reach_guests_only_on_the_public_bridge(dom0):
    dom0.answers(PUBLIC["guest1"], beyond=True)
    dom0.run("ip -n beyond route replace 172.16.16.0/24 via 203.0.113.10")
    dom0.run("sysctl -q -w net.ipv4.ip_forward=0")
    assert dom0.run(f"ip netns exec beyond ping -c 2 -W 2 {PRIVATE['guest1']}", check=False).returncode != 0


def test_large_tcp_segments_pass_between_guests_unsegmented(dom0):
    before = dom0.port("guest1", 1)
    dom0.iperf(PRIVATE["guest2"], guest="guest1")
    sender, receiver = dom0.port("guest1", 1), dom0.port("guest2", 1)
    assert sender["rx"]["gso_frames"] > before["rx"]["gso_frames"] + 10
    assert sender["rx"]["longest"] > 30000
    assert receiver["tx"]["gso_frames"] > 10
    assert receiver["tx"]["longest"] > 30000
    assert receiver["software_segments"] == 0


def test_udp_of_every_length_arrives_unharmed(dom0):
    """Lengths around the head that is copied, the page size and the MTU; ping compares each byte that comes back."""
    for size in (0, 1, 17, 70, 86, 100, 127, 128, 129, 1000, 1472, 1473, 4096, 8000):
        text = dom0.out(f"ping -c 1 -W 5 -s {size} {PRIVATE['guest1']} 2>&1")
        assert " 0% packet loss" in text and "wrong data" not in text, f"{size}: {text}"


def test_netfront_reports_no_errors(dom0):
    for name in PRIVATE:
        assert dom0.netfront_errors(name) == ""
        assert dom0.guest(name, "cat /sys/class/net/eth1/statistics/rx_errors").strip() == "0"


# ---- xl commands


def test_a_nic_is_attached_listed_and_detached_under_traffic(dom0):
    mac = "00:16:3e:00:00:77"
    traffic = dom0.background(f"iperf3 -t 20 -c {PRIVATE['guest1']}")
    dom0.run(f"xl network-attach guest1 mac={mac} bridge=xenbr1 vifname=extra0", 180)
    try:
        assert mac in dom0.out("xl network-list guest1")
        assert dom0.ports()["extra0"]["bridge"] == "xenbr1"
        dom0.guest("guest1", "ip addr add 172.16.16.99/24 dev eth2; ip link set eth2 up; ping -c 2 -I eth2 172.16.16.1")
    finally:
        dom0.run(f"xl network-detach guest1 {mac}", 180)
    until(lambda: "extra0" not in dom0.ports())
    assert traffic.wait(60) == 0, traffic.stdout.read()


def test_a_missing_bridge_is_named_in_xls_error(dom0):
    dom0.run("sed 's/^name.*/name=\"lost\"/; s/xenbr0/xenbr9/' /etc/xen/guest1.cfg >/etc/xen/lost.cfg")
    done = dom0.run("xl create /etc/xen/lost.cfg", 240, check=False)
    assert done.returncode != 0
    assert "wants bridge xenbr9, which does not exist (existing bridges: xenbr0, xenbr1)" in done.stderr
    assert dom0.domid("lost") is None
    vifs = [name for name in dom0.ports() if name.startswith("vif")]
    assert sorted(vifs) == sorted(dom0.vif(g, d) for g in PRIVATE for d in (0, 1))


def test_a_paused_guest_delays_no_one_and_resumes(dom0):
    dom0.run("xl pause guest2")
    flood = dom0.background(f"ping -q -f {PRIVATE['guest2']}")
    try:
        assert dom0.iperf(PRIVATE["guest1"]) > 0
        assert dom0.iperf(BEYOND, guest="guest1") > 0
    finally:
        dom0.run("xl unpause guest2")
    dom0.run("killall ping")
    flood.wait(60)
    dom0.answers(PRIVATE["guest2"])
    assert dom0.iperf(PRIVATE["guest2"]) > 0


def test_a_guest_reboots(dom0):
    first = dom0.domid("guest2")
    dom0.guest("guest2", "reboot", seconds=5, check=False)
    until(lambda: dom0.domid("guest2") not in (None, first), 180, 2)
    dom0.answers(PRIVATE["guest2"])
    assert not any(name.startswith(f"vif{first}.") for name in dom0.ports())
    assert dom0.iperf(PRIVATE["guest2"], guest="guest1") > 0


def test_a_guest_is_destroyed_under_traffic(dom0):
    flood = dom0.background(f"ip netns exec beyond ping -q -f -c 20000 {PUBLIC['guest2']}")
    stream = dom0.background(f"iperf3 -t 20 -c {PRIVATE['guest2']}")
    time.sleep(2)
    vifs = [dom0.vif("guest2", n) for n in (0, 1)]
    dom0.run("xl destroy guest2", 240)
    until(lambda: not set(vifs) & set(dom0.ports()))
    assert dom0.iperf(PRIVATE["guest1"]) > 0
    for process in (flood, stream):
        process.kill()
    dom0.run("killall ping iperf3 2>/dev/null; for p in 5201 5202; do ip netns exec beyond iperf3 -s -p $p -D; done")
    assert dom0.run("xl dmesg | grep -c 'gnttab.*pinned' || true").stdout.strip() == "0"


def test_a_guest_is_saved_and_restored(dom0):
    was = float(dom0.guest("guest1", "cat /proc/uptime").split()[0])
    dom0.run("xl save guest1 /root/guest1.save", 180)
    assert dom0.domid("guest1") is None
    dom0.run("xl restore /root/guest1.save && rm /root/guest1.save", 180)
    dom0.answers(PRIVATE["guest1"])
    dom0.answers(PUBLIC["guest1"])
    assert float(dom0.guest("guest1", "cat /proc/uptime").split()[0]) > was
    assert dom0.iperf(PRIVATE["guest2"], guest="guest1") > 0


def test_a_pvh_guest_migrates_live(dom0):
    """This emulated Xen cannot track a PV guest's writes, so it can migrate only guests with hardware assistance."""
    dom0.run(
        "sed 's/^name.*/name=\"pvh\"/; s/ip=203.0.113.12,/mac=00:16:3e:00:00:50,/; s/ip=172.16.16.3,/mac=00:16:3e:00:00:51,/'"
        " /etc/xen/guest2.cfg >/etc/xen/pvh.cfg; printf 'type=\"pvh\"\\ntsc_mode=\"native\"\\n' >>/etc/xen/pvh.cfg"
    )
    dom0.run("xl destroy guest2", 240)
    try:
        dom0.run("xl create /etc/xen/pvh.cfg", 300)
        dom0.answers(PRIVATE["guest2"], 240)
        dom0.guest("guest1", "ip neigh flush dev eth1")  # the address has moved to another MAC
        assert dom0.iperf(PRIVATE["guest2"], guest="guest1") > 0
        first = dom0.domid("pvh")
        dom0.run("xl migrate -s '' pvh 'xl migrate-receive'", 400)
        assert dom0.domid("pvh") not in (None, first)
        dom0.answers(PRIVATE["guest2"])
        assert dom0.iperf(PRIVATE["guest2"], guest="guest1") > 0
    finally:
        dom0.run("xl destroy pvh", 240, check=False)


# ---- xbard itself


def test_connections_survive_a_kill_of_xbard(dom0):
    was = {name: dom0.domid(name) for name in PRIVATE}
    stream = dom0.background(f"guest -t 60 guest1 'iperf3 -t 15 -c {PRIVATE['guest2']}'")
    time.sleep(4)
    dom0.run("kill -9 $(cat /run/xbard.pid); sleep 1; xbard-up", 180)
    assert stream.wait(90) == 0, stream.stdout.read()
    assert was == {name: dom0.domid(name) for name in PRIVATE}
    for name in PRIVATE:
        assert dom0.port(name, 1)["connected"]
        assert dom0.port(name, 1)["bridge"] == "xenbr1"
        assert dom0.netfront_errors(name) == ""


@pytest.mark.parametrize("keep", ["--keep", ""])
def test_xbard_stops_and_starts_again_under_guests(dom0, keep):
    routes = dom0.out("ip route")
    dom0.run(f"xbar stop {keep} && xbard-up", 240)
    assert dom0.out("ip route") == routes
    for name in PRIVATE:
        dom0.answers(PRIVATE[name])
        dom0.answers(PUBLIC[name])


def test_a_guest_that_crashes_leaves_nothing_behind(dom0):
    stream = dom0.background(f"iperf3 -t 20 -c {PRIVATE['guest2']}")
    vifs = [dom0.vif("guest2", n) for n in (0, 1)]
    dom0.guest("guest2", "echo c >/proc/sysrq-trigger", seconds=5, check=False)
    until(lambda: dom0.domid("guest2") is None, 60)  # on_crash="destroy" is xl's default
    until(lambda: not set(vifs) & set(dom0.ports()))
    assert dom0.iperf(PRIVATE["guest1"]) > 0
    stream.kill()
    dom0.run("killall iperf3 2>/dev/null; for p in 5201 5202; do ip netns exec beyond iperf3 -s -p $p -D; done")


def test_a_loaded_netback_is_named_with_the_remedy(host):
    dom0 = host  # without any guests: netback would claim their vifs
    dom0.run("xl destroy guest1; xl destroy guest2; xbar stop", 180)
    try:
        dom0.run("insmod $(find /lib/modules -name 'xen-netback.ko*')")
        dom0.write("/etc/xbar/must.conf", 'xen = "yes"\n')
        done = dom0.run("timeout 30 xbard --config /etc/xbar/must.conf", check=False)
        assert done.returncode not in (0, 124)
        assert "the kernel's xen-netback is loaded" in done.stderr and "rmmod xen-netback" in done.stderr
    finally:
        dom0.run("rmmod xen-netback; xbard-up", 240)
