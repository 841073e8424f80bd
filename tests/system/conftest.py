# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures for tests that run the real daemon, as root, each in its own network namespaces.

    def test_something(daemon):                 # a started daemon with an empty configuration
        daemon.xbar("bridge", "add", "xenbr0")
        assert daemon.call("show")["bridges"][0]["name"] == "xenbr0"
        daemon.netns.run("ip", "addr", "add", "10.0.0.1/24", "dev", "xenbr0")

    def test_other(make_daemon, make_netns):    # factories: any number, all cleaned up afterwards
        d = make_daemon(conf="workers = 2", xend="(network-script my_script)", scripts={"my_script": "#!/bin/sh\\n..."})
        d.start()

The programs are those in $XBAR_BUILD (default: build/ at the top of the tree). Every path is short, because paths of unix
sockets are limited.
"""

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("XBAR_BUILD", TOP / "build")).resolve()
_numbers = itertools.count()


class CallError(Exception):
    """The daemon answered with an error; str() is its message."""


def until(what, seconds=10, every=0.02):
    """Call `what` until it returns something true, and return that; fail after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        result = what()
        if result:
            return result
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(every)


class Netns:
    """A network namespace with loopback up."""

    def __init__(self, hint="ns"):
        self.name = f"xt-{os.getpid()}-{next(_numbers)}-{hint}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.run("ip", "link", "set", "lo", "up")

    def argv(self, *argv):
        return ["ip", "netns", "exec", self.name, *map(str, argv)]

    def run(self, *argv, check=True, **kwargs):
        """Run a command in the namespace; returns its process, with text in .stdout and .stderr."""
        kwargs.setdefault("timeout", 60)
        done = subprocess.run(self.argv(*argv), text=True, capture_output=True, check=False, **kwargs)
        assert not check or done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def popen(self, *argv, **kwargs):
        return subprocess.Popen(self.argv(*argv), **kwargs)

    def ip(self, *args):
        """`ip -json ARGS` as data."""
        return json.loads(self.run("ip", "-json", *args).stdout or "[]")

    def links(self):
        return {link["ifname"] for link in self.ip("link", "show")}

    def close(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False)


class Daemon:
    """An xbard with its own directory and configuration, in the given network namespace."""

    def __init__(self, netns, conf="", xend=None, scripts=None):
        self.netns = netns
        self.dir = Path(tempfile.mkdtemp(prefix="xt-", dir="/tmp"))
        self.dir.chmod(0o755)
        self.rundir = self.dir / "run"
        self.socket = self.rundir / "xbard.sock"
        self.state_dir = self.rundir / "state.d"
        self.scripts = self.dir / "scripts"
        self.conf_path = self.dir / "xbar.conf"
        self.xend_path = self.dir / "xend-config.sxp"
        self.log_path = self.dir / "log"
        self.process = None
        self.notify = None
        self.scripts.mkdir()
        for name, text in (scripts or {}).items():
            self.script(name, text)
        self.write_conf(conf)
        self.xend_path.write_text(xend if xend is not None else "# nothing\n")

    def write_conf(self, conf):
        """Write xbar.conf, with script_dir added unless `conf` sets it."""
        if "script_dir" not in conf:
            conf += f'\nscript_dir = "{self.scripts}"\n'
        self.conf_path.write_text(conf)

    def script(self, name, text):
        path = self.scripts / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    @property
    def env(self):
        return {**os.environ, "XBAR_SOCKET": str(self.socket)}

    def argv(self, *options):
        return [
            str(BUILD / "xbard"),
            f"--config={self.conf_path}",
            f"--xend-config={self.xend_path}",
            f"--rundir={self.rundir}",
            *options,
        ]

    def launch(self, *options, env=None):
        """Start the process and return at once."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.netns.argv(*self.argv(*options)),
                env={**self.env, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start(self, *options, seconds=30):
        """Start it, and wait for READY=1."""
        self.forget_notify()
        path = self.dir / f"notify{next(_numbers)}"
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(path))
        self.notify.settimeout(0.2)
        self.launch(*options, env={"NOTIFY_SOCKET": str(path)})
        end = time.monotonic() + seconds
        while True:
            try:
                if b"READY=1" in self.notify.recv(4096):
                    return self
            except TimeoutError:
                pass
            assert self.process.poll() is None, f"xbard ended at start:\n{self.log()}"
            assert time.monotonic() < end, f"xbard is not ready:\n{self.log()}"

    def forget_notify(self):
        if self.notify:
            self.notify.close()
            self.notify = None

    def fails(self, *options, prefix=(), seconds=30):
        """Run it, expecting it to exit by itself; returns the completed process (.returncode, .stderr)."""
        return subprocess.run(
            [*self.netns.argv(), *prefix, *self.argv(*options)],
            env=self.env,
            text=True,
            capture_output=True,
            timeout=seconds,
            check=False,
        )

    def stop(self, sig=signal.SIGTERM, seconds=30):
        """A clean stop; returns the exit status."""
        self.process.send_signal(sig)
        return self.wait(seconds)

    def wait(self, seconds=30):
        status = self.process.wait(seconds)
        self.process = None
        return status

    def kill9(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def await_log(self, text, seconds=10):
        until(lambda: text in self.log(), seconds)

    def state(self):
        """What the state's files say, by name."""
        return {path.name: path.read_text() for path in self.state_dir.iterdir()}

    def connect(self):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(30)
        client.connect(str(self.socket))
        return client

    def send(self, data):
        """Send raw bytes; returns all lines received until the daemon, or we, hang up."""
        with self.connect() as client:
            try:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = b""
            try:
                while chunk := client.recv(65536):
                    answer += chunk
            except ConnectionResetError:
                pass
        return [json.loads(line) for line in answer.splitlines()]

    def call(self, cmd, **args):
        """Make a request and return its result. An error raises CallError."""
        (answer,) = self.send(json.dumps({"cmd": cmd, **args}).encode() + b"\n")
        if not answer["ok"]:
            raise CallError(answer["error"])
        return answer["result"]

    def error(self, cmd, **args):
        """Make a request that must fail, and return the error message."""
        with pytest.raises(CallError) as info:
            self.call(cmd, **args)
        return str(info.value)

    def xbar(self, *args, check=True, prefix=(), **kwargs):
        """Run the tool in the namespace; returns the completed process."""
        return self.netns.run(*prefix, BUILD / "xbar", *args, check=check, env=self.env, **kwargs)

    def json(self, *args):
        """The tool's --json output as data."""
        return json.loads(self.xbar(*args, "--json").stdout)

    def port(self, name):
        """Everything that `stats` shows for one port."""
        return self.call("stats", port=name)["ports"][0]

    def close(self):
        """Stop it if it runs, and remove its directory. A daemon that does not stop when asked fails the test."""
        try:
            if self.process and self.process.poll() is None:
                self.stop()
        except subprocess.TimeoutExpired:
            self.kill9()
            pytest.fail(f"xbard did not stop:\n{self.log()}")
        finally:
            self.forget_notify()
            shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def programs():
    if os.geteuid() != 0:
        pytest.exit("system tests need root: they make network namespaces and TAP devices", 1)
    for name in ("xbard", "xbar"):
        if not (BUILD / name).exists():
            pytest.exit(f"{BUILD / name} does not exist: run make, or set XBAR_BUILD", 1)


@pytest.fixture
def make_netns():
    made = []

    def make(hint="ns"):
        made.append(Netns(hint))
        return made[-1]

    yield make
    for netns in made:
        netns.close()


@pytest.fixture
def netns(make_netns):
    return make_netns()


@pytest.fixture
def make_daemon(make_netns):
    """make_daemon(conf="", xend=None, scripts=None, netns=None): a daemon that is not started yet."""
    made = []

    def make(conf="", xend=None, scripts=None, netns=None):
        made.append(Daemon(netns or make_netns("xbard"), conf, xend, scripts))
        return made[-1]

    yield make
    for daemon in made:
        daemon.close()


@pytest.fixture
def daemon(make_daemon):
    """A started daemon."""
    return make_daemon().start()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """If a test fails, show the daemons' logs."""
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        for value in item.funcargs.values():
            if isinstance(value, Daemon):
                report.sections.append(("xbard's log", value.log()))
