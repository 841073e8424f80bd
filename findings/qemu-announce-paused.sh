#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# QEMU 7.2 (1:7.2+dfsg-7+deb12u18): announce-self of a paused machine succeeds and sends nothing before `cont`, then all at once.
#
# Expected: the announcement is QEMU's own (RARP frames made on the host, the guest has no part in it), and announcing for a
# guest that does not run yet is what it is for. So the frames leave when they are asked for, at the intervals asked for; or
# the command is refused. An unknown name in `interfaces` is refused.
# Instead: QMP answers {}, and the frames wait in the queue between card and back-end, which a paused machine does not empty.
# At `cont` all rounds leave within the same few milliseconds. An interface that does not exist is answered {} as well.
#
# Seen (rounds 3, initial 50 ms, step 50 ms, cap 200 ms; stream netdev):
#         paused: 0 frames in 1.5 s      after cont: 3 frames within 1 ms      running: 3 frames, 50 and 110 ms apart
#
# Why it matters: a manager that moves a paused guest and announces it before it goes on believes that the switches have
# learned the new place. They have not; and rounds, meant to survive a loss, are one burst that is lost as a whole.
# shellcheck source-path=SCRIPTDIR
. "${0%/*}/box.sh"
box qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 qemu-system-common=1:7.2+dfsg-7+deb12u18+b3 \
	qemu-system-data=1:7.2+dfsg-7+deb12u18 seabios=1.16.2-1 python3=3.11.2-1+b1

cat >announce.py <<'END'
import json, select, socket, struct, subprocess, time


def connect(path):
    for _ in range(300):
        try:
            s = socket.socket(socket.AF_UNIX)
            s.connect(path)
            return s
        except OSError:
            time.sleep(0.1)
    raise SystemExit("no " + path)


def command(name, **arguments):
    qmp.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
    qmp.flush()
    while True:
        answer = json.loads(qmp.readline())
        if "event" not in answer:
            return answer


def frames(seconds):
    """The times at which RARP frames came, in seconds from the first."""
    times, end = [], time.monotonic() + seconds
    while select.select([net], [], [], max(0, end - time.monotonic()))[0]:
        frame = net.recv(struct.unpack("!I", net.recv(4, socket.MSG_WAITALL))[0], socket.MSG_WAITALL)
        if frame[12:14] == b"\x80\x35":
            times.append(time.monotonic())
    return [t - times[0] for t in times]


qemu = subprocess.Popen(["qemu-system-x86_64", "-S", "-nodefaults", "-display", "none", "-qmp", "unix:qmp,server=on,wait=off",
                         "-netdev", "stream,id=n,server=on,addr.type=unix,addr.path=net", "-device", "e1000,netdev=n,romfile="])
net, qmp = connect("net"), connect("qmp").makefile("rw")
qmp.readline()
command("qmp_capabilities")
rounds = dict(initial=50, max=200, rounds=3, step=50)
print(*command("announce-self", **rounds))
paused = frames(1.5)
command("cont")
after = frames(1.5)
command("announce-self", **rounds)
running = frames(1.5)
print(len(paused), len(after), len(running), after[-1] < 0.04, running[-1] > 0.08)
print(*command("announce-self", interfaces=["nosuch"], **rounds), len(frames(1)))
qemu.kill()
END
seen "the answer; frames paused, after cont, running, and whether they came at once; an unknown interface" "return
0 3 3 True True
return 0" "$(python3 announce.py 2>log)"
ok "0 frames while paused, 3 at once after cont"
