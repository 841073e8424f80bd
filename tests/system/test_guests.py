# SPDX-License-Identifier: BSD-3-Clause
"""Real guests with real kernels: with and without offloads, confined, and with a daemon that is killed while they run."""
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import until

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
        self.path = f"{os.environ.get('XBAR_BUILD', ROOT / 'build')}:{os.environ['PATH']}"
        daemon.call("bridge-add", name="br0")
        daemon.netns.run("ip", "addr", "add", "192.0.2.1/24", "dev", "br0")

    @property
    def env(self):
        return {**self.daemon.env, "XBAR_RUNDIR": str(self.daemon.rundir), "PATH": self.path}

    def image(self, n):
        path = self.daemon.dir / f"g{n}.img"
        (self.daemon.dir / f"g{n}.interfaces").write_text(interfaces(n))
        subprocess.run([DEV / "mkguest", f"g{n}", self.daemon.dir / f"g{n}.interfaces", path], check=True, timeout=300)
        return path

    def qemu_options(self, options):
        """From now on QEMU is started with more options than `xbar create` gives it."""
        bin = self.daemon.dir / "bin"
        bin.mkdir()
        (bin / "qemu-system-x86_64").write_text(f'#!/bin/sh\nexec {shutil.which("qemu-system-x86_64")} "$@" {options}\n')
        (bin / "qemu-system-x86_64").chmod(0o755)
        self.path = f"{bin}:{self.path}"

    def xbar(self, *args, **kwargs):
        argv = self.daemon.netns.argv("xbar", *args)
        return subprocess.run(argv, env=self.env, text=True, capture_output=True, timeout=120, check=False, **kwargs)

    def cfg(self, n):
        kernel = sorted(Path("/boot").glob("vmlinuz-*"))[-1]
        cfg = self.daemon.dir / f"g{n}.cfg"
        cfg.write_text(
            f'name = "g{n}"\nmemory = 192\nkernel = "{kernel}"\nramdisk = "{self.image(n)}"\n'
            "vif = [ 'ip=192.0.2.%d,bridge=br0' ]\n" % n
        )
        return cfg

    def create(self, n, hypervisor, *options):
        done = self.xbar("create", "--hypervisor", hypervisor, *options, self.cfg(n))
        assert done.returncode == 0, done.stderr
        self.started.append(n)
        return f"g{n}.0"

    def raw(self, n, **vif):
        """Start a User-Mode Linux guest by hand, on a vif that is created here."""
        socket = self.daemon.call("vif-add", name=f"g{n}.0", bridge="br0", server=True, **vif)["socket"]
        argv = ["linux.uml", "mem=192M", f"initrd={self.image(n)}", f"virtio_uml.device={socket}:1", "con=null"]
        argv.append("pty.legacy_count=0")
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

    def await_ping(self, n, seconds=120):
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
            self.xbar("destroy", f"g{n}")
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
    # (a guest answers pings before its iperf3 listens)
    guests.run(11, "until iperf3 -c 192.0.2.13 -t 1; do sleep 1; done")
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
    guests.await_ping(21)
    booted = float(guests.run(21, "cat /proc/uptime").split()[0])
    guests.daemon.kill9()
    guests.daemon.start()
    guests.await_ping(21, 30)
    assert guests.daemon.port(vif)["connected"]
    assert guests.daemon.port(vif)["bridge"] == "br0"
    assert float(guests.run(21, "cat /proc/uptime").split()[0]) > booted
    assert guests.iperf(21) > 1e6


@pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="QEMU is not installed: apt-get install qemu-system-x86")
def test_packed_rings_carry_a_linux_guests_traffic_and_outlive_the_daemon(guests):
    split = guests.create(22, "qemu")
    guests.qemu_options("-global virtio-net-pci.packed=on")
    packed = guests.create(23, "qemu", "--unconfined")  # QEMU is a script here
    for n in (22, 23):
        guests.await_ping(n, 120)
    assert "packed" in guests.daemon.port(packed)["features"].split()
    assert "packed" not in guests.daemon.port(split)["features"].split()

    # from either layout to the other, with frames of 64 KiB
    def exchange():
        guests.run(22, "iperf3 -c 192.0.2.23 -t 1")
        guests.run(22, "iperf3 -c 192.0.2.23 -t 1 -R")
        assert guests.iperf(23) > 1e6
        assert guests.iperf(23, "-R") > 1e6

    exchange()
    port = guests.daemon.port(packed)
    assert port["rx"]["longest"] > 10000 and port["tx"]["longest"] > 10000
    # QEMU cannot ask a daemon that was killed where it was, and names the place at which the ring began
    for _ in range(2):
        guests.daemon.kill9()
        guests.daemon.start()
        guests.await_ping(23, 30)
        exchange()
    port = guests.daemon.port(packed)
    assert port["connected"] and "packed" in port["features"].split()
    assert "quarantine" not in port["detail"]


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


NEEDS = {
    "uml": pytest.mark.skipif(not shutil.which("linux.uml"), reason="linux.uml is not installed: apt-get install user-mode-linux"),
    "qemu": pytest.mark.skipif(
        not shutil.which("qemu-system-x86_64"), reason="QEMU is not installed: apt-get install qemu-system-x86"
    ),
}


def status_of(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def processes_of(uid):
    """The processes of a user; those that end meanwhile may be among them."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and path.stat().st_uid == uid:
                found.append(path.name)
        except FileNotFoundError:
            pass
    return found


def namespaces_of(pid):
    return {ns: os.readlink(f"/proc/{pid}/ns/{ns}") for ns in ("mnt", "pid", "ipc", "net", "user", "uts", "cgroup")}


def files_of(pid):
    return [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]


@pytest.mark.parametrize("hypervisor", [pytest.param(name, marks=mark) for name, mark in NEEDS.items()])
def test_a_guest_is_confined_and_its_console_and_shutdown_work(guests, hypervisor):
    n = {"uml": 41, "qemu": 42}[hypervisor]
    guests.create(n, hypervisor)
    guests.await_ping(n)
    directory = guests.daemon.rundir / "guests" / f"g{n}"
    pid = int((directory / "guest.pid").read_text().split()[0])
    uid = Path(f"/proc/{pid}").stat().st_uid
    assert 1879048192 <= uid < 1879048192 + 65536

    record = json.loads((directory / "guest.json").read_text())
    assert record["confined"] is True and record["uid"] == uid

    # bubblewrap stays outside; all other processes are inside
    seen = 0
    for p in processes_of(uid):
        if int(p) == pid:
            continue
        try:
            status, namespaces, files = status_of(p), namespaces_of(p), files_of(p)
        except (FileNotFoundError, ProcessLookupError):
            continue  # one of the guest's own processes has ended
        seen += 1
        assert set(status["Uid"].split()) == {str(uid)} and not status["Groups"].split()
        assert not any(int(status[kind], 16) for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"))
        assert status["NoNewPrivs"] == "1"
        # its terminal, its memory, and what has no name in a file system
        assert all(file.startswith(("/dev/", "/memfd:", "socket:", "pipe:", "anon_inode:")) for file in files), files
        if hypervisor == "uml" or status["Name"] != "bwrap":
            assert status["Seccomp"] == "2"
        assert not set(namespaces.values()) & set(namespaces_of("self").values())
    assert seen >= 2
    first = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
    roots = set(os.listdir(f"/proc/{first}/root"))
    assert not roots & {"etc", "home", "root", "boot", "proc", "sys", "var", "srv", "mnt"}
    netdevs = subprocess.run(["nsenter", "-t", first, "-n", "ip", "-json", "link"], check=True, capture_output=True, timeout=30)
    assert [link["ifname"] for link in json.loads(netdevs.stdout)] == ["lo"]

    # QEMU can no longer create files in the directory in which it created its sockets
    assert (directory / "run").stat().st_uid == 0

    # what the guest itself sees
    assert guests.run(n, "ls /sys/class/net").split() == ["eth0", "lo"]
    if hypervisor == "uml":
        listed = guests.run(n, "mkdir /host; mount -t hostfs none /host -o /; ls -A /host; touch /host/x || echo refused")
        assert listed.split()[-1] == "refused" and "Read-only" in listed and len(listed.splitlines()) == 2, listed
        # a way out of that directory leads to the namespace's root
        listed = guests.run(n, "umount /host; mount -t hostfs none /host -o /..; ls -A /host")
        assert set(listed.split()) == roots

    done = guests.xbar("shutdown", "-w", f"g{n}")
    assert done.returncode == 0, done.stderr
    assert not directory.exists() and not processes_of(uid)
    # it has shut down by itself: neither its list of system calls nor anything else has killed it
    log = (directory.parent / f"g{n}.log").read_text(errors="replace")
    assert "reboot: " in log and "not on its list" not in log, log[-500:]
    assert guests.daemon.call("vif-list")["vifs"] == []


@NEEDS["uml"]
def test_a_guest_that_makes_a_forbidden_system_call_ends_and_leaves_nothing(guests):
    guests.create(44, "uml")
    guests.await_ping(44)
    directory = guests.daemon.rundir / "guests" / "g44"
    uid = json.loads((directory / "guest.json").read_text())["uid"]
    # its kernel does this by chmod(2), which is not on its list
    command = "mkdir /host; mount -t hostfs none /host -o /; chmod 700 /host"
    guests.xbar("console", "g44", input=command + "\n")
    until(lambda: not directory.exists(), 20)
    assert "a system call that is not on its list" in (directory.parent / "g44.log").read_text(errors="replace")
    assert not processes_of(uid) and guests.daemon.call("vif-list")["vifs"] == []

    # nor does one whose supervisor is killed leave processes behind; its name can be used at once
    guests.create(44, "uml")
    uid = json.loads((directory / "guest.json").read_text())["uid"]
    os.kill(int((directory / "supervisor.pid").read_text().split()[0]), signal.SIGKILL)
    until(lambda: not processes_of(uid), 10)
    guests.create(44, "uml")
    guests.await_ping(44)


@NEEDS["uml"]
def test_an_image_that_the_guests_user_may_not_read_is_named_before_anything_is_made(guests):
    cfg = guests.cfg(51)
    image = guests.daemon.dir / "g51.img"
    image.chmod(0o600)
    done = guests.xbar("create", "--hypervisor", "uml", cfg)
    assert done.returncode == 1 and f"`chmod o+r {image}`" in done.stderr
    image.chmod(0o644)
    guests.daemon.dir.chmod(0o700)
    done = guests.xbar("create", "--hypervisor", "uml", cfg)
    assert done.returncode == 1 and f"`chmod o+x {guests.daemon.dir}`" in done.stderr
    assert not (guests.daemon.rundir / "guests").exists()


@NEEDS["uml"]
def test_without_bubblewrap_a_guest_is_not_started_unless_that_is_asked_for(guests, tmp_path):
    for program in ("linux.uml", "ip"):
        (tmp_path / program).symlink_to(shutil.which(program))
    cfg = guests.cfg(61)
    argv = guests.daemon.netns.argv(shutil.which("xbar", path=guests.env["PATH"]), "create", "--hypervisor", "uml")
    env = {**guests.env, "PATH": str(tmp_path)}
    done = subprocess.run([*argv, cfg], env=env, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1 and "bubblewrap" in done.stderr and "--unconfined" in done.stderr
    guests.started.append(61)
    done = subprocess.run([*argv, "--unconfined", cfg], env=env, text=True, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0 and "warning: --unconfined: the guest's process has all rights" in done.stderr
    guests.await_ping(61)
