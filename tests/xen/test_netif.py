# SPDX-License-Identifier: BSD-3-Clause
"""The driver of Xen's rings, with minimal frontends in dom0 (pair.c, features.c, hostile.c), on real grants and event
channels."""

import re
import subprocess

import pytest
from conftest import BUILD, PRIVATE, TOP, until

# Xen advisories about netback: each attack is tried on xbard.
ADVISORIES = (39, 90, 155, 270, 332, 362, 374, 392, 423, 424, 432, 448)


@pytest.fixture(scope="module")
def programs(host):
    made = [f"{BUILD}/tests/xen/{name}" for name in ("pair", "features", "hostile")]
    subprocess.run(["make", "--no-print-directory", f"B={BUILD}", *made], cwd=TOP, check=True, timeout=300)
    for path in made:
        host.machine("push", path, f"/sbin/{path.rsplit('/', 1)[1]}")


@pytest.mark.usefixtures("programs")
def test_the_driver_between_two_frontends_without_a_daemon(dom0):
    print(dom0.out("timeout 100 pair 0.2", 130))


@pytest.mark.usefixtures("programs")
def test_a_frontend_gets_every_netif_feature_and_keeps_them_with_the_next_daemon(dom0):
    """This needs two workers, because a guest is offered one queue per worker."""
    dom0.write("/etc/xbar/wide.conf", "workers = 2\n")
    kill, start = "kill -9 $(pidof xbard)", "xbard-up -c /etc/xbar/wide.conf"
    dom0.run(f"{kill}; {start} && xbar bridge add features", 180)
    try:
        done = dom0.run(f"timeout 240 features features '{kill}' '{start}'", 270, check=False)
    finally:
        dom0.run(f"xbar bridge del features; {kill}; xbard-up", 180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    for what in (
        "2 queues with split channels: ",
        "hash: frames land in the queue that the mapping names",
        "staged pages: 120 frames take ",
        "multicast control: groups are filtered",
        "another daemon adopts the rings",
        "a frontend that closes and reconnects",
    ):
        assert re.search(f"^ok   {what}", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.usefixtures("programs")
def test_frontends_that_break_the_rules_are_quarantined_and_no_one_else_notices(dom0):
    dom0.run("xbar bridge add hostile")
    dom0.run("hostile hostile ctrl-unknown-types", 60)  # the first control ring allocates things that stay
    pid = dom0.out("pidof xbard")
    held = f"ls /proc/{pid}/fd | wc -l; grep -c xen/gntdev /proc/{pid}/maps"
    before = dom0.out(held)
    try:
        done = dom0.run("timeout 420 hostile hostile", 450, check=False)
        until(lambda: dom0.out(held) == before)  # none of their descriptors or pages is left
    finally:
        dom0.run("xbar bridge del hostile", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall("^ok ", done.stdout, re.MULTILINE)) == 48, done.stdout
    assert set(re.findall(r"XSA-\d+", done.stdout)) == {f"XSA-{n}" for n in ADVISORIES}, done.stdout
    print(done.stdout)
    assert dom0.out("pidof xbard") == pid
    assert dom0.iperf(PRIVATE["guest2"], guest="guest1") > 0
