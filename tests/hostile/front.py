# SPDX-License-Identifier: BSD-3-Clause
"""A front end of vhost-user that says whatever it is told to: messages by name, memory, rings, and lies about all of it."""

import mmap
import os
import socket
import struct

NAMES = {
    "GET_FEATURES": 1, "SET_FEATURES": 2, "SET_OWNER": 3, "RESET_OWNER": 4, "SET_MEM_TABLE": 5, "SET_LOG_BASE": 6,
    "SET_LOG_FD": 7, "SET_VRING_NUM": 8, "SET_VRING_ADDR": 9, "SET_VRING_BASE": 10, "GET_VRING_BASE": 11,
    "SET_VRING_KICK": 12, "SET_VRING_CALL": 13, "SET_VRING_ERR": 14, "GET_PROTOCOL_FEATURES": 15,
    "SET_PROTOCOL_FEATURES": 16, "GET_QUEUE_NUM": 17, "SET_VRING_ENABLE": 18, "SEND_RARP": 19, "NET_SET_MTU": 20,
    "SET_BACKEND_REQ_FD": 21, "IOTLB_MSG": 22, "SET_VRING_ENDIAN": 23, "GET_CONFIG": 24, "SET_CONFIG": 25,
    "CREATE_CRYPTO_SESSION": 26, "CLOSE_CRYPTO_SESSION": 27, "POSTCOPY_ADVISE": 28, "POSTCOPY_LISTEN": 29,
    "POSTCOPY_END": 30, "GET_INFLIGHT_FD": 31, "SET_INFLIGHT_FD": 32, "GPU_SET_SOCKET": 33, "RESET_DEVICE": 34,
    "VRING_KICK": 35, "GET_MAX_MEM_SLOTS": 36, "ADD_MEM_REG": 37, "REM_MEM_REG": 38, "SET_STATUS": 39,
    "GET_STATUS": 40, "GET_SHARED_OBJECT": 41, "SET_DEVICE_STATE_FD": 42, "CHECK_DEVICE_STATE": 43,
}  # fmt: skip
REPLIES = {"SET_LOG_BASE", "GET_FEATURES", "GET_PROTOCOL_FEATURES", "GET_QUEUE_NUM", "GET_VRING_BASE", "GET_CONFIG",
           "GET_MAX_MEM_SLOTS", "GET_STATUS"}  # fmt: skip

GPA, USER, SIZE = 0x40000000, 0x7F0000000000, 1 << 20
RING, ENTRIES, BUFFERS = 0x8000, 256, 0x80000  # bytes from ring to ring, entries of each, where buffers begin
AVAIL, USED = 0x2000, 0x4000  # from the ring's beginning
PROTOCOL = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 16
FEATURES = 1 << 32 | 1 << 30 | 1 << 29 | 1 << 28 | 1 << 15
WRITE, NEXT, INDIRECT = 2, 1, 4


def u64(value):
    return struct.pack("<Q", value & (1 << 64) - 1)


def state(index, num):
    return struct.pack("<II", index, num)


def region(gpa=GPA, size=SIZE, user=USER, offset=0):
    return struct.pack("<QQQQ", gpa, size, user, offset)


def table(*regions):
    return struct.pack("<II", len(regions), 0) + b"".join(regions)


def addr(index, desc=0, avail=AVAIL, used=USED, flags=0, base=None):
    at = USER + index * RING if base is None else base
    parts = [(at + x) & (1 << 64) - 1 for x in (desc, used, avail)]
    return struct.pack("<IIQQQQ", index, flags, *parts, 0)


class Front:
    """One connection. Every send is allowed to fail: the other end may have hung up, and is right to."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(path)
        self.fd = os.memfd_create("evil")
        os.ftruncate(self.fd, SIZE)
        self.mem = mmap.mmap(self.fd, SIZE)
        self.kick = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(5)]
        self.call = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(5)]

    def close(self):
        self.sock.close()
        self.mem.close()
        for fd in [self.fd, *self.kick, *self.call]:
            os.close(fd)

    def raw(self, data, fds=()):
        try:
            socket.send_fds(self.sock, [data], list(fds)) if fds else self.sock.sendall(data)
        except OSError:
            pass

    @staticmethod
    def message(name, payload=b"", size=None, flags=1):
        request = NAMES.get(name, name)
        return struct.pack("<III", request, flags, len(payload) if size is None else size) + payload

    def send(self, name, payload=b"", fds=(), size=None, flags=1):
        self.raw(self.message(name, payload, size, flags), fds)

    def reply(self):
        """(request, flags, payload), or None: it has hung up."""
        try:
            header = self.sock.recv(12, socket.MSG_WAITALL)
            if len(header) < 12:
                return None
            request, flags, size = struct.unpack("<III", header)
            return request, flags, self.sock.recv(size, socket.MSG_WAITALL)
        except OSError:
            return None

    def ask(self, name, payload=b"", flags=1):
        self.send(name, payload, flags=flags)
        return self.reply()

    def sync(self):
        """Wait until all that was sent is served. Whether the connection is still there."""
        return self.ask("GET_FEATURES") is not None

    def gone(self):
        """Whether the daemon has hung up, after at most five seconds."""
        try:
            while self.sock.recv(4096):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def negotiate(self, features=FEATURES, protocol=PROTOCOL):
        self.send("SET_OWNER")
        offered = struct.unpack("<Q", self.ask("GET_FEATURES")[2])[0]
        can = struct.unpack("<Q", self.ask("GET_PROTOCOL_FEATURES")[2])[0]
        self.send("SET_PROTOCOL_FEATURES", u64(protocol & can))
        self.send("SET_FEATURES", u64(features & offered))

    def ring(self, index, num=ENTRIES, address=None):
        self.send("SET_VRING_NUM", state(index, num))
        self.send("SET_VRING_BASE", state(index, 0))
        self.send("SET_VRING_ADDR", address or addr(index))
        self.send("SET_VRING_CALL", u64(index), [self.call[index]])
        self.send("SET_VRING_KICK", u64(index), [self.kick[index]])
        self.send("SET_VRING_ENABLE", state(index, 1))

    def start(self, rings=2, **kwargs):
        self.negotiate(**kwargs)
        self.send("SET_MEM_TABLE", table(region()), [self.fd])
        for index in range(rings):
            self.ring(index)
        return self.sync()

    # ---- the guest's side of a ring

    def desc(self, ring, n, gpa, length, flags=0, nxt=0):
        struct.pack_into("<QIHH", self.mem, ring * RING + 16 * n, gpa & (1 << 64) - 1, length, flags, nxt)

    def offer(self, ring, *heads, idx=None):
        """Put heads into the available ring and move its index: by as many, or to `idx`."""
        at = ring * RING + AVAIL
        now = struct.unpack_from("<H", self.mem, at + 2)[0]
        for i, head in enumerate(heads):
            struct.pack_into("<H", self.mem, at + 4 + 2 * ((now + i) % ENTRIES), head)
        struct.pack_into("<H", self.mem, at + 2, (now + len(heads) if idx is None else idx) & 0xFFFF)
        self.poke(ring)

    def poke(self, ring):
        try:
            os.eventfd_write(self.kick[ring], 1)
        except BlockingIOError:
            pass
