# SPDX-License-Identifier: BSD-3-Clause
"""What users without rights cannot do to the daemon, whose its sockets are, and what it may do itself."""

import contextlib
import os
import re
import resource
import shutil
import socket
import stat
import subprocess
import time

import pytest
from conftest import TOP, until

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def python(prefix, code, *args, **kwargs):
    """Run Python text as `prefix` says; once it has printed a line it is ready."""
    argv = [*prefix, "/usr/bin/python3", "-c", code, *map(str, args)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, **kwargs)
    process.stdout.readline()
    return process


@contextlib.contextmanager
def ended(process):
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def owner(path):
    st = os.lstat(path)
    return (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode))


# ---- the run directory and the lock --------------------------------------------------------------------------------------

FLOCK = """
import fcntl, os, sys, time
try:
    fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
    print("locked", flush=True)
except PermissionError:
    print("refused", flush=True)
time.sleep(60)
"""


def test_no_other_user_can_hold_the_lock(daemon):
    lock = daemon.rundir / "xbard.lock"
    assert owner(lock) == (0, 0, 0o600)
    daemon.kill9()
    with ended(python(NOBODY, FLOCK, lock)):
        daemon.start()


def test_a_lock_that_others_could_open_is_replaced(make_daemon):
    d = make_daemon()
    d.rundir.mkdir()
    lock = d.rundir / "xbard.lock"
    for text, mode, uid in (("", 0o644, 0), ("4194305\n", 0o644, 0), (f"{os.getpid()}\n", 0o644, 0), ("", 0o600, 65534)):
        lock.write_text(text)
        lock.chmod(mode)
        os.chown(lock, uid, -1)
        with ended(python(NOBODY, FLOCK, lock)) if str(os.getpid()) not in text else contextlib.nullcontext():
            d.start()
        assert owner(lock) == (0, 0, 0o600)
        assert d.stop() == 0


def test_the_lock_of_a_daemon_of_an_earlier_version_counts(daemon):
    (daemon.rundir / "xbard.lock").chmod(0o644)
    done = daemon.fails()
    assert done.returncode == 1
    assert f"process {daemon.process.pid} " in done.stderr


@pytest.mark.parametrize("uid, mode, sentence", [(65534, 0o755, "belongs to user 65534"), (0, 0o775, "chmod go-w"), (0, 0o757, "chmod go-w")])
def test_a_directory_that_others_may_write_to_is_refused(make_daemon, uid, mode, sentence):
    d = make_daemon()
    d.rundir.mkdir()
    d.rundir.chmod(mode)
    os.chown(d.rundir, uid, -1)
    done = d.fails()
    assert done.returncode == 1
    assert sentence in done.stderr
    assert not list(d.rundir.iterdir())


def test_what_is_no_lock_file_is_named(make_daemon):
    d = make_daemon()
    d.rundir.mkdir()
    os.mkfifo(d.rundir / "xbard.lock")
    assert "is not a regular file" in d.fails().stderr


# ---- the paths of vifs' sockets ------------------------------------------------------------------------------------------


def test_adding_a_vif_removes_nothing_but_a_stale_socket(make_daemon):
    d = make_daemon(conf='socket_group = "daemon"').start()
    member = ("setpriv", "--reuid=65534", "--regid=65534", "--groups=1")
    d.call("bridge-add", name="xenbr0", host=False)
    vhost = d.rundir / "vhost"
    file = vhost / "file.sock"
    file.write_text("kept")
    elsewhere = d.dir / "elsewhere"
    elsewhere.mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(elsewhere / "a.sock"))
    subprocess.run([*member, "ln", "-s", str(elsewhere), str(vhost / "dir")], check=True)
    subprocess.run([*member, "ln", "-s", str(elsewhere / "a.sock"), str(vhost / "link.sock")], check=True)

    def add(path):
        return d.xbar("vif", "add", "v", "xenbr0", "--server", "--socket", path, prefix=member, check=False)

    assert "not a socket" in add(file).stderr
    assert "symbolic link" in add(vhost / "dir" / "a.sock").stderr
    assert "symbolic link" in add(vhost / "dir" / "new.sock").stderr
    assert "not a socket" in add(vhost / "link.sock").stderr
    assert file.read_text() == "kept"
    assert [path.name for path in elsewhere.iterdir()] == ["a.sock"]
    assert d.call("vif-list") == {"vifs": []}
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(vhost / "v.sock"))
    assert add(vhost / "v.sock").returncode == 0
    (vhost / "v.sock").unlink()
    (vhost / "v.sock").write_text("kept")
    d.call("vif-del", name="v")
    assert (vhost / "v.sock").read_text() == "kept"
    (vhost / "v.sock").unlink()
    file.unlink()


# ---- whose the sockets are -----------------------------------------------------------------------------------------------

LIBVIRT = ("setpriv", "--reuid=65533", "--regid=65533", "--groups=7")
CONNECT = "import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


def may_connect(prefix, path):
    done = subprocess.run([*prefix, "/usr/bin/python3", "-c", CONNECT, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("way", ["kill9", "keep"])
def test_sockets_keep_owner_group_and_mode_over_a_restart(make_daemon, way):
    d = make_daemon(conf='vhost_group = "7"\nvhost_mode = "0620"').start()
    d.call("bridge-add", name="xenbr0", host=False)
    d.xbar("vif", "add", "a", "xenbr0", "--server")
    d.xbar("vif", "add", "b", "xenbr0", "--server", "--socket-owner", "nobody", "--socket-group", "daemon", "--socket-mode", "0600")
    sockets = {"xbard.sock": (0, 0, 0o666), "vhost/a.sock": (0, 7, 0o620), "vhost/b.sock": (65534, 1, 0o600)}

    def check():
        assert {name: owner(d.rundir / name) for name in sockets} == sockets
        assert owner(d.rundir / "vhost")[1:] == (7, 0o1771)
        assert may_connect(LIBVIRT, d.rundir / "vhost/a.sock")
        assert not may_connect(LIBVIRT, d.rundir / "vhost/b.sock")
        assert may_connect(NOBODY, d.rundir / "vhost/b.sock")
        assert not may_connect(NOBODY, d.rundir / "vhost/a.sock")

    check()
    if way == "keep":
        d.xbar("stop", "--keep")
        d.wait()
    else:
        d.kill9()
    d.write_conf('vhost_group = "7"\nvhost_owner = "nobody"')
    d.start()
    check()
    assert "only root" in d.xbar("stop", prefix=LIBVIRT, check=False).stderr


def test_what_was_set_by_hand_is_kept_if_nothing_else_was_asked_for(daemon):
    daemon.call("bridge-add", name="xenbr0", host=False)
    for name in ("a", "b"):
        daemon.call("vif-add", name=name, bridge="xenbr0", server=True)
    a, b = (daemon.rundir / "vhost" / f"{name}.sock" for name in "ab")
    assert owner(a) == owner(b) == (0, 0, 0o660)
    a.chmod(0o606)
    os.chown(a, -1, 7)
    os.chown(b, 65534, 7)
    daemon.kill9()
    daemon.start()
    assert owner(a) == (0, 7, 0o606)
    assert owner(b) == (0, 0, 0o660)


def test_access_that_cannot_be_is_refused_with_a_sentence(make_daemon):
    d = make_daemon(conf='vhost_owner = "nosuch"')
    assert "vhost_owner: there is no user nosuch" in d.fails().stderr
    d.write_conf('vhost_group = "nosuch"')
    assert "vhost_group: there is no group nosuch" in d.fails().stderr
    d.write_conf("")
    d.start()
    d.call("bridge-add", name="xenbr0", host=False)
    assert "there is no user nosuch" in d.error("vif-add", name="v", bridge="xenbr0", server=True, socket_owner="nosuch")
    assert "there is no group nosuch" in d.error("vif-add", name="v", bridge="xenbr0", server=True, socket_group="nosuch")
    assert "not a file mode" in d.error("vif-add", name="v", bridge="xenbr0", server=True, socket_mode="0800")
    assert "not a file mode" in d.error("vif-add", name="v", bridge="xenbr0", server=True, socket_mode="777x")
    assert '"server"' in d.error("vif-add", name="v", bridge="xenbr0", socket_mode="0600")
    assert d.call("vif-list") == {"vifs": []}
    assert not list((d.rundir / "vhost").iterdir())


# ---- the control socket --------------------------------------------------------------------------------------------------


def test_refusals_to_lookers_do_not_fill_the_log(daemon):
    ask = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\ns.sendall(b'{\"cmd\":\"stop\"}\\n'*500)\ns.shutdown(1)\nn=0\nwhile d:=s.recv(65536): n+=d.count(b'only root')\nprint(n)"
    for _ in range(2):
        done = subprocess.run([*NOBODY, "/usr/bin/python3", "-c", ask, str(daemon.socket)], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout == "500\n"
    assert daemon.log().count("refused to user 65534: stop: only root") == 5
    assert len(daemon.log().splitlines()) < 20


CROWD = """
import socket, sys
clients = []
for i in range(400):
    c = socket.socket(socket.AF_UNIX)
    c.connect(sys.argv[1])
    c.setblocking(False)
    clients.append(c)
    if i % 2:
        try:
            c.send(b'{"cmd": "stats"}\\n' * 3000 + b'{"cmd"')
        except (BlockingIOError, BrokenPipeError):
            pass
print("ready", flush=True)
while True:
    for c in clients[-8:]:
        c.close()
    for i in range(8):
        clients[-8 + i] = c = socket.socket(socket.AF_UNIX)
        c.connect(sys.argv[1])
    for c in clients:
        try:
            while c.recv(1 << 20):
                pass
        except OSError:
            pass
"""


def test_a_crowd_of_another_user_does_not_make_root_wait(daemon):
    daemon.call("bridge-add", name="xenbr0", host=False)
    for i in range(200):
        daemon.call("vif-add", name=f"vif{i}.0", bridge="xenbr0")
    with ended(python(NOBODY, CROWD, daemon.socket)), ended(python(("setpriv", "--reuid=65533", "--regid=65533", "--clear-groups"), CROWD, daemon.socket)):
        longest = 0
        for _ in range(50):
            begin = time.monotonic()
            assert daemon.call("status")["ports"] == 200
            longest = max(longest, time.monotonic() - begin)
        assert longest < 0.5, longest


def test_a_user_may_have_eight_clients_and_keeps_nobody_else_out(daemon):
    hold = "import socket,sys,time\ns=[]\nfor i in range(9):\n c=socket.socket(socket.AF_UNIX); c.connect(sys.argv[1]); s.append(c)\nprint(s[-1].recv(1000),flush=True)\ntime.sleep(60)"
    other = ("setpriv", "--reuid=65533", "--regid=65533", "--clear-groups")
    with ended(python(NOBODY, hold, daemon.socket)):
        assert "too many clients of this user" in daemon.xbar("status", prefix=NOBODY, check=False).stderr
        daemon.xbar("status", prefix=other)
        daemon.xbar("status")
    until(lambda: daemon.xbar("status", prefix=NOBODY, check=False).returncode == 0)


# ---- what the daemon may do itself ---------------------------------------------------------------------------------------

# ipc_lock too, unless memory may be locked without limit.
NEEDED = {"chown", "dac_override", "fowner", "kill", "net_admin", "net_raw"}
NUMBERS = {"chown": 0, "dac_override": 1, "fowner": 3, "kill": 5, "net_admin": 12, "net_raw": 13, "ipc_lock": 14, "sys_module": 16, "bpf": 39}


def mask(names):
    return sum(1 << NUMBERS[name] for name in names)


def threads(pid):
    """{thread's name: the lines of its status, numbers of capabilities as such}, for each thread."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
        found.append({key: int(value, 16) if key.startswith("Cap") else value for key, value in status.items()})
    return found


def ours():
    """The capabilities that the daemon gets from us to begin with."""
    return threads(os.getpid())[0]["CapBnd"]


def test_what_is_not_needed_is_dropped(make_daemon):
    d = make_daemon(conf="workers = 2").start()
    needed = NEEDED | ({"ipc_lock"} if resource.prlimit(d.process.pid, resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY else set())
    # A worker is confined before it serves anything, which may be later than the daemon is ready.
    until(lambda: [t["Seccomp"] for t in threads(d.process.pid) if t["Name"] == "xbar-worker"] == ["2", "2"])
    for thread in threads(d.process.pid):
        assert thread["NoNewPrivs"] == "1"
        assert thread["CapBnd"] & ~mask(needed) == 0
        assert thread["CapInh"] == thread["CapAmb"] == 0
        assert thread["CapPrm"] == thread["CapEff"]
        if thread["Name"] == "xbar-worker":
            assert (thread["CapEff"], thread["Seccomp"]) == (0, "2")
        else:
            assert (thread["CapEff"], thread["Seccomp"]) == (mask(needed) & ours(), "0")
    assert "capabilities kept: chown dac_override fowner kill net_admin net_raw " in d.log()


@pytest.mark.parametrize("conf, kept", [("", None), ('capabilities = "sys_module"', NEEDED | {"sys_module"})])
def test_a_script_of_the_administrators_has_what_is_configured(make_daemon, conf, kept):
    script = '#!/bin/sh\ngrep -E "^(Cap|NoNew)" /proc/self/status >>"$XBAR_RUNDIR/../status"\n'
    d = make_daemon(conf=conf, xend="(network-script mine)", scripts={"mine": script}).start()
    status = dict(line.split(":\t") for line in (d.dir / "status").read_text().splitlines())
    want = ours() if kept is None else mask(kept) & ours()
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16)
    assert int(status["CapEff"], 16) & ~mask({"ipc_lock"}) == want & ~mask({"ipc_lock"})
    assert status["NoNewPrivs"] == "1"
    until(lambda: all(thread["CapEff"] == 0 for thread in threads(d.process.pid) if thread["Name"] == "xbar-worker"))


def test_an_uplink_whose_driver_needs_more_says_what(daemon):
    daemon.netns.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
    daemon.call("bridge-add", name="xenbr0", host=False)
    assert 'capabilities = "bpf perfmon sys_admin"' in daemon.error("uplink-add", bridge="xenbr0", netdev="eth0", driver="af_xdp")
    daemon.call("uplink-add", bridge="xenbr0", netdev="eth0", driver="af_packet")


def test_the_unit_is_confined(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze")
    unit = tmp_path / "xbard.service"
    unit.write_text((TOP / "conf" / "xbard.service").read_text().replace("@PREFIX@", "/usr"))
    argv = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze reads no files")
    level = re.search(r"exposure level for xbard.service: ([\d.]+)", done.stdout)
    assert level and float(level[1]) < 3.5, done.stdout + done.stderr
    text = unit.read_text()
    bounding = {name.lower() for line in re.findall(r"^CapabilityBoundingSet=(.*)$", text, re.M) for name in line.replace("CAP_", "").split()}
    assert bounding == NEEDED - {"kill"}
    assert "\nStartLimitIntervalSec=0\n" in text
