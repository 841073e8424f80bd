# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's virtio-user as front end, with packed rings: it vectorises, chains, uses indirect tables and odd ring sizes."""
import re
import shutil
import subprocess
import time

import pytest

TESTPMD = shutil.which("dpdk-testpmd") or ""
pytestmark = pytest.mark.skipif(not TESTPMD, reason="dpdk-testpmd is not installed: apt-get install dpdk-dev")


class Testpmd:
    """testpmd with one port, from the start until it is told to end."""

    def __init__(self, daemon, name, mode, device, *options):
        socket = daemon.call("vif-add", name=name, bridge="br0", server=True)["socket"]
        argv = [TESTPMD, "--no-huge", "-m", "256", "--no-pci", f"--file-prefix={name}", "--in-memory", "--no-telemetry"]
        argv += ["-l", "0,1", f"--vdev=net_virtio_user0,path={socket},{device}", "--", f"--forward-mode={mode}"]
        argv += ["--total-num-mbufs=4096", "--no-lsc-interrupt", *options]
        self.log = daemon.dir / f"{name}.log"
        self.process = subprocess.Popen(
            daemon.netns.argv(*argv), stdin=subprocess.PIPE, stdout=self.log.open("wb"), stderr=subprocess.STDOUT
        )

    def end(self):
        """Its own count of packets received and sent."""
        self.process.communicate(b"\n", 30)
        text = self.log.read_text()
        counts = re.search(r"RX-packets: (\d+).*?TX-packets: (\d+)", text, re.S)
        assert counts, text
        return int(counts[1]), int(counts[2])

    def kill(self):
        self.process.kill()
        self.process.wait(10)


@pytest.mark.parametrize(
    "device, options",
    [
        ("packed_vq=1,mrg_rxbuf=1,in_order=0", []),
        ("packed_vq=1,mrg_rxbuf=0,in_order=0,vectorized=1", []),
        ("packed_vq=1,mrg_rxbuf=1,in_order=0,queue_size=300", ["--txd=300", "--rxd=300", "--txpkts=100,200,64"]),
    ],
    ids=["mergeable", "vectorised", "300-slots-and-chains"],
)
def test_virtio_user_with_packed_rings(make_daemon, device, options):
    daemon = make_daemon("")
    daemon.start()
    daemon.call("bridge-add", name="br0")
    programs = []
    try:
        programs.append(Testpmd(daemon, "to", "rxonly", device, *options))
        programs.append(Testpmd(daemon, "from", "txonly", device, *options))
        end = time.monotonic() + 30
        while (port := daemon.port("to"))["tx"]["frames"] < 100000:
            assert time.monotonic() < end, port
            time.sleep(0.2)
        for name in ("to", "from"):
            port = daemon.port(name)
            assert port["connected"] and "packed" in port["features"].split()
        sent = programs[1].end()[1]
        time.sleep(0.2)
        sender, receiver = daemon.port("from"), daemon.port("to")
        received = programs[0].end()[0]
        assert sent - 300 <= sender["rx"]["frames"] <= sent
        assert receiver["tx"]["frames"] - 300 <= received <= receiver["tx"]["frames"]
        assert received > 90000
    finally:
        for program in programs:
            program.kill()
