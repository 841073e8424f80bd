# SPDX-License-Identifier: BSD-3-Clause
"""HVM guests: a device model in dom0 emulates a card for each vif until the guest's own driver takes the vif over."""

import json

import pytest
from conftest import PRIVATE, until

BEYOND = "203.0.113.1"
# Both know that they run under Xen. "late" does not unplug the card, and at first has no driver for the vif; "usual" is
# Linux with its defaults.
HVM = {
    "late": ("203.0.113.13", "172.16.16.4", "60", "xen_emul_unplug=unnecessary xbar.without=xen-netfront"),
    "usual": ("203.0.113.14", "172.16.16.5", "70", ""),
}
CFG = """name = "{name}"
type = "hvm"
memory = 160
vif = [ "model=rtl8139,mac=00:16:3e:00:00:{mac},bridge=xenbr0", "model=rtl8139,mac=00:16:3e:00:01:{mac},bridge=xenbr1" ]
vga = "none"
vnc = 0
usb = 0
tsc_mode = "native"
on_poweroff = "destroy"
on_crash = "destroy"
"""


@pytest.fixture(scope="module")
def hvm(host):
    """Both guests, running: domain numbers by name."""
    host.has_both()
    for name, (public, private, mac, words) in HVM.items():
        host.write(f"/etc/xen/{name}.cfg", CFG.format(name=name, mac=mac))
        host.run(
            f"guest-image {name} {public} {private}; img=/var/lib/xbar/guests/{name}.img;"
            # probing for a bridge that this machine lacks, each probe an exit of the guest, takes twenty seconds
            f" hvm-disk /root/{name}.disk $img 'console=hvc0 quiet pci=noearly {words}' >>/etc/xen/{name}.cfg"
        )
    for create in [host.background(f"xl create /etc/xen/{name}.cfg") for name in HVM]:
        assert create.wait(300) == 0, create.stdout.read()
    for public, private, _, _ in HVM.values():
        host.answers(private, 240)
        host.answers(public, 240)
    yield {name: host.domid(name) for name in HVM}
    host.run("xl destroy late; xl destroy usual", 240, check=False)


def port_of(dom0, bridge, mac):
    """The port on which a MAC address was learned."""
    macs = json.loads(dom0.out(f"xbar fdb show {bridge} --json"))["macs"]
    return [entry["port"] for entry in macs if entry["mac"] == mac]


def test_an_emulated_card_is_on_the_bridge_of_its_vif(dom0, hvm):
    assert "driver: 8139cp" in dom0.guest("late", "ethtool -i eth0")
    before = dom0.ports()
    for device, bridge in enumerate(("xenbr0", "xenbr1")):
        vif = dom0.vif("late", device)
        assert f"{vif}-emu" in dom0.out(f"xbar show {bridge}")
        assert not before[vif]["connected"]
        dom0.guest("guest2", f"ping -c 1 -W 10 {HVM['late'][device]}")
        dom0.out(f"ping -c 1 -W 10 {HVM['late'][device]}")
        assert port_of(dom0, bridge, f"00:16:3e:00:0{device}:60") == [f"{vif}-emu"]
        after = dom0.stats(f"{vif}-emu")
        for way in ("rx", "tx"):
            assert after[way]["frames"] >= before[f"{vif}-emu"][way]["frames"] + 2
    dom0.guest("late", f"ping -c 1 -W 10 {BEYOND}")
    assert dom0.iperf(PRIVATE["guest2"], "-n 200K", guest="late") > 0


def test_an_emulated_card_survives_a_kill_of_xbard(dom0, hvm):
    dom0.run("kill -9 $(cat /run/xbard.pid); sleep 1; xbard-up", 180)
    for device in (0, 1):
        dom0.answers(HVM["late"][device])
        assert f"{dom0.vif('late', device)}-emu" in dom0.ports()


def test_a_driver_that_is_loaded_later_replaces_the_card(dom0, hvm):
    """The MAC address was learned at the card; frames for it must no longer go there."""
    mac, address = "00:16:3e:00:01:60", HVM["late"][1]
    vif = dom0.vif("late", 1)
    dom0.answers(address)
    assert port_of(dom0, "xenbr1", mac) == [f"{vif}-emu"]
    dom0.guest(
        "late",
        "modprobe xen-netfront; ip link set eth1 down; ip addr flush dev eth1;"
        f" for n in /sys/class/net/*; do [ $n = /sys/class/net/eth1 ] || ! grep -q {mac} $n/address || pv=${{n##*/}}; done;"
        f" ip addr add {address}/24 dev $pv; ip link set $pv up",
    )
    until(lambda: dom0.ports()[vif]["connected"])
    assert f"{vif}-emu" not in dom0.ports()
    dom0.answers(address)
    assert port_of(dom0, "xenbr1", mac) == [vif]
    assert dom0.stats(vif)["rx"]["frames"] > 0 and dom0.stats(vif)["tx"]["frames"] > 0


def test_a_guest_that_unplugs_the_card_has_only_its_vif(dom0, hvm):
    assert "driver: vif" in dom0.guest("usual", "ethtool -i eth0")
    ports = dom0.ports()
    for device in (0, 1):
        vif = dom0.vif("usual", device)
        assert ports[vif]["connected"]
        assert f"{vif}-emu" not in ports
        assert dom0.run(f"ip link show {vif}-emu", check=False).returncode != 0
        dom0.guest("guest2", f"ping -c 1 -W 10 {HVM['usual'][device]}")
    assert dom0.iperf(PRIVATE["guest2"], guest="usual") > 0
    assert dom0.netfront_errors("usual") == ""


def test_destroyed_hvm_guests_leave_nothing_behind(dom0, hvm):
    for destroy in [dom0.background(f"xl destroy {name}") for name in hvm]:
        assert destroy.wait(240) == 0, destroy.stdout.read()
    for domid in hvm.values():
        assert not [name for name in dom0.ports() if name.startswith(f"vif{domid}.")]
        assert f"vif{domid}." not in dom0.out("ip -br link")
        assert dom0.run(f"xenstore-exists backend/vif/{domid}", check=False).returncode != 0
    said = [line for line in dom0.log().splitlines() if any(f"vif{domid}." in line for domid in hvm.values())]
    assert not [line for line in said if "error" in line or "warning" in line]
