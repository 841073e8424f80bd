# SPDX-License-Identifier: BSD-3-Clause
"""Vifs with several queues: xbard with two workers, and guests with two CPUs, whose netfront asks for one queue per CPU."""

import pytest
from conftest import PRIVATE, PUBLIC, until

TWO = "--config /etc/xbar/two.conf"
KILL = "kill -9 $(cat /run/xbard.pid); sleep 1"


def leave(host):
    host.run("xl destroy guest1 & xl destroy guest2 & wait; xbar stop", 240, check=False)


@pytest.fixture(scope="module")
def two(host):
    """guest1 and guest2, recreated with two CPUs each."""
    leave(host)
    host.write("/etc/xbar/two.conf", "workers = 2\n")
    host.run(f"xbard-up {TWO}", 180)
    create = "sed 's/^vcpus.*/vcpus = 2/' /etc/xen/{0}.cfg >/etc/xen/{0}-two.cfg; xl create /etc/xen/{0}-two.cfg"
    for made in [host.background(create.format(name)) for name in PRIVATE]:
        assert made.wait(240) == 0, made.stdout.read()
    for name in PRIVATE:
        host.answers(PRIVATE[name])
        host.answers(PUBLIC[name])
    yield host
    leave(host)


def moved(dom0, name, ways):
    """Frames moved by each queue of a guest's private vif since it connected."""
    port = dom0.port(name, 1)
    assert port["connected"] and len(port["per_queue"]) == port["queues"]
    return [queue[f"{way}_frames"] for queue in port["per_queue"] for way in ways]


def streams_use_all_queues(dom0, ways=("rx", "tx")):
    """The sender's hash chooses a stream's queue: run four streams at a time until every queue was used."""
    before = {name: moved(dom0, name, ways) for name in PRIVATE}

    def all_grow():
        for options in ("-n 2M -P 4", "-n 2M -P 4 -p 5202 -R"):
            dom0.iperf(PRIVATE["guest2"], options, guest="guest1")
        after = {name: moved(dom0, name, ways) for name in PRIVATE}
        return all(new > old + 20 for name in PRIVATE for new, old in zip(after[name], before[name]))

    until(all_grow, 120)


def test_netfront_gets_a_queue_for_each_cpu(two):
    for name in PRIVATE:
        for device in (0, 1):
            front = f"/local/domain/{two.domid(name)}/device/vif/{device}"
            assert two.out(f"xenstore-read {front}/multi-queue-num-queues") == "2"
            channels = two.out(f"for q in 0 1; do for w in tx rx; do xenstore-read {front}/queue-$q/event-channel-$w; done; done")
            assert len(set(channels.split())) == 4
            port = two.port(name, device)
            assert port["connected"] and port["queues"] == 2
    assert "queue 1" in two.out(f"xbar stats {two.vif('guest1', 1)}")


def test_streams_run_both_ways_over_both_queues(two):
    streams_use_all_queues(two)
    for name in PRIVATE:
        assert two.netfront_errors(name) == ""


def test_both_queues_survive_a_kill_of_xbard(two):
    stream = two.background(f"guest -t 60 guest1 'iperf3 -t 10 -P 4 -c {PRIVATE['guest2']}'")
    until(lambda: two.port("guest1", 1)["rx"]["gso_frames"] > 100)
    two.run(f"{KILL}; xbard-up {TWO}", 180)
    assert stream.wait(90) == 0, stream.stdout.read()
    streams_use_all_queues(two)
    for name in PRIVATE:
        assert two.port(name, 1)["bridge"] == "xenbr1"
        assert two.netfront_errors(name) == ""


def test_a_nic_with_two_queues_is_attached_and_detached_under_traffic(two):
    mac = "00:16:3e:00:00:77"
    traffic = two.background(f"iperf3 -t 10 -P 4 -c {PRIVATE['guest1']}")
    two.run(f"xl network-attach guest1 mac={mac} bridge=xenbr1 vifname=extra0", 180)
    two.guest("guest1", "ip addr add 172.16.16.99/24 dev eth2; ip link set eth2 up; ping -c 2 -I eth2 172.16.16.1")
    assert two.stats("extra0")["queues"] == 2
    two.run(f"xl network-detach guest1 {mac}", 180)
    until(lambda: "extra0" not in two.ports())
    assert traffic.wait(60) == 0, traffic.stdout.read()


def test_a_single_worker_serves_both_queues(two):
    two.run(f"{KILL}; xbard-up", 180)
    for name in PRIVATE:
        assert two.port(name, 1)["queues"] == 2
    streams_use_all_queues(two)


def test_a_guest_with_one_queue_and_a_guest_with_two_reach_each_other(two):
    two.run("xl destroy guest2", 240)
    two.create("guest2")
    two.guest("guest1", "ip neigh flush dev eth1")  # the address has moved to another MAC
    assert two.port("guest2", 1)["queues"] == 1
    assert two.port("guest1", 1)["queues"] == 2
    streams_use_all_queues(two, ["rx"])  # what one queue sends, one queue receives
