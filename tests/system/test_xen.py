# SPDX-License-Identifier: BSD-3-Clause
"""The daemon with a real xenstored and a simulated toolstack and frontend: everything except the rings, which need Xen.

tests/xen/no_hypervisor.so, which `make check` builds, lets xenstored run without Xen."""

import glob
import os
import shutil
import subprocess
import tempfile

import pytest
from conftest import BUILD, TOP, until

XENSTORED = (sorted(glob.glob("/usr/lib/xen-*/bin/xenstored")) or [None])[-1]
SHIM = BUILD / "tests/xen/no_hypervisor.so"
SCRIPT = TOP / "scripts/vif-bridge"

pytestmark = pytest.mark.skipif(
    not (XENSTORED and SHIM.exists() and shutil.which("xenstore-write")),
    reason="xenstored (xen-utils), xenstore-utils or no_hypervisor.so (make check) is missing",
)


class Store:
    """xenstore, and what xl and a guest write there."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="xt-store-", dir="/tmp")
        self.env = {**os.environ, "XENSTORED_RUNDIR": self.dir}
        self.process = subprocess.Popen(
            [XENSTORED, "--no-fork", "--output-pid"], env={**self.env, "LD_PRELOAD": str(SHIM)}, stdout=subprocess.PIPE
        )
        assert self.process.stdout.readline()

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def put(self, path, **nodes):
        words = [word for name, value in nodes.items() for word in (f"{path}/{name.replace('_', '-')}", str(value))]
        subprocess.run(["xenstore-write", *words], env=self.env, check=True, timeout=20)

    def get(self, path):
        done = subprocess.run(["xenstore-read", path], env=self.env, text=True, capture_output=True, check=False, timeout=20)
        return done.stdout.strip() if done.returncode == 0 else None

    def drop(self, *paths):
        subprocess.run(["xenstore-rm", *paths], env=self.env, check=True, timeout=20)

    def create_vif(self, domid, devid, bridge="xenbr0", **more):
        """As libxl does, which then waits for our InitWait. xenstore-write writes all nodes or none."""
        back, front = f"backend/vif/{domid}/{devid}", f"/local/domain/{domid}/device/vif/{devid}"
        self.put(f"/local/domain/{domid}", name=f"guest{domid}")
        self.put(front, state=1, backend=f"/local/domain/0/{back}", backend_id=0, handle=devid)
        self.put(back, frontend=front, frontend_id=domid, online=1, script=SCRIPT, mac=f"00:16:3e:00:00:{domid:02x}",
                 bridge=bridge, handle=devid, hotplug_status="", **more, state=1)  # fmt: skip
        until(lambda: self.get(f"{back}/state") == "2")
        return back

    def remove_vif(self, domid, devid):
        """As `xl network-detach` does if the guest's driver has not connected."""
        back = f"backend/vif/{domid}/{devid}"
        self.put(back, online=0, state=5)
        until(lambda: self.get(f"{back}/state") == "6")
        self.drop(back)

    def script(self, daemon, domid, devid, word, type_if="vif"):
        """Run what libxl runs on InitWait."""
        env = {**daemon.env, "XENBUS_PATH": f"backend/vif/{domid}/{devid}", "XENBUS_TYPE": "vif", "vif": f"vif{domid}.{devid}",
               "INTERFACE": f"vif{domid}.{devid}-emu", "PATH": f"{BUILD}:{os.environ['PATH']}", "XEN_LOCK_DIR": self.dir, "XEN_HOTPLUG_LOG": f"{self.dir}/hotplug.log"}  # fmt: skip
        return subprocess.run(daemon.netns.argv(SCRIPT, word, f"type_if={type_if}"), env=env, text=True, capture_output=True, timeout=60)


@pytest.fixture
def store(monkeypatch):
    store = Store()
    monkeypatch.setenv("XENSTORED_RUNDIR", store.dir)
    yield store
    store.close()


@pytest.fixture
def xen(store, make_daemon):
    daemon = make_daemon(conf='xen = "yes"').start()
    daemon.xbar("bridge", "add", "xenbr0")
    return daemon


def names(daemon):
    return [vif["name"] for vif in daemon.call("vif-list")["vifs"]]


def ports_of(daemon):
    return [port["name"] for port in daemon.call("stats")["ports"]]


def test_a_vif_is_created_joined_by_its_script_and_removed(xen, store):
    back = store.create_vif(3, 0, rate="62500,50000", ip="192.0.2.9", mtu=9000)
    done = store.script(xen, 3, 0, "online")
    assert done.returncode == 0, done.stderr
    assert store.get(f"{back}/hotplug-status") == "connected"
    (vif,) = xen.call("vif-list")["vifs"]
    assert (vif["name"], vif["kind"], vif["domid"], vif["guest"]) == ("vif3.0", "netif", 3, "guest3")
    assert (vif["bridge"], vif["ip"], vif["mac"], vif["socket"]) == ("xenbr0", "192.0.2.9", "00:16:3e:00:00:03", None)
    port = xen.port("vif3.0")
    assert (port["kind"], port["bridge"], port["mtu"], port["detail"]) == ("netif", "xenbr0", 9000, "Xen domain 3")
    assert not port["connected"]
    assert "Xen domain 3" in xen.xbar("vif", "list").stdout
    assert "vif3.0" in xen.xbar("show").stdout
    store.script(xen, 3, 0, "offline")
    store.remove_vif(3, 0)
    until(lambda: not names(xen))
    assert xen.process.poll() is None


def test_only_xl_can_remove_a_xen_vif(xen, store):
    store.create_vif(3, 1)
    until(lambda: names(xen))
    assert "xl network-detach 3 1" in xen.error("vif-del", name="vif3.1")


def test_a_vif_with_vlan_is_refused_through_its_script(xen, store):
    back = store.create_vif(3, 0, vlan="10")
    done = store.script(xen, 3, 0, "online")
    assert done.returncode == 1
    assert store.get(f"{back}/hotplug-status") == "error"
    assert store.get(f"{back}/hotplug-error").startswith("vlan=10: this switch has no VLANs yet")
    assert names(xen) == []


def test_after_a_kill_vifs_are_back_on_their_bridges(xen, store):
    for domid in (3, 4):
        store.create_vif(domid, 0)
        assert store.script(xen, domid, 0, "online").returncode == 0
    xen.kill9()
    store.drop("backend/vif/4/0")
    xen.start()
    assert xen.port("vif3.0")["bridge"] == "xenbr0"
    assert names(xen) == ["vif3.0"]
    store.create_vif(5, 0)
    until(lambda: "vif5.0" in names(xen))


def test_a_daemon_with_more_workers_keeps_vifs_on_their_bridges(xen, store):
    back = store.create_vif(3, 0)
    assert store.script(xen, 3, 0, "online").returncode == 0
    assert store.get(f"{back}/multi-queue-max-queues") == "1"
    xen.kill9()
    xen.write_conf('xen = "yes"\nworkers = 2\n')
    xen.start()
    assert xen.port("vif3.0")["bridge"] == "xenbr0"
    assert xen.port("vif3.0")["queues"] == 2


def test_a_vif_name_reused_by_a_new_guest_belongs_to_the_new_guest(xen, store):
    store.create_vif(3, 0, vifname="web")
    xen.kill9()
    store.drop("backend/vif/3/0")
    xen.launch()
    store.create_vif(4, 0, vifname="web")
    (vif,) = until(lambda: xen.call("vif-list")["vifs"])
    assert (vif["name"], vif["domid"]) == ("web", 4)


@pytest.fixture
def xen_of_scripts(store, make_daemon):
    """A daemon whose network-script creates xenbr0."""
    daemon = make_daemon(conf=f'xen = "yes"\nscript_dir = "{TOP}/scripts:/tmp"')
    bridges = daemon.script("bridges", '#!/bin/sh\nif [ "$1" = start ]; then xbar bridge add xenbr0; else xbar bridge del xenbr0; fi\n')
    daemon.xend_path.write_text(f"(network-script {bridges})\n")
    return daemon.start()


def create_emulated(xen, store):
    """Create an HVM guest's vif and its device model's tap, both on xenbr0."""
    store.create_vif(3, 0)
    assert store.script(xen, 3, 0, "online").returncode == 0
    xen.netns.run("ip", "tuntap", "add", "vif3.0-emu", "mode", "tap")
    done = store.script(xen, 3, 0, "add", "tap")
    assert done.returncode == 0, done.stderr
    assert xen.port("vif3.0-emu")["bridge"] == "xenbr0"
    assert "warning" not in xen.log()


def test_after_a_clean_stop_the_script_puts_a_vif_back(xen_of_scripts, store):
    xen = xen_of_scripts
    store.create_vif(3, 0)
    assert store.script(xen, 3, 0, "online").returncode == 0
    assert xen.stop() == 0
    assert store.get("backend/vif/3/0/state") == "2"
    xen.start()
    until(lambda: xen.port("vif3.0")["bridge"] == "xenbr0")


def test_after_a_clean_stop_the_script_puts_an_emulated_card_back(xen_of_scripts, store):
    xen = xen_of_scripts
    create_emulated(xen, store)
    assert xen.stop() == 0
    assert "warning" not in xen.log() and "error" not in xen.log()
    xen.start()
    until(lambda: xen.port("vif3.0")["bridge"] == "xenbr0")
    until(lambda: "vif3.0-emu" in ports_of(xen))
    assert xen.port("vif3.0-emu")["bridge"] == "xenbr0"


def test_the_port_of_an_emulated_card_that_is_gone_is_removed(xen, store):
    create_emulated(xen, store)
    xen.netns.run("ip", "link", "del", "vif3.0-emu")
    until(lambda: "vif3.0-emu" not in ports_of(xen))
    assert xen.port("vif3.0")["bridge"] == "xenbr0"
    assert "error" not in xen.log() and "warning" not in xen.log()


def test_a_vif_removed_while_its_script_runs_is_not_reported_as_on_no_bridge(store, make_daemon):
    xen = make_daemon(conf='xen = "yes"')
    going, gone = f"{store.dir}/going", f"{store.dir}/gone"
    script = xen.script("slow", f'#!/bin/sh\n: >{going}\nwhile ! [ -e {gone} ]; do sleep 0.1; done\nxbar port join "$vif" xenbr0\n')
    xen.start()
    xen.xbar("bridge", "add", "xenbr0")
    back = store.create_vif(3, 0)
    assert store.script(xen, 3, 0, "online").returncode == 0
    store.put(back, script=script)
    assert xen.stop() == 0
    xen.start()
    until(lambda: os.path.exists(going))
    store.drop(back)
    until(lambda: not names(xen))
    open(gone, "w").close()
    until(lambda: "vif vif3.0: went while its script ran" in xen.log())
    assert "is on no bridge" not in xen.log()


def test_a_frontend_whose_rings_cannot_be_mapped_is_told_so_and_no_one_else_notices(xen, store):
    store.create_vif(3, 0)
    store.script(xen, 3, 0, "online")
    front = "/local/domain/3/device/vif/0"
    store.put(front, tx_ring_ref=8, rx_ring_ref=9, event_channel=3, request_rx_copy=1)
    store.put(front, state=4)
    until(lambda: store.get("backend/vif/3/0/state") == "5")
    assert store.get("error/backend/vif/3/0/error")
    assert "vif3.0" in names(xen)
    store.create_vif(4, 0)
    assert store.script(xen, 4, 0, "online").returncode == 0


def test_without_xenstore_yes_is_an_error_and_auto_is_not(make_daemon, monkeypatch, tmp_path):
    monkeypatch.setenv("XENSTORED_RUNDIR", str(tmp_path))
    done = make_daemon(conf='xen = "yes"').fails()
    assert done.returncode == 1
    assert "cannot serve Xen guests: xenstored does not answer" in done.stderr
    daemon = make_daemon().start()
    assert "Xen" not in daemon.log()


def test_a_loaded_kernel_backend_is_named_with_the_remedy(store, make_daemon):
    loaded = ["sh", "-c", 'mount -t tmpfs none /sys/module && mkdir -p /sys/module/xen_netback && : >/sys/module/xen_netback/initstate && exec "$@"', "sh"]  # fmt: skip
    done = make_daemon(conf='xen = "yes"').fails(prefix=["unshare", "-m", *loaded])
    assert done.returncode == 1
    assert "rmmod xen-netback" in done.stderr


def test_the_script_names_a_vif_that_the_kernel_has_claimed(xen, store):
    store.put("backend/vif/9/0", bridge="xenbr0")
    xen.netns.run("ip", "link", "add", "vif9.0", "type", "veth", "peer", "name", "guest9")
    done = store.script(xen, 9, 0, "online")
    assert done.returncode == 1
    assert "the kernel serves vif9.0" in store.get("backend/vif/9/0/hotplug-error")
    assert "rmmod xen-netback" in done.stderr


def test_invalid_values_are_refused_and_named(xen, store):
    for devid, (node, value) in enumerate({"mtu": "20", "rate": "fast", "mac": "ff:ff:ff:ff:ff:ff", "vifname": "a b"}.items()):
        back = f"backend/vif/3/{devid}"
        store.put(back, **{node: value})
        store.put(back, bridge="xenbr0", script=SCRIPT, frontend=f"/local/domain/3/device/vif/{devid}", frontend_id=3, state=1)
        until(lambda back=back: store.get(f"{back}/state") == "2")
        assert node in store.get(f"error/{back}/error")
        assert store.script(xen, 3, devid, "online").returncode == 1
        assert store.get(f"{back}/hotplug-error") == store.get(f"error/{back}/error")
    assert names(xen) == []
