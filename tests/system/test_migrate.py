# SPDX-License-Identifier: BSD-3-Clause
"""Live migration of a QEMU guest from one vif to another, while it receives."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import until

DEV = Path(__file__).resolve().parents[2] / "scripts" / "dev"
MAC = "02:00:00:00:00:41"
INTERFACES = (
    "auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet static\n"
    "\taddress 192.0.2.41\n\tnetmask 255.255.255.0\n"
    "\tup (nc -l -p 9000 | md5sum | nc -l -p 9001) &\n"  # the digest of what comes to one port, to be had at the other
)
# Send noise to the guest, up to 4 MB/s, until standard input ends; print how much, its digest, and that of the guest.
SENDER = """
import hashlib, random, select, socket, sys
sock = socket.create_connection(("192.0.2.41", 9000), 20)
noise, digest, sent = random.Random(1), hashlib.md5(), 0
while not select.select([sys.stdin], [], [], 0.01)[0]:
    chunk = noise.randbytes(40000)
    sock.sendall(chunk)
    digest.update(chunk)
    sent += len(chunk)
sock.close()
with socket.create_connection(("192.0.2.41", 9001), 20) as sock:
    print(sent, digest.hexdigest(), sock.makefile().read().split()[0])
"""


class Qemu:
    """A guest by hand, on a vif of the daemon's; with `incoming`, one that waits for a guest to come."""

    def __init__(self, daemon, name, image, device, incoming=None):
        self.dir = daemon.dir
        self.name = name
        vif = daemon.call("vif-add", name=f"{name}.0", bridge="br0", server=True)["socket"]
        argv = f"""qemu-system-x86_64 -nodefaults -no-user-config -display none -machine q35,memory-backend=memory
            -accel tcg -cpu max -m 160 -object memory-backend-memfd,id=memory,size=160M,share=on
            -serial file:{self.dir}/{name}.console -qmp unix:{self.dir}/{name}.qmp,server=on,wait=off
            -chardev socket,id=vhost,path={vif} -netdev vhost-user,id=net,chardev=vhost
            -device virtio-net-pci,netdev=net,mac={MAC},vectors=0{device}
            -kernel {sorted(Path("/boot").glob("vmlinuz-*"))[-1]} -initrd {image} -append console=ttyS0""".split()
        argv += ["-incoming", incoming] if incoming else []
        self.log = (self.dir / f"{name}.log").open("w+")
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        until((self.dir / f"{name}.qmp").exists, 20)

    def qmp(self, *commands):
        """Execute commands; the result of the last one."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(f"{self.dir}/{self.name}.qmp")
            lines = sock.makefile("r")
            lines.readline()
            for name, arguments in (("qmp_capabilities", {}), *commands):
                sock.sendall(json.dumps({"execute": name, "arguments": arguments}).encode())
                while "event" in (answer := json.loads(lines.readline())):
                    pass
                assert "return" in answer, answer
        return answer["return"]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


@pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="QEMU is not installed: apt-get install qemu-system-x86")
@pytest.mark.parametrize("device", ["", ",guest_announce=off"], ids=["guest-announces", "switch-announces"])
def test_a_guest_migrates_while_it_receives(daemon, device):
    daemon.call("bridge-add", name="br0")
    daemon.netns.run("ip", "addr", "add", "192.0.2.1/24", "dev", "br0")
    (daemon.dir / "interfaces").write_text(INTERFACES)
    image = daemon.dir / "image"
    subprocess.run([DEV / "mkguest", "guest", daemon.dir / "interfaces", image], check=True, timeout=120)
    uri = f"unix:{daemon.dir}/migration"
    guests = []
    sender = None

    def answers():
        return not daemon.netns.run("ping", "-c1", "-W1", "192.0.2.41", check=False).returncode

    try:
        guests.append(Qemu(daemon, "from", image, device))
        until(answers, 90)
        guests.append(Qemu(daemon, "to", image, device, uri))
        until((daemon.dir / "migration").exists, 20)
        sender = daemon.netns.popen(sys.executable, "-c", SENDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        guests[0].qmp(("migrate-set-parameters", {"max-bandwidth": 32 << 20}), ("migrate", {"uri": uri}))
        until(lambda: guests[0].qmp(("query-migrate", {})).get("status") in ("completed", "failed"), 60, 0.2)
        done = guests[0].qmp(("query-migrate", {}))
        assert done["status"] == "completed", done
        print(f"{done['total-time']} ms, of which down {done['downtime']} ms; {done['ram']['dirty-sync-count']} rounds")
        until(answers, 20)  # it may have been addressed on its old vif until it was announced
        (entry,) = [e for e in daemon.call("fdb-show", bridge="br0")["macs"] if e["mac"] == MAC]
        assert entry["port"] == "to.0"
        sent, digest, received = sender.communicate(timeout=60)[0].split()
        assert int(sent) > 1e6
        assert received == digest
    finally:
        if sender:
            sender.kill()
            sender.wait()
        for guest in guests:
            guest.close()
