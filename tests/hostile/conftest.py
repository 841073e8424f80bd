# SPDX-License-Identifier: BSD-3-Clause
"""The daemon's fixtures are those of tests/system; what is of hostile front ends is here."""

import importlib.util
import subprocess
import time
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("system_conftest", Path(__file__).parents[1] / "system" / "conftest.py")
system = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(system)
programs = system.programs
summary = []  # lines for the end of the run


class Scene:
    """A daemon with two well-behaved guests and a port for a hostile one, and how they were before it came."""

    def __init__(self, workers):
        self.netns = system.Netns("hostile")
        self.daemon = system.Daemon(self.netns, f"workers = {workers}")
        self.bystanders = None
        self.longest_ms = 0
        try:
            self.daemon.start()
            self.daemon.call("bridge-add", name="br0")
            self.port = self.add("evil.0", 2)
            argv = [system.BUILD / "tests" / "hostile" / "bystanders", self.add("good1.0", 1), self.add("good2.0", 1)]
            self.bystanders = subprocess.Popen(
                list(map(str, argv)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            system.until(lambda: self.ask()[0] > 100, 30)
            time.sleep(0.2)  # until the control connections above are closed
            self.before = self.holds()
            self.resident_before = self.resident_kb()
            self.longest_ms = 0
        except BaseException:
            self.close()
            raise

    def add(self, name, queues):
        return self.daemon.call("vif-add", name=name, bridge="br0", server=True, queues=queues)["socket"]

    def ask(self):
        """Frames that the second guest has received, and those lost."""
        assert self.bystanders.poll() is None, "the well-behaved guests have ended"
        self.bystanders.stdin.write("\n")
        self.bystanders.stdin.flush()
        frames, lost, longest_ms = map(int, self.bystanders.stdout.readline().split())
        self.longest_ms = max(self.longest_ms, longest_ms)
        return frames, lost

    def holds(self):
        """What the daemon has open and mapped."""
        proc = Path(f"/proc/{self.daemon.process.pid}")
        return (
            len(list((proc / "fd").iterdir())),
            sum("memfd:evil" in line for line in (proc / "maps").read_text().splitlines()),
            len(list((proc / "task").iterdir())),
        )

    def resident_kb(self):
        status = Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def close(self):
        try:
            if self.bystanders:
                self.bystanders.kill()
                self.bystanders.wait()
            self.daemon.close()
        finally:
            self.netns.close()


@pytest.fixture(scope="module", params=[1, 2], ids=["1-worker", "2-workers"])
def scene(request):
    made = Scene(request.param)
    yield made
    summary.append(
        f"{request.param} worker(s), {request.module.count_acts()} acts: the guests beside received {made.ask()[0]} "
        f"frames, and waited for one {made.longest_ms} ms at most"
    )
    made.close()


def pytest_terminal_summary(terminalreporter):
    for line in summary:
        terminalreporter.write_line(line)
