# SPDX-License-Identifier: BSD-3-Clause
"""Real guests with real kernels: with and without offloads, and with a daemon that is killed while they run."""
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEV = ROOT / "scripts" / "dev"
VIF_BRIDGE = f'#!/bin/sh\nexec "{ROOT}/scripts/vif-bridge" "$@"\n'


def interfaces(last):
    return (
        "auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet static\n"
        f"\taddress 192.0.2.{last}\n\tnetmask 255.255.255.0\n"
    )


class Guests:
    """Guests on bridge br0 of a daemon; guest number N has 192.0.2.N, the host 192.0.2.1."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.started = []
        self.processes = []
        daemon.call("bridge-add", name="br0")
        daemon.netns.run("ip", "addr", "add", "192.0.2.1/24", "dev", "br0")

    @property
    def env(self):
        build = os.environ.get("XBAR_BUILD", ROOT / "build")
        return {**self.daemon.env, "XBAR_RUNDIR": str(self.daemon.rundir), "PATH": f"{build}:{os.environ['PATH']}"}

    def image(self, n):
        path = self.daemon.dir / f"g{n}.img"
        (self.daemon.dir / f"g{n}.interfaces").write_text(interfaces(n))
        subprocess.run([DEV / "mkguest", f"g{n}", self.daemon.dir / f"g{n}.interfaces", path], check=True, timeout=120)
        return path

    def create(self, n, hypervisor):
        kernel = sorted(Path("/boot").glob("vmlinuz-*"))[-1]
        cfg = self.daemon.dir / f"g{n}.cfg"
        cfg.write_text(
            f'name = "g{n}"\nmemory = 192\nkernel = "{kernel}"\nramdisk = "{self.image(n)}"\n'
            "vif = [ 'ip=192.0.2.%d,bridge=br0' ]\n" % n
        )
        argv = self.daemon.netns.argv("xbar", "create", "--hypervisor", hypervisor, cfg)
        done = subprocess.run(argv, env=self.env, text=True, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        self.started.append(n)
        return f"g{n}.0"

    def raw(self, n, **vif):
        """Start a User-Mode Linux guest by hand, on a vif that is created here."""
        socket = self.daemon.call("vif-add", name=f"g{n}.0", bridge="br0", server=True, **vif)["socket"]
        argv = ["linux.uml", "mem=192M", f"initrd={self.image(n)}", f"virtio_uml.device={socket}:1", "con=null"]
        self.processes.append(
            subprocess.Popen(
                self.daemon.netns.argv(*argv),
                stdin=subprocess.DEVNULL,
                stdout=(self.daemon.dir / f"g{n}.log").open("wb"),
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        )
        return f"g{n}.0"

    def run(self, n, command):
        """Run a command in a guest over its console; returns its output."""
        argv = self.daemon.netns.argv(DEV / "guest-run", "-t", "60", f"g{n}", command)
        done = subprocess.run(argv, env=self.env, text=True, capture_output=True, timeout=90, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def await_ping(self, n, seconds=60):
        end = time.monotonic() + seconds
        while self.daemon.netns.run("ping", "-c1", "-W1", f"192.0.2.{n}", check=False).returncode:
            assert time.monotonic() < end, f"guest {n} does not answer"
            time.sleep(0.2)

    def iperf(self, n, *options):
        """Run iperf3 from the host to guest n; returns the bits per second received."""
        for _ in range(20):
            done = self.daemon.netns.run("iperf3", "-J", "-t1", "-c", f"192.0.2.{n}", *options, check=False)
            # with -J it exits with 0 even if the server was not listening again yet
            if done.returncode == 0 and "error" not in (report := json.loads(done.stdout)):
                return report["end"]["sum_received"]["bits_per_second"]
            time.sleep(0.5)
        raise AssertionError(done.stdout + done.stderr)

    def close(self):
        for n in self.started:
            argv = self.daemon.netns.argv("xbar", "destroy", f"g{n}")
            subprocess.run(argv, env=self.env, capture_output=True, timeout=60, check=False)
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


@pytest.fixture
def guests(request, make_daemon):
    daemon = make_daemon(getattr(request, "param", ""), xend="(vif-script vif-bridge)\n", scripts={"vif-bridge": VIF_BRIDGE})
    daemon.start()
    made = Guests(daemon)
    yield made
    made.close()


@pytest.mark.skipif(not shutil.which("linux.uml"), reason="linux.uml is not installed: apt-get install user-mode-linux")
@pytest.mark.parametrize("guests", ["workers = 1", "workers = 2"], indirect=True)
def test_offloads_pass_between_guests_and_are_done_in_software_for_a_guest_without(guests):
    with_offload = guests.create(11, "uml")
    without = guests.raw(12, no_offload=True)
    third = guests.create(13, "uml")
    for n in (11, 12, 13):
        guests.await_ping(n)

    # between two guests with offloads: 64 KiB frames, and nothing done in software
    guests.run(11, "iperf3 -c 192.0.2.13 -t 1")
    sender, receiver = guests.daemon.port(with_offload), guests.daemon.port(third)
    for word in ("csum", "tso4", "guest-csum", "guest-tso4", "mergeable", "event-idx", "version-1"):
        assert word in sender["features"].split()
    assert sender["rx"]["gso_frames"] > 10 and sender["rx"]["longest"] > 30000
    assert receiver["tx"]["gso_frames"] > 10 and receiver["tx"]["longest"] > 30000
    assert receiver["software_segments"] == 0

    # to and from a guest without: complete frames of at most the MTU, and TCP works both ways, with guest and host
    guests.run(11, "iperf3 -c 192.0.2.12 -t 1")
    guests.run(11, "iperf3 -c 192.0.2.12 -t 1 -R")
    assert guests.iperf(12) > 1e6
    assert guests.iperf(12, "-R") > 1e6
    bare = guests.daemon.port(without)
    assert not {"csum", "tso4", "guest-csum", "guest-tso4"} & set(bare["features"].split())
    assert bare["tx"]["longest"] <= 1514 and bare["rx"]["longest"] <= 1514
    assert bare["software_segments"] > 100


@pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="QEMU is not installed: apt-get install qemu-system-x86")
def test_qemu_guests_reconnect_after_the_daemon_is_killed(guests):
    vif = guests.create(21, "qemu")
    guests.await_ping(21, 90)
    booted = float(guests.run(21, "cat /proc/uptime").split()[0])
    guests.daemon.kill9()
    guests.daemon.start()
    guests.await_ping(21, 30)
    assert guests.daemon.port(vif)["connected"]
    assert guests.daemon.port(vif)["bridge"] == "br0"
    assert float(guests.run(21, "cat /proc/uptime").split()[0]) > booted
    assert guests.iperf(21) > 1e6


@pytest.mark.skipif(not shutil.which("linux.uml"), reason="linux.uml is not installed: apt-get install user-mode-linux")
def test_an_idle_switch_with_a_guest_sleeps(guests):
    guests.create(31, "uml")
    guests.await_ping(31)
    time.sleep(1)

    def cpu():
        tasks = Path(f"/proc/{guests.daemon.process.pid}/task").glob("*/schedstat")
        return sum(int(t.read_text().split()[0]) for t in tasks)

    before = cpu()
    time.sleep(3)
    print(f"idle: {(cpu() - before) / 3e9:.2%} of a CPU")
    workers = guests.daemon.call("status")["workers"]
    assert all(w["sleeps"] > 0 for w in workers)
