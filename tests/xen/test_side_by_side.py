# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's netback with its bridge and xbard, in turns, under the same guests in one boot.

Everything is emulated, so the ratio of times is the emulator's and says nothing about a real machine. What does not
depend on time is how many operations on grants and event channels a frame takes, and in how many hypercalls.
"""

import os
import re

from conftest import PRIVATE

ROUNDS = int(os.environ.get("XEN_COMPARE") or 1)

# The kernel functions behind every grant hypercall of both, with the argument that is the number of operations; then those
# behind event channels, one operation each: a signal by the kernel, a signal by a process, an unmask by a process.
PROBES = {
    "copy": ("gnttab_batch_copy", "%si"),
    "map": ("gnttab_map_refs", "%cx"),
    "unmap": ("gnttab_unmap_refs", "%cx"),
    "ksignal": ("notify_remote_via_irq", "\\1"),
    "usignal": ("evtchn_ioctl", "\\1"),
    "unmask": ("evtchn_write", "\\1"),
}
TRACING = "/sys/kernel/tracing"


def arm(host):
    for name, (function, argument) in PROBES.items():
        host.run(
            f"cd {TRACING}; [ -e events/kprobes/{name} ] || {{ echo 'p:{name} {function} n={argument}:u32' >>kprobe_events &&"
            f" echo 'hist:keys=common_type:vals=hitcount,n' >events/kprobes/{name}/trigger; }}"
        )


def count(host):
    """Batches and operations of each kind so far."""
    said = host.out("; ".join(f"echo ==; cat {TRACING}/events/kprobes/{name}/hist" for name in PROBES)).split("==")[1:]
    return {
        name: tuple(sum(map(int, re.findall(rf"\b{word}:\s+(\d+)", text))) for word in ("hitcount", "n"))
        for name, text in zip(PROBES, said)
    }


def frames(host):
    """Frames received by guest2's private NIC."""
    return int(host.guest("guest2", "cat /sys/class/net/eth1/statistics/rx_packets"))


def to_kernel(host):
    host.run("xl destroy guest1; xl destroy guest2; xbar stop; true", 300)
    host.run(
        "insmod $(find /lib/modules -name 'xen-netback.ko*'); modprobe bridge; for b in xenbr0 xenbr1; do"
        " ip link add $b type bridge; ip link set $b up; done"
        "; ip addr add 172.16.16.1/24 dev xenbr1"
    )


def to_xbard(host):
    host.run("xl destroy guest1; xl destroy guest2; rmmod xen-netback; for b in 0 1; do ip link del xenbr$b; done; true", 300)
    host.run("xbar show >/dev/null 2>&1 || xbard-up", 180)


def measure(host):
    result = {}
    for kind, options in {"tcp": "-t 5", "udp64": "-u -b 0 -l 22 -t 5"}.items():
        before, had = count(host), frames(host)
        result[kind] = host.iperf(PRIVATE["guest2"], options, guest="guest1")
        after, got = count(host), frames(host) - had
        result[kind + " frames"] = got
        for name, (batches, operations) in after.items():
            result[f"{kind} {name}/frame"] = (operations - before[name][1]) / got
        calls = sum(batches - before[name][0] for name, (batches, _) in after.items())
        result[kind + " hypercalls/frame"] = calls / got
    return result


def test_both_backends_in_turns(host, capsys):
    arm(host)
    runs = {"netback": [], "xbard": []}
    try:
        for _ in range(ROUNDS):
            for name, change in (("netback", to_kernel), ("xbard", to_xbard)):
                change(host)
                for guest in PRIVATE:
                    host.run(f"xl create /etc/xen/{guest}.cfg", 240)
                    host.answers(PRIVATE[guest])
                runs[name].append(measure(host))
                with capsys.disabled():
                    print(f"\n{name}: {runs[name][-1]}", flush=True)
    finally:
        to_xbard(host)
    with capsys.disabled():
        print("\nemulated; guest1 to guest2 over xenbr1, rounds side by side; Mbit/s, and operations per frame received")
        for key in runs["xbard"][0]:
            values = {name: [run[key] for run in of] for name, of in runs.items()}
            mean = {name: sum(of) / len(of) for name, of in values.items()}
            ratio = f"{mean['xbard'] / mean['netback']:8.2f}" if mean["netback"] else "       -"
            print(f"{key:26}" + "".join(f" {n} " + " ".join(f"{v:9.3f}" for v in of) for n, of in values.items()) + ratio)
    assert all(run["tcp"] > 0 and run["udp64"] > 0 for of in runs.values() for run in of)
