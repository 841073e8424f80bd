# SPDX-License-Identifier: BSD-3-Clause
"""The driver of Xen's rings, with lean frontends in dom0, on real grants and event channels: pair.c, hostile.c."""

import re
import subprocess

import pytest
from conftest import BUILD, PRIVATE, TOP


@pytest.fixture(scope="module")
def programs(host):
    made = [f"{BUILD}/tests/xen/{name}" for name in ("pair", "hostile")]
    subprocess.run(["make", "--no-print-directory", f"B={BUILD}", *made], cwd=TOP, check=True, timeout=300)
    for path in made:
        host.machine("push", path, f"/sbin/{path.rsplit('/', 1)[1]}")


@pytest.mark.usefixtures("programs")
def test_the_driver_alone_between_two_frontends(dom0):
    print(dom0.out("timeout 100 pair 0.2", 130))


@pytest.mark.usefixtures("programs")
def test_frontends_that_break_the_rules_are_cut_off_and_nobody_else_notices(dom0):
    pid = dom0.out("pidof xbard")
    dom0.run("xbar bridge add hostile")
    try:
        done = dom0.run("timeout 420 hostile hostile", 450, check=False)
    finally:
        dom0.run("xbar bridge del hostile", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall("^ok ", done.stdout, re.MULTILINE)) == 21, done.stdout
    print(done.stdout)
    assert dom0.out("pidof xbard") == pid
    assert dom0.iperf(PRIVATE["guest2"], guest="guest1") > 0
