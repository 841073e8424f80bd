# SPDX-License-Identifier: BSD-3-Clause
"""Hostile front ends of vhost-user, and guests that lie in their rings, beside two guests that behave.

Each act is a function of a Front (front.py). Whatever it does, afterwards the daemon lives and holds no more than before,
and the two guests beside have lost no frame. MESSAGES says of each message what a good one is: from it come its short,
long, torn, repeated, early, unfinished and wrongly accompanied kin.
"""

import os
import random
import resource
import socket
import time

import pytest
from conftest import system
from front import (AVAIL, BUFFERS, ENTRIES, FEATURES, GPA, INDIRECT, NAMES, NEXT, REPLIES, RING, SIZE, USED, USER, WRITE,
                   Front, addr, region, state, table, u64)  # fmt: skip

# name: payload, descriptors ("mem", "kick" or "call"), whether it is served after a good start
MESSAGES = {
    "GET_FEATURES": (b"", [], True),
    "SET_FEATURES": (u64(FEATURES), [], True),
    "SET_OWNER": (b"", [], True),
    "RESET_OWNER": (b"", [], True),
    "SET_MEM_TABLE": (table(region()), ["mem"], True),
    "SET_VRING_NUM": (state(0, 256), [], True),
    "SET_VRING_ADDR": (addr(0), [], True),
    "SET_VRING_BASE": (state(0, 0), [], True),
    "GET_VRING_BASE": (state(0, 0), [], True),
    "SET_VRING_KICK": (u64(0), ["kick"], True),
    "SET_VRING_CALL": (u64(0), ["call"], True),
    "SET_VRING_ERR": (u64(0), ["call"], True),
    "GET_PROTOCOL_FEATURES": (b"", [], True),
    "SET_PROTOCOL_FEATURES": (u64(1 << 3), [], True),
    "GET_QUEUE_NUM": (b"", [], True),
    "SET_VRING_ENABLE": (state(0, 1), [], True),
    "NET_SET_MTU": (u64(1400), [], True),
    "SET_BACKEND_REQ_FD": (b"", ["call"], True),
    "SET_VRING_ENDIAN": (state(0, 0), [], True),
    "GET_CONFIG": (b"\0\0\0\0\x0c\0\0\0\0\0\0\0" + bytes(12), [], True),
    "SET_CONFIG": (b"\0\0\0\0\x01\0\0\0\0\0\0\0\0", [], True),
    "RESET_DEVICE": (b"", [], True),
    "GET_MAX_MEM_SLOTS": (b"", [], True),
    "ADD_MEM_REG": (u64(0) + region(GPA + SIZE, 4096, USER + SIZE, 4096), ["mem"], True),
    "REM_MEM_REG": (u64(0) + region(), ["mem"], True),
    "SET_STATUS": (u64(0), [], True),
    "GET_STATUS": (b"", [], True),
    "SET_LOG_BASE": (u64(4096) + u64(0), ["mem"], True),
    "SET_LOG_FD": (b"", ["call"], True),
    "SEND_RARP": (u64(0x020000000066), [], True),
    "IOTLB_MSG": (bytes(32), [], False),
    "POSTCOPY_ADVISE": (b"", [], False),
    "GET_INFLIGHT_FD": (bytes(24), [], False),
    "SET_INFLIGHT_FD": (bytes(24), ["mem"], False),
    "SET_DEVICE_STATE_FD": (bytes(8), ["call"], False),
    "CHECK_DEVICE_STATE": (b"", [], False),
}
ACTS = []  # (name, function)


def act(function):
    ACTS.append((function.__name__, function))
    return function


def fds_of(f, kinds):
    return [{"mem": f.fd, "kick": f.kick[0], "call": f.call[0]}[kind] for kind in kinds]


def acts_of_a_message(name, payload, kinds, served):
    """Its kin, as acts."""

    def good(f):
        f.start()
        f.send(name, payload, fds_of(f, kinds))
        if name in REPLIES:
            assert f.reply()
        assert f.sync() == served

    def twice(f):
        f.start()
        f.raw(2 * f.message(name, payload))  # the second without descriptors, if it needs them
        for _ in range(2):
            f.send(name, payload, fds_of(f, kinds))
        f.sync()

    def short(f):
        f.start()
        f.send(name, payload[:-1], fds_of(f, kinds))
        if payload:
            assert f.gone()

    def long(f):
        f.start()
        f.send(name, payload + bytes(300), fds_of(f, kinds))
        assert f.gone()

    def torn(f):
        f.start()
        whole = f.message(name, payload)
        for i in range(len(whole)):
            f.raw(whole[i : i + 1], fds_of(f, kinds) if i == 0 else ())
        f.sync()

    def first_of_all(f):
        f.send(name, payload, fds_of(f, kinds))
        f.sync()

    def unfinished(f):
        f.start()
        f.raw(f.message(name, payload)[: 12 + len(payload) // 2 if payload else 11], fds_of(f, kinds))

    def with_other_descriptors(f):
        f.start()
        f.send(name, payload, [f.fd] * (len(kinds) + 1))
        assert f.gone()

    def with_too_many_descriptors(f):
        f.start()
        f.send(name, payload, [f.fd] * 50)
        assert f.gone()

    def unnegotiated(f):
        f.negotiate(protocol=0)
        f.send(name, payload, fds_of(f, kinds))
        f.sync()

    for kin in (good, twice, short, long, torn, first_of_all, unfinished, with_other_descriptors,
                with_too_many_descriptors, unnegotiated):  # fmt: skip
        ACTS.append((f"{name}-{kin.__name__}", kin))


for _name, _row in MESSAGES.items():
    acts_of_a_message(_name, *_row)


# ---- headers and connections


@act
def every_request_number_that_is_not_served(f):
    f.start()
    f.send(max(NAMES.values()) + 1)
    assert f.gone()


@act
def garbage(f):
    f.raw(random.Random(1).randbytes(100000))
    assert f.gone()


@act
def http(f):
    f.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert f.gone()


@act
def reply_flag_set(f):
    f.send("GET_FEATURES", flags=5)
    assert f.gone()


@act
def version_zero(f):
    f.send("GET_FEATURES", flags=0)
    assert f.gone()


@act
def four_gigabytes_announced(f):
    f.send("SET_FEATURES", size=0xFFFFFFFF)
    assert f.gone()


@act
def questions_without_reading_answers(f):
    f.sock.setblocking(False)
    for _ in range(20000):
        f.raw(f.message("GET_FEATURES"))


@act
def descriptors_without_a_message(f):
    f.raw(b"\x01", [f.fd] * 8)
    f.raw(b"\0\0\0", [f.fd] * 8)
    assert f.gone()


@act
def as_many_messages_as_fit(f):
    f.start()
    f.raw(5000 * f.message("SET_VRING_ENABLE", state(1, 0)) + 5000 * f.message("SET_VRING_ENABLE", state(1, 1)))
    assert f.sync()


@act
def memory_tables_without_end(f):
    f.start()
    for _ in range(300):
        f.send("SET_MEM_TABLE", table(region()), [f.fd])
    assert f.sync()


@act
def rings_started_and_stopped_without_end(f):
    f.start()
    for _ in range(300):
        f.send("SET_VRING_KICK", u64(1), [f.kick[1]])
        f.send("SET_VRING_ENABLE", state(1, 0))
        f.send("SET_VRING_ENABLE", state(1, 1))
    assert f.sync()


# ---- what a ring may be


def act_of_a_ring(name, **how):
    def lie(f):
        f.start()
        f.ring(1, **how)
        f.sync()
        f.offer(1, 0)
        f.offer(0, 0)

    ACTS.append((f"ring-{name}", lie))


for _num in (0, 1, 3, 255, 32768, 65535, 65536, 0x80000000, 0xFFFFFFFF):
    act_of_a_ring(f"size-{_num}", num=_num)
for _part in ("desc", "avail", "used"):
    for _at in (1, -1, SIZE, SIZE - 1, SIZE - 16, -USER, 1 << 63, (1 << 64) - USER - 16):
        act_of_a_ring(f"{_part}-at-{_at:x}", address=addr(1, **{_part: _at}))
act_of_a_ring("all-parts-in-one-place", address=addr(1, avail=0, used=0))
act_of_a_ring("on-another-ring", address=addr(1, base=USER))


@act
def ring_index_out_of_bounds(f):
    for index in (5, 255, 256, 0xFFFFFFFF):
        f.send("SET_OWNER")
        f.send("SET_VRING_NUM", state(index, 256))
    assert f.gone()


@act
def size_changed_while_the_ring_runs(f):
    f.start()
    for _ in range(50):
        for num in (32768, 256, 1, 256):
            f.send("SET_VRING_NUM", state(1, num))
            f.offer(1, 0)
    assert f.sync()


@act
def features_changed_while_the_ring_runs(f):
    f.start()
    for i in range(50):
        f.send("SET_FEATURES", u64(FEATURES if i % 2 else FEATURES & ~(1 << 15 | 1 << 32)))
        f.offer(1, 0)
    assert f.sync()


# ---- what a guest writes into its rings


def act_of_a_guest(name, write, quarantined=None):
    def lie(f):
        assert f.start()
        write(f)
        if quarantined:
            system.until(lambda: quarantined in (f.scene.daemon.port("evil.0")["quarantine"] or ""), 10)

    ACTS.append((f"guest-{name}", lie))


def one_chain(ring, *descs):
    def write(f):
        for n, d in enumerate(descs):
            f.desc(ring, n, *d)
        f.offer(ring, 0)

    return write


BUF = GPA + BUFFERS
act_of_a_guest("index-runs-ahead", lambda f: f.offer(1, idx=ENTRIES + 1), "ran ahead")
act_of_a_guest("index-runs-back", lambda f: f.offer(1, idx=0xFFFF), "ran ahead")
act_of_a_guest("head-out-of-bounds", lambda f: f.offer(1, ENTRIES), "not there")
act_of_a_guest("circle", one_chain(1, (BUF, 64, NEXT, 1), (BUF, 64, NEXT, 0)), None)
act_of_a_guest("next-out-of-bounds", one_chain(1, (BUF, 64, NEXT, 65535)), "outside its table")
act_of_a_guest("buffer-outside", one_chain(1, (0, 64)), "outside the memory")
act_of_a_guest("buffer-over-the-end", one_chain(1, (GPA + SIZE - 32, 64)), "outside the memory")
act_of_a_guest("buffer-wraps", one_chain(1, ((1 << 64) - 32, 64)), "outside the memory")
act_of_a_guest("write-only-to-send", one_chain(1, (BUF, 64, WRITE)), "write-only")
act_of_a_guest("indirect-in-chain", one_chain(1, (BUF, 64, NEXT, 1), (BUF, 64, INDIRECT)), "inside a chain")
act_of_a_guest("indirect-with-next", one_chain(1, (BUF, 64, INDIRECT | NEXT)), "successor")
act_of_a_guest("indirect-odd", one_chain(1, (BUF, 17, INDIRECT)), "length cannot be")
act_of_a_guest("indirect-empty", one_chain(1, (BUF, 0, INDIRECT)), "length cannot be")
act_of_a_guest("indirect-huge", one_chain(1, (BUF, 16 * 65536, INDIRECT)), "length cannot be")
act_of_a_guest("indirect-outside", one_chain(1, (0, 64, INDIRECT)), "outside the memory")
act_of_a_guest("empty-descriptors", one_chain(1, *[(BUF, 0, NEXT, n + 1) for n in range(ENTRIES - 1)], (BUF, 0)), None)
act_of_a_guest("four-gigabytes", one_chain(1, (BUF, 0xFFFFFFFF)), None)
act_of_a_guest("one-byte", one_chain(1, (BUF, 1)), None)
act_of_a_guest("read-only-to-receive", one_chain(0, (BUF, 2048)), None)
act_of_a_guest("nothing-to-receive-in", one_chain(0, (BUF, 0, WRITE)), None)


@act
def guest_rings_of_noise(f):
    noise = random.Random(2)
    assert f.start()
    for _ in range(40):
        f.mem[0 : 2 * RING] = noise.randbytes(2 * RING)
        f.poke(1)
        time.sleep(0.002)


@act
def guest_kicks_without_end(f):
    assert f.start()
    for _ in range(20000):
        f.poke(1)


# ---- memory


def act_of_memory(name, *regions, fd=None):
    def lie(f):
        f.negotiate()
        file = os.open(fd, os.O_RDWR) if fd else f.fd
        f.send("SET_MEM_TABLE", table(*regions), [file] * min(len(regions), 8))
        if fd:
            os.close(file)
        assert f.gone()

    ACTS.append((f"memory-{name}", lie))


act_of_memory("none")
act_of_memory("nine-regions", *[region(i << 20, 4096, i << 20) for i in range(9)])
act_of_memory("longer-than-its-file", region(size=SIZE + 1))
act_of_memory("beyond-its-file", region(size=4096, offset=SIZE))
act_of_memory("offset-overflows", region(size=4096, offset=(1 << 64) - 4096))
act_of_memory("empty", region(size=0))
act_of_memory("address-overflows", region(gpa=(1 << 64) - 1))
act_of_memory("user-address-overflows", region(user=(1 << 64) - 1))
act_of_memory("half-of-all-there-is", region(size=1 << 63))
act_of_memory("twice-the-same", region(), region())
act_of_memory("overlapping", region(size=8192), region(gpa=GPA + 4096, user=USER + 8192, size=4096))
act_of_memory("a-device", region(size=4096), fd="/dev/zero")


def act_of_truncation(name, when):
    def lie(f):
        assert f.start()
        when(f)

    ACTS.append((f"truncated-{name}", lie))


def truncate(f, to=0):
    os.ftruncate(f.fd, to)


def truncated_while_running(f):
    truncate(f)
    f.poke(1)
    system.until(lambda: "truncated" in (f.scene.daemon.port("evil.0")["quarantine"] or ""), 10)


def truncated_then_released(f):
    truncated_while_running(f)
    f.scene.daemon.call("port-release", port="evil.0")
    assert f.gone()


def truncated_and_restarted(f):
    truncate(f)
    for _ in range(2):
        f.ask("GET_VRING_BASE", state(0, 0))
        f.ask("GET_VRING_BASE", state(1, 0))
        f.ring(0)
        f.ring(1)
    f.sync()


def truncated_and_grown_in_turns(f):
    f.offer(1, *[0] * 64)
    for _ in range(200):
        truncate(f)
        truncate(f, SIZE)
        f.poke(1)


def truncated_under_frames(f):
    for n in range(ENTRIES):
        f.desc(1, n, BUF, 1514 + 12)
        f.desc(0, n, BUF, 2048, WRITE)
    f.offer(0, *range(ENTRIES))
    f.offer(1, *range(ENTRIES))
    truncate(f, RING * 2)
    f.poke(1)


def truncated_between_messages(f):
    for index in (0, 1):
        f.send("SET_VRING_ENABLE", state(index, 0))
    f.sync()
    truncate(f)
    for index in (0, 1):
        f.send("SET_VRING_ENABLE", state(index, 1))
    f.sync()


def truncated_with_a_control_queue(f):
    f.ring(2)
    f.sync()
    truncate(f)
    f.poke(2)


for _when in (truncated_while_running, truncated_then_released, truncated_and_restarted, truncated_and_grown_in_turns,
              truncated_under_frames, truncated_between_messages, truncated_with_a_control_queue):  # fmt: skip
    act_of_truncation(_when.__name__.removeprefix("truncated_"), _when)


# ---- descriptors that are shared


@act
def a_full_eventfd_that_blocks(f):
    os.eventfd_write(f.call[1], (1 << 64) - 2)
    os.set_blocking(f.call[1], True)
    os.eventfd_write(f.kick[1], (1 << 64) - 2)
    os.set_blocking(f.kick[1], True)
    assert f.start()
    for n in range(ENTRIES):
        f.desc(1, n, BUF, 64 + 12)
        f.mem[BUFFERS : BUFFERS + 76] = bytes(12 + 6) + b"\x02\0\0\0\0\x66" + bytes(52)
        at = RING + AVAIL
        f.mem[at + 2 : at + 4] = (n + 1).to_bytes(2, "little")
    system.until(lambda: f.mem[RING + USED + 2 : RING + USED + 4] == ENTRIES.to_bytes(2, "little"), 10)


@act
def a_call_socket_that_nobody_reads(f):
    ours, theirs = socket.socketpair()
    f.start()
    f.send("SET_VRING_CALL", u64(1), [theirs.fileno()])
    assert f.sync()
    for n in range(ENTRIES):
        f.desc(1, n, BUF, 76)
        f.offer(1, n)
    time.sleep(0.05)
    ours.close()
    theirs.close()


def act_of_a_descriptor(name, make):
    def lie(f):
        for message in ("SET_VRING_KICK", "SET_VRING_CALL"):
            fds = make()
            f.start() if message == "SET_VRING_KICK" else None
            f.send(message, u64(0), [fds[0]])
            for fd in fds:
                os.close(fd)
        assert f.gone()

    ACTS.append((f"descriptor-{name}", lie))


act_of_a_descriptor("of-a-pipe", lambda: os.pipe()[::-1])
act_of_a_descriptor("of-a-file", lambda: [os.open("/etc/passwd", os.O_RDONLY)])
act_of_a_descriptor("of-dev-zero", lambda: [os.open("/dev/zero", os.O_RDWR)])
act_of_a_descriptor("of-a-datagram-socket", lambda: [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach()])
act_of_a_descriptor("of-a-tcp-socket", lambda: [socket.socket(socket.AF_INET).detach()])


# ---- the test


@pytest.mark.parametrize("act", [pytest.param(function, id=name) for name, function in ACTS])
def test_nobody_else_notices(scene, act):
    frames, lost = scene.ask()
    front = Front(scene.port)
    front.scene = scene
    try:
        act(front)
    finally:
        front.close()
    assert scene.daemon.process.poll() is None, scene.daemon.log()
    system.until(lambda: scene.holds() == scene.before, 20)
    system.until(lambda: scene.ask()[0] > frames, 20)
    assert scene.ask()[1] == lost == 0


def count_acts():
    return len(ACTS)


def test_there_are_acts_enough():
    assert count_acts() >= 150
    assert len({name for name, _ in ACTS}) == count_acts()


def test_a_thousand_connections_at_once(scene):
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(files, min(most, 4096)), most))
    for half_a_message in (False, True):
        held = []
        for _ in range(1000):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(5)
            try:
                sock.connect(scene.port)
                if half_a_message:
                    sock.send(b"\1\0\0\0")
            except OSError:
                pass
            held.append(sock)
        assert len(scene.daemon.call("stats", port="evil.0")["ports"]) == 1
        for sock in held:
            sock.close()
    system.until(lambda: scene.holds() == scene.before, 20)
    assert scene.ask()[1] == 0


def test_a_good_front_end_is_served_after_all_that(scene):
    front = Front(scene.port)
    try:
        assert front.start()
        system.until(lambda: scene.daemon.port("evil.0")["connected"], 10)
        assert scene.daemon.port("evil.0")["quarantine"] is None
        front.desc(1, 0, BUF, 76)
        front.offer(1, 0)
        system.until(lambda: front.mem[RING + USED + 2] == 1, 10)
    finally:
        front.close()


def test_no_memory_is_kept_of_all_that(scene):
    assert scene.resident_kb() < scene.resident_before + 4096  # 10 KB an act would show
