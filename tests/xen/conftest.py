# SPDX-License-Identifier: BSD-3-Clause
"""One real Xen host for all tests, booted by scripts/dev/xen, with xbard and two guests set up as by an administrator.

    def test_something(dom0):                   # xbard runs, guest1 and guest2 are up and answer
        dom0.run("xl list")                     # in dom0; .stdout
        dom0.guest("guest1", "ip addr")         # in a guest, over its console; its output
        dom0.port("guest1", 0)["rx"]["frames"]  # xbard's counters of a guest's vif

If a test leaves a guest broken, it is recreated for the next one. With KEEP=1 the host stays up afterwards, and the next
run uses it.
"""

import json
import os
import re
import shlex
import subprocess
import time
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("XBAR_BUILD", TOP / "build")).resolve()
XEN = TOP / "scripts" / "dev" / "xen"
PUBLIC = {"guest1": "203.0.113.11", "guest2": "203.0.113.12"}
# A round takes minutes; XEN_COMPARE=N runs N of them.
collect_ignore = [] if os.environ.get("XEN_COMPARE") else ["test_side_by_side.py"]
PRIVATE = {"guest1": "172.16.16.2", "guest2": "172.16.16.3"}


class Dom0:
    """The host."""

    def __init__(self):
        self.env = {**os.environ, "B": str(BUILD)}

    def machine(self, *argv, seconds=120, check=True):
        done = subprocess.run(
            [XEN, *argv],
            env=self.env,
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
            errors="replace",
        )
        assert not check or done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def run(self, command, seconds=120, check=True):
        """Run a shell command in dom0; returns the completed process."""
        # With `exit`, the shell stays until the command ends and says if a signal ended it: ssh alone would return 255 and give no reason.
        return self.machine("run", f"{command}\nexit", seconds=seconds, check=check)

    def out(self, command, seconds=120):
        return self.run(command, seconds).stdout.strip()

    def background(self, command):
        """Start a shell command in dom0; returns a process whose wait() and returncode are the command's."""
        return subprocess.Popen(
            [XEN, "run", command], env=self.env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    def write(self, path, text):
        self.run(f"printf %s {shlex.quote(text)} >{path}")

    def log(self):
        return self.run("cat /var/log/xbard.log", check=False).stdout

    # ---- guests

    def guest(self, name, command, seconds=120, check=True):
        """Run a command in a guest, over its console; returns its output."""
        done = self.run(f"guest -t {seconds} {name} {shlex.quote(command)}", seconds + 30, check=False)
        assert not check or done.returncode == 0, f"{name}: {command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def domid(self, name):
        done = self.run(f"xl domid {name}", check=False)
        return int(done.stdout) if done.returncode == 0 else None

    def vif(self, name, device):
        return f"vif{self.domid(name)}.{device}"

    def port(self, name, device=0):
        return self.stats(self.vif(name, device))

    def stats(self, port):
        return json.loads(self.out(f"xbar stats {port} --json"))["ports"][0]

    def ports(self):
        return {port["name"]: port for port in json.loads(self.out("xbar port list --json"))["ports"]}

    def answers(self, address, seconds=120, beyond=False):
        """Wait until a machine answers pings."""
        ping = f"{'ip netns exec beyond ' if beyond else ''}ping -c 1 -W 1 {address}"
        loop = f"for i in $(seq {seconds}); do {ping} >/dev/null && exit; done; exit 1"
        assert self.run(loop, 2 * seconds + 30, check=False).returncode == 0, f"{address} does not answer"

    def create(self, name):
        self.run(f"xl create /etc/xen/{name}.cfg", 240)
        self.answers(PRIVATE[name])
        self.answers(PUBLIC[name])

    def iperf(self, address, options="-n 2M", guest=None):
        """Mbit/s of 2 MB by TCP between dom0 or a guest and the iperf3 server at an address, either way."""
        command = f"iperf3 -f m --connect-timeout 5000 -c {address} {options} 2>&1 | grep -E 'receiver|error'"
        text = ""
        for _ in range(3):  # after a test a server does not listen for a moment
            text = self.guest(guest, command, check=False) if guest else self.run(command, check=False).stdout
            if found := re.search(r"([\d.]+) Mbits/sec", text):
                return float(found[1])
        raise AssertionError(f"{guest or 'dom0'} to {address}: {text}")

    def netfront_errors(self, name):
        return self.guest(name, "dmesg | grep -iE 'netfront.*(bad|invalid|error)|vif.*fail' || true").strip()

    def has_both(self):
        """Repair whatever an earlier test has left broken."""
        if self.run("xbar show", check=False).returncode != 0:
            self.run("xbard-up", 180)
        for name in PRIVATE:
            ping = f"ping -q -c 1 -W 5 {PRIVATE[name]} && ping -q -c 1 -W 5 {PUBLIC[name]}"
            if self.run(f"xl domid {name} && {ping}", check=False).returncode != 0:
                self.run(f"xl destroy {name}", 240, check=False)
                self.create(name)


@pytest.fixture(scope="session")
def host():
    made = Dom0()
    kept = os.environ.get("KEEP") and made.run("true", check=False).returncode == 0
    if not kept:
        made.machine("start", str(BUILD), seconds=900)
    yield made
    if not os.environ.get("KEEP"):
        made.machine("stop")


@pytest.fixture
def dom0(host):
    host.has_both()
    yield host


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """If a test fails, show the host's logs."""
    report = (yield).get_result()
    dom0 = getattr(item, "funcargs", {}).get("host")
    if report.failed and dom0:
        for what, command in {
            "xbard's log": "tail -n 40 /var/log/xbard.log",
            "the hotplug scripts' log": "tail -n 10 /var/log/xen/xen-hotplug.log",
            "dom0's kernel": "dmesg | tail -n 15",
            "the hypervisor": "xl dmesg | tail -n 10",
        }.items():
            try:
                report.sections.append((what, dom0.run(command, check=False).stdout))
            except subprocess.TimeoutExpired:
                report.sections.append((what, "does not answer"))
                break


def until(what, seconds=60, every=0.5):
    """Call `what` until it returns something true, and return that; fail after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        result = what()
        if result:
            return result
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(every)
