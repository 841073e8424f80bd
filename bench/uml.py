# SPDX-License-Identifier: BSD-3-Clause
"""Real guests: two User-Mode Linux machines behind a switch, and TCP between them as measured by iperf3.

They boot images that scripts/dev/mkguest builds, so this works only in the source tree. User-Mode Linux expects the
switch to serve the control queue, which librte_vhost's own data path does not do: a proxy between the two removes that,
and whatever else they disagree on, from the offered features. The proxy sees messages but no frames.
"""

import os
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time

from peers import Failed, cpu_seconds, first_in_line

GET_FEATURES = 1
HIDDEN = sum(1 << bit for bit in (17, 18, 19, 20, 21, 22, 23, 34))  # CTRL_*, GUEST_ANNOUNCE, MQ, RING_PACKED
BOOT_S = 40
MEMORY = '96M'
MESSAGES = (128, 1024, 8192, 131072)  # bytes that iperf3 sends at a time


def listen(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    return listener


class Proxy:
    """Listens at `path` and forwards messages to the switch, which listens at its own socket or connects to it."""

    def __init__(self, path, switch, connects):
        self.path = switch
        self.guest, self.switch = listen(path), listen(switch) if connects else None
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        guest, _ = self.guest.accept()
        if self.switch:
            switch, _ = self.switch.accept()
        else:
            switch = socket.socket(socket.AF_UNIX)
            switch.connect(self.path)
        with guest, switch:
            try:
                while True:
                    for ready in select.select([guest, switch], [], [])[0]:
                        self.forward(ready, switch if ready is guest else guest, ready is switch)
            except OSError:
                return  # one side has closed its connection

    @staticmethod
    def forward(source, target, from_switch):
        head, fds, _, _ = socket.recv_fds(source, 12, 16)
        if len(head) < 12:
            raise ConnectionError
        request, flags, size = struct.unpack('=III', head)
        body = b''
        while len(body) < size:
            more = source.recv(size - len(body))
            if not more:
                raise ConnectionError
            body += more
        if from_switch and request == GET_FEATURES:
            body = struct.pack('=Q', struct.unpack('=Q', body)[0] & ~HIDDEN)
        socket.send_fds(target, [struct.pack('=III', request, flags, size) + body], fds)
        for fd in fds:
            os.close(fd)


class Guest:
    """A machine whose eth0 is the vhost-user socket at `path`; its console is a shell."""

    def __init__(self, setup, name, path, directory):
        number = int(name[-1])
        self.name = name
        interfaces, image = f'{directory}/{name}.interfaces', f'{setup.bench}/uml/{name}.img'
        with open(interfaces, 'w', encoding='ascii') as f:
            f.write(f'auto eth0\niface eth0 inet static\n\taddress 192.168.77.{number}\n\tnetmask 255.255.255.0\n')
        subprocess.run([setup.mkguest, name, interfaces, image], check=True, timeout=120, stdout=subprocess.DEVNULL)
        self.log = b''
        self.process = subprocess.Popen(
            ['taskset', '-c', str(setup.cpu), 'linux.uml', f'mem={MEMORY}', f'initrd={image}', f'umid={name}',
             f'uml_dir={directory}', f'virtio_uml.device={path}:1', f'xbar.eth0=02:5b:00:00:00:0{number},1500',
             'con=null', 'con0=fd:0,fd:1', 'ssl=null', 'console=tty0', 'noreboot', 'quiet'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=first_in_line)

    def wait_for(self, pattern, seconds):
        """The first match in the console's output that has not been matched yet."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.log)
            if found:
                self.log = self.log[found.end():]
                return found
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Failed(f'{self.name}: no {pattern!r} after {seconds} s: {self.last()}')
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                raise Failed(f'{self.name} has exited: {self.last()}')
            self.log += more

    def last(self):
        return self.log[-300:].decode(errors='replace')

    def type(self, command):
        self.process.stdin.write(command.encode() + b'\n')
        self.process.stdin.flush()

    def end(self):
        os.killpg(self.process.pid, signal.SIGKILL)  # a machine consists of several processes
        self.process.wait()


def stream(guest, peer, length, seconds):
    """Gbit/s of one TCP stream, and the switch's share of a CPU during it, in percent."""
    before, began = cpu_seconds(peer.process.pid), time.monotonic()
    guest.type(f'iperf3 -f m -l {length} -t {seconds} -c 192.168.77.2; echo "<<"done')
    said = guest.wait_for(rb'([0-9.]+) Mbits/sec[^\n]*receiver|<<done', seconds + 20)
    share = (cpu_seconds(peer.process.pid) - before) / (time.monotonic() - began) * 100
    if not said.group(1):
        raise Failed(f'{peer.name}: no TCP between the guests')
    guest.wait_for(rb'<<done', 20)
    return float(said.group(1)) / 1e3, share


def iperf3(setup, peer, case):
    """TCP from guest to guest through a switch, with the guests' offloads: {message length: (Gbit/s, the switch's share of a
    CPU in percent)}."""
    directory = f'{peer.dir}/uml'
    os.makedirs(f'{setup.bench}/uml', exist_ok=True)
    guests = []
    try:
        peer.start(case)
        os.makedirs(directory)
        for i, path in enumerate(peer.sockets):
            Proxy(f'{directory}/p{i}', path, peer.guests == 'listen')
            guests.append(Guest(setup, f'guest{i + 1}', f'{directory}/p{i}', directory))
        for guest in guests:
            guest.wait_for(rb'guest\d is up', BOOT_S)
        seconds = max(1, round(setup.seconds / 2))
        return {length: stream(guests[0], peer, length, seconds) for length in MESSAGES}
    finally:
        for guest in guests:
            guest.end()
        peer.stop()
