# SPDX-License-Identifier: BSD-3-Clause
"""Front ends other than Linux guests': DPDK's virtio-user, and the firmware iPXE."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import until

ROM = Path("/usr/lib/ipxe/qemu/efi-virtio.rom")  # QEMU's own choice; it has a BIOS image as well


@pytest.fixture
def bridge(daemon):
    """A daemon with a bridge br0, on which the host has 192.0.2.1."""
    daemon.call("bridge-add", name="br0")
    daemon.netns.run("ip", "addr", "add", "192.0.2.1/24", "dev", "br0")
    return daemon


@pytest.fixture
def start(daemon):
    """start(ARGV...): run a program beside the daemon; what it prints goes to the test's output."""
    started = []

    def run(*argv):
        log = (daemon.dir / f"log{len(started)}").open("w+")
        argv = list(map(str, argv))
        env = {**os.environ, "RUNTIME_DIRECTORY": str(daemon.dir)}  # for DPDK, which leaves files there
        started.append((subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=log, stderr=log, env=env), log))
        return started[-1][0]

    yield run
    for process, log in started:
        process.kill()
        process.wait()
        log.seek(0)
        print(log.read()[-3000:])
        log.close()


# ---- virtio-user


@pytest.mark.skipif(not shutil.which("dpdk-testpmd"), reason="dpdk-testpmd is not installed: apt-get install dpdk-dev")
@pytest.mark.parametrize(
    ("options", "queues", "server"),
    [
        ("mrg_rxbuf=1", 1, False),
        ("mrg_rxbuf=0", 1, False),
        ("mrg_rxbuf=0,vectorized=1", 1, False),
        ("mrg_rxbuf=1,queues=2", 2, False),
        ("mrg_rxbuf=1,in_order=1", 1, False),
        ("mrg_rxbuf=1,packed_vq=1", 1, False),
        ("mrg_rxbuf=0,packed_vq=1,vectorized=1", 1, False),
        ("mrg_rxbuf=1,packed_vq=1,queue_size=300", 1, False),
        ("mrg_rxbuf=1,server=1", 1, True),
    ],
    ids=["mergeable", "not-mergeable", "vectorized", "two-queues", "in-order", "packed", "packed-vectorized", "packed-300-slots", "front-end-listens"],
)
def test_virtio_user_answers(bridge, start, options, queues, server):
    if server:
        path = bridge.dir / "front.sock"
        bridge.call("vif-add", name="user.0", bridge="br0", socket=str(path), queues=queues)
    else:
        path = bridge.call("vif-add", name="user.0", bridge="br0", server=True, queues=queues)["socket"]
    process = start(
        *"dpdk-testpmd --no-shconf --no-huge -m 64 --no-pci --no-telemetry --lcores=0@0-1,1@0-1".split(),
        f"--vdev=net_virtio_user0,path={path},mac=02:00:00:00:00:51,{options}",
        *f"-- --forward-mode=icmpecho --auto-start --interactive --total-num-mbufs=4096 --rxq={queues}".split(),
        f"--txq={queues}",
        *("--txd=300 --rxd=300".split() if "queue_size=300" in options else ()),
    )
    ping = ("ping", "-c1", "-W1", "192.0.2.51")
    until(lambda: not bridge.netns.run(*ping, check=False).returncode or process.poll() is not None, 30)
    for size in (18, 1000, 1472):
        bridge.netns.run("ping", "-c20", "-i0.01", "-W2", f"-s{size}", "192.0.2.51")
    if "packed_vq=1" in options:  # several times around
        bridge.netns.run("ping", "-c700", "-i0.001", "-W2", "-q", "192.0.2.51")
    port = bridge.port("user.0")
    assert port["connected"] and not port["quarantine"]
    assert ("packed" in port["features"].split()) == ("packed_vq=1" in options)
    assert ("mergeable" in port["features"]) == ("mrg_rxbuf=1" in options)


# ---- iPXE

TFTP = """
import socket, struct, sys
files = {b"script.ipxe": b"#!ipxe\\nimgfetch tftp://192.0.2.1/large\\nimgfetch tftp://192.0.2.1/done-${net0/ip}\\n",
         b"large": bytes(range(256)) * 4096}
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("192.0.2.1", 69))
while True:
    request, client = listener.recvfrom(2048)
    name, _, *options = request[2:].split(b"\\0")
    print(name.decode(), flush=True)
    data, size = files.get(name, b"-"), 512
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(1)
    sock.connect(client)
    ask = dict(zip(options[::2], options[1::2]))
    packet = struct.pack(">HH", 3, 1) + data[:size]
    if b"blksize" in ask:
        size = int(ask[b"blksize"])
        packet = b"\\0\\6blksize\\0%d\\0" % size + (b"tsize\\0%d\\0" % len(data) if b"tsize" in ask else b"")
    block = 0 if packet[1] == 6 else 1
    for _ in range(100000):
        sock.send(packet)
        try:
            answer = sock.recv(2048)
        except OSError:
            continue
        if answer[1] == 5:
            break
        if answer[1] == 4 and struct.unpack(">H", answer[2:4])[0] == block & 0xffff:
            if block * size > len(data):
                break
            block += 1
            packet = struct.pack(">HH", 3, block & 0xffff) + data[(block - 1) * size : block * size]
"""


@pytest.mark.skipif(not ROM.exists(), reason="iPXE is not installed: apt-get install ipxe-qemu")
@pytest.mark.parametrize("queues", [1, 2])
def test_ipxe_boots_over_the_switch(bridge, start, queues):
    """Firmware sets up two rings, with eight receive buffers, whatever the card has; it asks for no interrupts."""
    conf = bridge.dir / "udhcpd.conf"
    conf.write_text(
        "start 192.0.2.61\nend 192.0.2.61\ninterface br0\nsiaddr 192.0.2.1\nboot_file script.ipxe\n"
        f"lease_file {bridge.dir}/leases\npidfile {bridge.dir}/udhcpd.pid\noption subnet 255.255.255.0\n"
    )
    (bridge.dir / "leases").touch()
    start(*bridge.netns.argv("busybox", "udhcpd", "-f", conf))
    served = bridge.dir / "log1"
    start(*bridge.netns.argv(sys.executable, "-c", TFTP))
    vif = bridge.call("vif-add", name="ipxe.0", bridge="br0", server=True, queues=queues)["socket"]
    mq = f",mq=on,vectors={2 * queues + 2}" if queues > 1 else ",vectors=0"
    start(
        *"qemu-system-x86_64 -nodefaults -no-user-config -display none -serial stdio -accel tcg -m 128".split(),
        *"-machine q35,memory-backend=memory,graphics=off".split(),
        *"-object memory-backend-memfd,id=memory,size=128M,share=on".split(),
        *f"-chardev socket,id=vhost,path={vif} -netdev vhost-user,id=net,chardev=vhost,queues={queues}".split(),
        *f"-device virtio-net-pci,netdev=net,mac=02:00:00:00:00:61,bootindex=1{mq}".split(),
    )
    until(lambda: "done-192.0.2.61" in served.read_text(), 60)
    assert served.read_text().split() == ["script.ipxe", "large", "done-192.0.2.61"]
    assert not bridge.port("ipxe.0")["quarantine"]
