# SPDX-License-Identifier: BSD-3-Clause
"""Nothing is left of vifs that went, however many there were. XBAR_ROUNDS=10000 makes sure."""

import os
import sys

from conftest import TOP

sys.path.insert(0, str(TOP / "tests" / "hostile"))
from front import Front  # noqa: E402

ROUNDS = int(os.environ.get("XBAR_ROUNDS", "300"))


def usage(pid):
    """(descriptors, threads, mappings, resident KiB)"""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        status = dict(line.split(":\t", 1) for line in file)
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        maps = len(file.readlines())
    return len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"]), maps, int(status["VmRSS"].split()[0])


def test_vifs_that_are_deleted_leave_nothing(daemon):
    """Each with a guest whose rings run."""

    def come_and_go(rounds):
        for i in range(rounds):
            name = f"vif{i % 10}.0"
            path = daemon.call("vif-add", name=name, bridge="xenbr0", server=True)["socket"]
            front = Front(path)
            assert front.start()
            assert daemon.port(name)["connected"]
            daemon.call("vif-del", name=name)
            assert front.gone()
            front.close()
            assert not os.path.exists(path)

    daemon.call("bridge-add", name="xenbr0", host=False)
    come_and_go(50)
    before = usage(daemon.process.pid)
    come_and_go(ROUNDS)
    after = usage(daemon.process.pid)
    assert after[:2] == before[:2]
    assert after[2] <= before[2] + 2, (before, after)
    assert after[3] <= before[3] + 1024, (before, after)
