# SPDX-License-Identifier: BSD-3-Clause
"""The daemon's control side: starting, stopping, commands, permissions, hook scripts, and restoring its state."""

import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest
from conftest import until

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
# A vif-script like Xen's, reduced to joining the bridge.
VIF_SCRIPT = """#!/bin/sh
set -e
echo "$0 $* vif=$vif bridge=$bridge ip=$ip mac=$mac type=$XENBUS_TYPE script=$script" >>"$XBAR_RUNDIR/../calls"
case $1 in
online) xbar port join "$vif" "$bridge" ;;
offline) xbar port leave "$vif" ;;
esac
"""


def line_with(text, part):
    lines = [line for line in text.splitlines() if part in line]
    assert lines, f"no line with {part!r} in:\n{text}"
    return lines[0]


# ---- starting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "conf, place, sentence",
    [
        ("workers = 0", "1:11", "workers"),
        ("ageing = 10\nworkers = 17", "2:11", "workers"),
        ("\n  agein = 10", "2:3", 'did you mean "ageing"?'),
        ('workers = "two"', "1:11", "workers"),
        ("workers = [ 1 ]", "1:11", "workers"),
        ("poll_us = 5 5", "1:13", ""),
        ('log_level = "loud"', "1:13", "info"),
        ('script_dir = "scripts"', "1:14", "absolute"),
        ('vhost_dir = "/a:/b"', "1:13", "one directory"),
        ("workers += 1", "1:1", "+="),
    ],
)
def test_a_bad_xbar_conf_is_named_by_file_line_and_column(make_daemon, conf, place, sentence):
    d = make_daemon(conf=conf)
    for options in ((), ("--check-only",)):
        done = d.fails(*options)
        assert done.returncode == 1
        assert f"{d.conf_path}:{place}: " in done.stderr
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not d.rundir.exists()


def test_a_bad_xend_config_is_named_by_file_line_and_column(make_daemon):
    d = make_daemon(xend="# one\n(network-script network-bridge\n(vif-script vif-bridge)\n")
    done = d.fails()
    assert done.returncode == 1
    assert re.search(rf"{d.xend_path}:\d+:\d+: ", done.stderr)
    assert not d.rundir.exists()


def test_a_missing_configuration_file_that_was_asked_for_is_an_error(make_daemon):
    d = make_daemon()
    d.conf_path.unlink()
    done = d.fails()
    assert done.returncode == 1 and str(d.conf_path) in done.stderr
    d.write_conf("")
    d.xend_path.unlink()
    done = d.fails()
    assert done.returncode == 1 and str(d.xend_path) in done.stderr


def test_check_only_needs_no_root_and_leaves_nothing(make_daemon):
    d = make_daemon(conf="workers = 2")
    done = d.fails("--check-only", prefix=NOBODY)
    assert (done.returncode, done.stderr) == (0, "")
    assert not d.rundir.exists()


def test_without_root_it_says_so(make_daemon):
    done = make_daemon().fails(prefix=NOBODY)
    assert done.returncode == 1
    assert "must run as root" in done.stderr


@pytest.mark.parametrize("words", [("--nonsense",), ("word",), ("--log-level=loud",)])
def test_a_usage_error_exits_with_status_2(make_daemon, words):
    done = make_daemon().fails(*words)
    assert done.returncode == 2
    assert "xbard --help" in done.stderr


def test_a_second_daemon_names_the_first(daemon):
    done = daemon.fails()
    assert done.returncode == 1
    assert f"process {daemon.process.pid} " in done.stderr
    assert daemon.call("status")["pid"] == daemon.process.pid


def test_without_hugepages_it_logs_that_once_and_runs(make_daemon):
    d = make_daemon(conf="hugepages = 0").start()
    assert d.log().count("without hugepages") == 1
    assert d.call("status")["hugepages"] is False


def test_lines_carry_a_priority_under_systemd(make_daemon):
    d = make_daemon()
    d.launch(env={"JOURNAL_STREAM": "8:1"})
    d.await_log("<6>ready")
    assert all(re.match(r"<[0-7]>", line) for line in d.log().splitlines())


def test_systemd_is_notified_of_a_stop(make_daemon):
    d = make_daemon()
    path = d.dir / "n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(20)
        d.launch(env={"NOTIFY_SOCKET": str(path)})
        assert notify.recv(4096) == b"READY=1"
        assert d.stop() == 0
        assert notify.recv(4096) == b"STOPPING=1"


# ---- stopping ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop_leaves_nothing(daemon, sig):
    daemon.xbar("bridge", "add", "xenbr0")
    daemon.xbar("vif", "add", "vif1.0", "xenbr0", "--server")
    assert "xenbr0" in daemon.netns.links()
    assert daemon.stop(sig) == 0
    assert daemon.netns.links() == {"lo"}
    assert not daemon.rundir.exists()


def test_xbar_stop_returns_once_the_next_daemon_can_start(daemon):
    daemon.xbar("stop")
    daemon.start()
    assert daemon.call("status")["bridges"] == 0


# ---- bridges, ports, `xbar show` ---------------------------------------------------------------------------------------


def test_show_has_the_columns_of_brctl(daemon):
    daemon.xbar("bridge", "add", "xenbr0", "--mac", "00:16:3e:aa:bb:cc")
    daemon.xbar("bridge", "add", "xenbr1", "--no-host")
    daemon.xbar("vif", "add", "vif1.0", "xenbr0")
    daemon.xbar("vif", "add", "vif2.0", "xenbr0")
    assert daemon.xbar("show").stdout == (
        "bridge name\tbridge id\t\tSTP enabled\tinterfaces\n"
        "xenbr0\t\t8000.00163eaabbcc\tno\t\tvif1.0\n"
        "\t\t\t\t\t\t\tvif2.0\n"
        "xenbr1\t\t8000.000000000000\tno\t\t\n"
    )
    assert daemon.xbar("show", "xenbr1").stdout.splitlines()[1:] == ["xenbr1\t\t8000.000000000000\tno\t\t"]
    assert daemon.json("show")["bridges"][0]["interfaces"] == ["vif1.0", "vif2.0"]
    assert daemon.xbar("bridge", "list").stdout.split() == ["xenbr0", "xenbr1"]


def test_a_bridge_is_created_and_deleted_with_its_host_port(daemon):
    daemon.xbar("bridge", "add", "xenbr0", "--mac", "00:16:3e:00:00:01", "--mtu", "9000")
    (link,) = daemon.netns.ip("link", "show", "xenbr0")
    assert (link["address"], link["mtu"]) == ("00:16:3e:00:00:01", 9000)
    daemon.xbar("bridge", "set", "xenbr0", "--mtu", "1400")
    assert daemon.netns.ip("link", "show", "xenbr0")[0]["mtu"] == 1400
    daemon.xbar("bridge", "set", "xenbr0", "--host", "off")
    assert daemon.netns.links() == {"lo"}
    daemon.xbar("bridge", "set", "xenbr0", "--host", "on", "--ageing", "60")
    assert "xenbr0" in daemon.netns.links()
    daemon.xbar("bridge", "del", "xenbr0")
    assert daemon.netns.links() == {"lo"}
    assert daemon.call("show") == {"bridges": []}


def test_a_refusal_says_why_and_what_to_do(daemon):
    daemon.call("bridge-add", name="xenbr0")
    daemon.call("vif-add", name="vif1.0", bridge="xenbr0")
    before = daemon.state()
    assert "already" in daemon.error("bridge-add", name="xenbr0")
    assert "xenbr9" in daemon.error("bridge-del", name="xenbr9")
    assert "the bridges are xenbr0" in daemon.error("port-join", port="vif1.0", bridge="xenbr9")
    assert "xbar port leave vif1.0" in daemon.error("bridge-del", name="xenbr0")
    assert "vif1.0" in daemon.error("vif-add", name="vif1.0", bridge="xenbr0")
    assert "xenbr9" in daemon.error("vif-add", name="vif2.0", bridge="xenbr9")
    assert "vif7.0" in daemon.error("port-join", port="vif7.0", bridge="xenbr0")
    assert "host port" in daemon.error("port-leave", port="xenbr0")
    assert "vif7.0" in daemon.error("vif-del", name="vif7.0")
    assert "nosuch0" in daemon.error("uplink-add", bridge="xenbr0", netdev="nosuch0")
    assert "nosuch0" in daemon.error("uplink-del", netdev="nosuch0")
    assert "nosuch" in daemon.error("stats", port="nosuch")
    assert "xenbr9" in daemon.error("show", bridge="xenbr9")
    assert "xenbr9" in daemon.error("fdb-show", bridge="xenbr9")
    assert "VLAN" in daemon.error("vif-add", name="vif2.0", bridge="xenbr0", vlan="10")
    assert daemon.state() == before
    daemon.call("bridge-add", name="xenbr0", may_exist=True)


def test_a_bridge_is_undone_if_its_host_ports_name_is_taken_in_the_kernel(daemon):
    daemon.netns.run("ip", "link", "add", "xenbr0", "type", "veth", "peer", "name", "far0")
    assert "xenbr0" in daemon.error("bridge-add", name="xenbr0")
    assert daemon.call("show") == {"bridges": []}
    daemon.netns.run("ip", "link", "del", "xenbr0")
    daemon.call("bridge-add", name="xenbr0")


def test_a_port_can_change_bridges(daemon):
    for name in ("xenbr0", "xenbr1"):
        daemon.call("bridge-add", name=name, host=False)
    daemon.call("vif-add", name="vif1.0", bridge="xenbr0")
    assert "xbar port leave vif1.0" in daemon.error("port-join", port="vif1.0", bridge="xenbr1")
    daemon.xbar("port", "leave", "vif1.0")
    assert daemon.port("vif1.0")["bridge"] is None
    daemon.xbar("port", "join", "vif1.0", "xenbr1")
    daemon.xbar("port", "join", "vif1.0", "xenbr1")
    assert daemon.port("vif1.0")["bridge"] == "xenbr1"


def test_an_uplink_takes_a_netdev_and_gives_it_back(daemon, make_netns):
    far = make_netns("far")
    daemon.netns.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", far.name)
    far.run("ip", "link", "set", "eth0", "up")
    daemon.xbar("bridge", "add", "xenbr0")
    daemon.xbar("uplink", "add", "xenbr0", "eth0", "--driver", "af_packet")
    assert daemon.json("show")["bridges"][0]["interfaces"] == ["eth0"]
    assert "there is an uplink eth0 already" in daemon.error("uplink-add", bridge="xenbr0", netdev="eth0")
    daemon.netns.run("ip", "addr", "add", "10.9.0.1/24", "dev", "xenbr0")
    daemon.netns.run("ip", "link", "set", "xenbr0", "up")
    far.run("ip", "addr", "add", "10.9.0.2/24", "dev", "eth0")
    far.run("busybox", "ping", "-c", "1", "-W", "5", "10.9.0.1")
    assert {row["port"] for row in daemon.json("fdb", "show", "xenbr0")["macs"]} == {"xenbr0", "eth0"}
    assert daemon.port("eth0")["rx"]["frames"] > 0
    daemon.xbar("fdb", "flush", "xenbr0")
    daemon.xbar("uplink", "del", "eth0")
    daemon.xbar("bridge", "del", "xenbr0")
    assert daemon.netns.links() == {"lo", "eth0"}


# ---- the tool ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, status, sentence",
    [
        (("bridge", "add"), 2, "NAME is missing"),
        (("bridge", "add", "a", "b"), 2, 'unexpected word "b"'),
        (("bridge", "add", "a", "--mtu", "big"), 2, "not a whole number"),
        (("bridge", "add", "a", "--mtu"), 2, "needs a value"),
        (("bridge", "add", "a", "--nothing"), 2, "unknown option --nothing"),
        (("bridge", "set", "a", "--host", "maybe"), 2, "neither on nor off"),
        (("bridge", "ad", "a"), 2, "xbar bridge add NAME"),
        (("shwo",), 2, 'did you mean "show"?'),
        (("xyzzyxyzzy",), 2, "xbar help"),
        ((), 2, ""),
        (("show", "xenbr0"), 1, "there is no bridge xenbr0"),
        (("bridge", "add", "a/b"), 1, "not an interface name"),
        (("log", "loud"), 1, "no level"),
    ],
)
def test_the_tool_tells_usage_errors_from_failures(daemon, words, status, sentence):
    done = daemon.xbar(*words, check=False)
    assert done.returncode == status
    assert sentence in done.stderr


def test_the_tool_says_where_it_looked_for_a_daemon(make_daemon):
    d = make_daemon()
    done = d.xbar("show", check=False)
    assert done.returncode == 1
    assert str(d.socket) in done.stderr and "xbard" in done.stderr


def test_status_stats_and_lists_print(daemon):
    daemon.xbar("bridge", "add", "xenbr0")
    assert f"process {daemon.process.pid}" in daemon.xbar("status").stdout
    assert "xenbr0" in daemon.xbar("port", "list").stdout
    assert "longest frame" in daemon.xbar("stats", "xenbr0").stdout
    assert "is local?" in daemon.xbar("fdb", "show").stdout
    assert "xenbr0" in daemon.xbar("top", "-n", "1").stdout
    assert "xbar bridge add NAME" in daemon.xbar("help", "bridge").stdout
    assert daemon.xbar("version").stdout.startswith("xbar ")


# ---- the socket --------------------------------------------------------------------------------------------------------


def test_other_users_may_look_but_not_act(daemon):
    for words in (("show",), ("stats",), ("status",), ("fdb", "show"), ("vif", "list")):
        daemon.xbar(*words, prefix=NOBODY)
    for words in (
        ("bridge", "add", "xenbr0"),
        ("vif", "add", "v", "xenbr0"),
        ("port", "join", "v", "xenbr0"),
        ("fdb", "flush"),
        ("log", "debug"),
        ("stop",),
    ):
        done = daemon.xbar(*words, prefix=NOBODY, check=False)
        assert done.returncode == 1
        assert "only root" in done.stderr
    assert daemon.call("show") == {"bridges": []}


def test_group_members_may_act_but_cannot_become_root(make_daemon):
    d = make_daemon(conf='socket_group = "daemon"', scripts={"vif-bridge": VIF_SCRIPT}).start()
    member = ("setpriv", "--reuid=65534", "--regid=65534", "--groups=1")
    d.xbar("bridge", "add", "xenbr0", prefix=member)
    d.xbar("vif", "add", "vif1.0", "xenbr0", "--hotplug", prefix=member)
    for option in (("--socket", "/etc/x.sock"), ("--socket", f"{d.rundir}/vhost/../x.sock"), ("--hotplug", "--script", "/bin/true")):
        done = d.xbar("vif", "add", "vif2.0", "xenbr0", *option, prefix=member, check=False)
        assert done.returncode == 1
        assert "only root" in done.stderr
    assert os.stat(d.rundir / "vhost").st_gid == 1


def test_a_missing_group_is_an_error_only_if_it_was_configured(make_daemon):
    done = make_daemon(conf='socket_group = "no-such-group"').fails()
    assert done.returncode == 1
    assert "no-such-group" in done.stderr


@pytest.mark.parametrize(
    "line, sentence",
    [
        (b"junk", "not a JSON object"),
        (b"", "not a JSON object"),
        (b"[1]", "must be a JSON object"),
        (b"{}", '"cmd"'),
        (b'{"cmd": 5}', '"cmd"'),
        (b'{"cmd": "shwo"}', 'did you mean "show"?'),
        (b'{"cmd": "bridge-add"}', '"name" (an interface name) is missing'),
        (b'{"cmd": "bridge-add", "name": 5}', '"name": must be an interface name'),
        (b'{"cmd": "bridge-add", "name": "a b"}', "not an interface name"),
        (b'{"cmd": "bridge-add", "name": "..."}', None),
        (b'{"cmd": "bridge-add", "name": ".."}', "not an interface name"),
        (b'{"cmd": "bridge-add", "name": "a234567890123456"}', "not an interface name"),
        (b'{"cmd": "bridge-add", "name": "a", "mtu": 67}', "out of bounds: 68 to 65535"),
        (b'{"cmd": "bridge-add", "name": "a", "mtu": 1e9}', "must be an integer"),
        (b'{"cmd": "bridge-add", "name": "a", "host": "no"}', "must be true or false"),
        (b'{"cmd": "bridge-add", "name": "a", "mac": "01:00:00:00:00:00"}', "unicast"),
        (b'{"cmd": "bridge-add", "name": "a", "nmae": "b"}', 'did you mean "name"?'),
        (b'{"cmd": "bridge-add", "name": "a", "name": "b"}', "duplicate"),
        (b'{"cmd": "vif-add", "name": "v", "bridge": "b", "socket": "relative"}', "absolute path"),
        (b'{"cmd": "vif-add", "name": "v", "bridge": "b", "queues": 99999999999999999999}', "not a JSON object"),
        (b'{"cmd": "vif-add", "name": "v", "bridge": "b", "ip": "1.2.3.4\\u000a"}', "control character"),
        (b'{"cmd": "show", "bridge": "\\u0000"}', "not a JSON object"),
        (b"\xff\xfe\x00\x01", "not a JSON object"),
        (b"[" * 60000, "not a JSON object"),
    ],
)
def test_junk_on_the_socket_gets_one_clear_answer(daemon, line, sentence):
    answers = daemon.send(line + b"\n" + b'{"cmd": "status"}\n')
    assert len(answers) == 2
    if sentence:
        assert answers[0]["ok"] is False
        assert sentence in answers[0]["error"]
        assert daemon.call("show") == {"bridges": []}
    assert answers[1]["ok"] is True


def test_a_one_megabyte_line_is_refused_and_costs_no_memory(daemon):
    (answer,) = daemon.send(b"x" * (1 << 20) + b"\n")
    assert "too long" in answer["error"]
    (answer,) = daemon.send(b" " * 65000 + b'{"cmd": "status"}\n')
    assert answer["ok"] is True


def test_many_requests_at_once_are_answered_in_order(daemon):
    lines = b"".join(b'{"cmd": "fdb-show", "bridge": "b%d"}\n' % i for i in range(3000))
    answers = daemon.send(lines)
    assert [answer["error"].split()[4].rstrip(":") for answer in answers] == [f"b{i}" for i in range(3000)]


def test_other_users_cannot_lock_root_out(daemon):
    hold = "import socket,sys,time\ns=[]\nfor i in range(40):\n c=socket.socket(socket.AF_UNIX); c.connect(sys.argv[1]); s.append(c)\nprint('held',flush=True)\ntime.sleep(60)"
    with subprocess.Popen([*NOBODY, "/usr/bin/python3", "-c", hold, str(daemon.socket)], stdout=subprocess.PIPE) as crowd:
        try:
            assert crowd.stdout.readline() == b"held\n"
            assert daemon.call("status")["bridges"] == 0
            done = daemon.xbar("status", prefix=NOBODY, check=False)
            assert "too many clients" in done.stderr
        finally:
            crowd.kill()
    until(lambda: daemon.xbar("status", prefix=NOBODY, check=False).returncode == 0)


def test_a_client_that_does_not_read_delays_no_one(daemon):
    with daemon.connect() as lazy:
        lazy.setblocking(False)
        try:
            while True:
                lazy.send(b'{"cmd": "stats"}\n' * 100)
        except BlockingIOError:
            pass
        begin = time.monotonic()
        daemon.call("status")
        assert time.monotonic() - begin < 5


# ---- hook scripts ------------------------------------------------------------------------------------------------------


def test_the_network_script_runs_at_start_and_stop_with_its_arguments(make_daemon):
    script = """#!/bin/sh
echo "$* socket=$XBAR_SOCKET" >>"$XBAR_RUNDIR/../calls"
echo "a line"
echo "another" >&2
case $1 in
start) xbar bridge add xenbr0 ;;
stop) xbar bridge del xenbr0 ;;
esac
"""
    d = make_daemon(xend="(network-script 'my_net netdev=eth0 bridge=xenbr0')", scripts={"my_net": script})
    d.start()
    assert d.json("show")["bridges"][0]["name"] == "xenbr0"
    assert "my_net start: a line" in d.log() and "my_net start: another" in d.log()
    assert d.stop() == 0
    assert (d.dir / "calls").read_text().splitlines() == [
        f"start netdev=eth0 bridge=xenbr0 socket={d.socket}",
        f"stop netdev=eth0 bridge=xenbr0 socket={d.socket}",
    ]
    assert "network-script stop:" not in d.log()


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("#!/bin/sh\necho no such netdev >&2\nexit 3\n", "no such netdev"),
        ("#!/bin/sh\nexit 3\n", "status 3"),
        ("#!/bin/sh\nkill -SEGV $$\n", "signal 11"),
        ("#!/no/such/interpreter\n", "No such file"),
        (None, "there is no script my_net in"),
    ],
)
def test_a_failing_network_script_is_logged_and_the_daemon_keeps_running(make_daemon, text, sentence):
    d = make_daemon(xend="(network-script my_net)", scripts={"my_net": text} if text else {})
    d.start()
    assert sentence in line_with(d.log(), "network-script start:")
    d.call("bridge-add", name="xenbr0")


def test_a_script_that_hangs_is_killed(make_daemon):
    d = make_daemon(
        conf="network_script_timeout = 1",
        xend="(network-script my_net)",
        scripts={"my_net": '#!/bin/sh\ntrap "" TERM\n[ "$1" = stop ] && exit 0\necho $$\nsleep 100 & wait; sleep 100\n'},
    )
    d.start(seconds=20)
    assert "timed out after 1 s" in d.log()
    pid = int(re.search(r"my_net start: (\d+)$", d.log(), re.M)[1])
    assert not os.path.exists(f"/proc/{pid}")


def test_a_hotplugged_vif_is_joined_by_its_script(make_daemon):
    d = make_daemon(xend="(vif-script 'vif-bridge antispoof=no')", scripts={"vif-bridge": VIF_SCRIPT}).start()
    d.call("bridge-add", name="xenbr0", host=False)
    added = d.call("vif-add", name="vif1.0", bridge="xenbr0", hotplug=True, ip="10.0.0.2", mac="00:16:3e:00:00:07", server=True)
    assert added == {"name": "vif1.0", "mac": "00:16:3e:00:00:07", "socket": f"{d.rundir}/vhost/vif1.0.sock"}
    assert os.path.exists(added["socket"])
    assert d.port("vif1.0")["bridge"] == "xenbr0"
    d.call("vif-del", name="vif1.0")
    assert d.call("vif-list") == {"vifs": []}
    common = "type_if=vif antispoof=no vif=vif1.0 bridge=xenbr0 ip=10.0.0.2 mac=00:16:3e:00:00:07 type=vif script=vif-bridge"
    assert (d.dir / "calls").read_text().splitlines() == [
        f"{d.scripts}/vif-bridge online {common}",
        f"{d.scripts}/vif-bridge offline {common}",
    ]


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("#!/bin/sh\necho first >&2\necho the reason >&2\nexit 1\n", "vif vif1.0: the reason"),
        ("#!/bin/sh\nexit 1\n", "status 1"),
        ("#!/bin/sh\nexit 0\n", "did not put it on a bridge"),
        ("#!/bin/sh\nxbar port join $vif nosuch || exit 1\n", "there is no bridge nosuch"),
        ("#!/bin/sh\nxbar port join $vif $bridge; printf '\\377\\n' >&2; exit 1\n", "vif vif1.0"),
        (None, "there is no script vif-bridge"),
    ],
)
def test_a_vif_whose_script_fails_is_removed_and_the_reason_reported(make_daemon, text, sentence):
    d = make_daemon(scripts={"vif-bridge": text} if text else {}).start()
    d.call("bridge-add", name="xenbr0", host=False)
    before = d.state()
    assert sentence in d.error("vif-add", name="vif1.0", bridge="xenbr0", hotplug=True, server=True)
    assert d.call("vif-list") == {"vifs": []}
    assert d.state() == before
    assert not list((d.rundir / "vhost").iterdir())


def test_others_are_served_while_a_script_runs(make_daemon):
    d = make_daemon(scripts={"slow": '#!/bin/sh\nwhile [ ! -e "$XBAR_RUNDIR/../go" ]; do sleep 0.05; done\nxbar port join $vif $bridge'})
    d.start()
    d.call("bridge-add", name="xenbr0", host=False)
    with d.connect() as waiting:
        request = {"cmd": "vif-add", "name": "vif1.0", "bridge": "xenbr0", "hotplug": True, "script": "slow"}
        waiting.sendall(json.dumps(request).encode() + b'\n{"cmd": "status"}\n')
        until(lambda: d.call("vif-list")["vifs"])
        assert d.call("vif-list")["vifs"][0]["pending"] is True
        assert "script is still running" in d.error("vif-del", name="vif1.0")
        (d.dir / "go").touch()
        lines = waiting.makefile("rb")
        assert json.loads(lines.readline())["result"]["name"] == "vif1.0"
        assert json.loads(lines.readline())["result"]["ports"] == 1


def test_a_clean_stop_takes_vifs_offline_before_the_network(make_daemon):
    net = '#!/bin/sh\necho "net $1" >>"$XBAR_RUNDIR/../calls"\ncase $1 in start) xbar bridge add xenbr0;; stop) xbar bridge del xenbr0;; esac\n'
    d = make_daemon(xend="(network-script net)", scripts={"vif-bridge": VIF_SCRIPT, "net": net}).start()
    for i in range(3):
        d.call("vif-add", name=f"vif{i}.0", bridge="xenbr0", hotplug=True)
    d.call("vif-add", name="plain", bridge="xenbr0")
    assert d.stop() == 0
    assert [line.split()[1] for line in (d.dir / "calls").read_text().splitlines()] == (
        ["start"] + ["online"] * 3 + ["offline"] * 3 + ["stop"]
    )
    assert "warning" not in d.log() and "error" not in d.log()
    assert not d.rundir.exists()


def test_a_stop_while_a_script_runs_is_reported_to_waiting_clients(make_daemon):
    d = make_daemon(scripts={"slow": "#!/bin/sh\nsleep 100\n"}).start()
    d.call("bridge-add", name="xenbr0", host=False)
    with d.connect() as waiting:
        request = {"cmd": "vif-add", "name": "vif1.0", "bridge": "xenbr0", "hotplug": True, "script": "slow"}
        waiting.sendall(json.dumps(request).encode() + b"\n")
        until(lambda: d.call("vif-list")["vifs"])
        assert d.stop() == 0
        assert "the daemon is stopping" in json.loads(waiting.makefile("rb").readline())["error"]
    assert not d.rundir.exists()


# ---- restoring the state -----------------------------------------------------------------------------------------------


def snapshot(d):
    return d.call("show"), d.call("vif-list"), [(p["name"], p["kind"], p["bridge"], p["mac"], p["mtu"]) for p in d.call("stats")["ports"]]


def test_everything_is_restored_after_kill_9(make_daemon, make_netns):
    d = make_daemon(scripts={"vif-bridge": VIF_SCRIPT}).start()
    far = make_netns("far")
    d.netns.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", far.name)
    d.call("bridge-add", name="xenbr0", ageing=100, mtu=1400)
    d.call("bridge-add", name="xenbr1", host=False)
    d.call("uplink-add", bridge="xenbr0", netdev="eth0", driver="af_packet")
    d.call("vif-add", name="vif1.0", bridge="xenbr0", hotplug=True, ip="10.0.0.2", guest="one", devid=0, mtu=1400)
    d.call("vif-add", name="vif1.1", bridge="xenbr1", server=True, queues=2)
    d.call("vif-add", name="vif2.0", bridge="xenbr1")
    d.call("port-leave", port="vif2.0")
    d.netns.run("ip", "addr", "add", "10.9.0.1/24", "dev", "xenbr0")
    before, kept = snapshot(d), d.state()
    d.kill9()
    d.start()
    assert snapshot(d) == before
    assert d.state() == kept
    assert "restored 6 of 6" in d.log()
    assert [a["local"] for a in d.netns.ip("-4", "addr", "show", "xenbr0")[0]["addr_info"]] == ["10.9.0.1"]
    assert d.stop() == 0
    assert d.netns.links() == {"lo", "eth0"}


def test_what_cannot_be_restored_is_logged_and_the_rest_is_restored(make_daemon, make_netns):
    d = make_daemon().start()
    far = make_netns("far")
    d.netns.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", far.name)
    d.call("bridge-add", name="xenbr0", host=False)
    d.call("uplink-add", bridge="xenbr0", netdev="eth0", driver="af_packet")
    d.call("vif-add", name="vif1.0", bridge="xenbr0")
    d.kill9()
    d.netns.run("ip", "link", "del", "eth0")
    d.start()
    assert "eth0" in line_with(d.log(), "cannot restore port")
    assert d.call("show")["bridges"][0]["interfaces"] == ["vif1.0"]


@pytest.mark.parametrize("text, place", [('{\n"version": 2,\n oops}', ":3:"), ("", ":1:"), ('{"version": 3}', "version"), ("[]", "object")])
def test_a_state_file_that_does_not_parse_is_moved_aside_and_costs_no_other(make_daemon, text, place):
    d = make_daemon().start()
    d.call("bridge-add", name="xenbr0", host=False)
    d.call("vif-add", name="vif1.0", bridge="xenbr0")
    d.kill9()
    bad = d.state_dir / "vif2.0.json"
    bad.write_text(text)
    d.start()
    assert place in line_with(d.log(), f"{bad}:")
    assert "restored 2 of 3" in d.log()
    assert d.call("show")["bridges"][0]["interfaces"] == ["vif1.0"]
    assert (d.state_dir / "vif2.0.json.bad").read_text() == text


def test_a_port_whose_bridge_is_lost_comes_back_on_none(make_daemon):
    d = make_daemon().start()
    d.call("bridge-add", name="xenbr0", host=False)
    d.call("vif-add", name="vif1.0", bridge="xenbr0")
    d.kill9()
    (d.state_dir / "xenbr0.json").write_text("")
    d.start()
    assert "xbar port join vif1.0 xenbr0" in line_with(d.log(), "port vif1.0 is on no bridge")
    d.call("bridge-add", name="xenbr0", host=False)
    d.call("port-join", port="vif1.0", bridge="xenbr0")


def test_the_single_file_of_the_version_before_is_converted(make_daemon):
    d = make_daemon()
    d.rundir.mkdir()
    bridge = {"name": "xenbr0", "ageing": 100, "host": False, "host_mac": "", "host_mtu": 0}
    vif = {"name": "vif1.0", "guest": "one", "devid": 0, "xen": False, "domid": 0, "bridge": "xenbr0", "want_bridge": "xenbr0", "ip": "",
           "mac": "00:16:3e:01:02:03", "mtu": 0, "rate_bytes_per_interval": 0, "rate_interval_usecs": 0, "trusted": True, "script": "",
           "queues": 1, "server": True, "hotplug": False, "no_offload": False, "socket": str(d.rundir / "vhost" / "vif1.0.sock")}  # fmt: skip
    old = d.rundir / "state.json"
    old.write_text(json.dumps({"version": 1, "bridges": [bridge], "uplinks": [], "vifs": [vif]}))
    d.start()
    assert d.call("show")["bridges"][0]["interfaces"] == ["vif1.0"]
    assert d.call("vif-list")["vifs"][0]["guest"] == "one"
    assert not old.exists()
    assert d.stop() == 0
    assert not d.state_dir.exists()


def test_a_single_file_that_does_not_parse_is_moved_aside(make_daemon):
    d = make_daemon()
    d.rundir.mkdir()
    (d.rundir / "state.json").write_text('{"version": 2}')
    d.start()
    assert "version" in line_with(d.log(), f"{d.rundir / 'state.json'}:")
    assert d.call("show") == {"bridges": []}
    assert (d.rundir / "state.json.bad").read_text() == '{"version": 2}'


def test_stop_with_keep_leaves_its_state_for_the_next_start(daemon):
    daemon.call("bridge-add", name="xenbr0")
    daemon.call("vif-add", name="vif1.0", bridge="xenbr0")
    daemon.netns.run("ip", "addr", "add", "10.9.0.1/24", "dev", "xenbr0")
    before = snapshot(daemon)
    daemon.xbar("stop", "--keep")
    assert daemon.wait() == 0
    assert "xenbr0" in daemon.netns.links()
    daemon.start()
    assert snapshot(daemon) == before


# ---- reading the configuration again -----------------------------------------------------------------------------------


def test_sighup_reads_the_configuration_again(daemon):
    daemon.write_conf('log_level = "debug"\nworkers = 2')
    daemon.xend_path.write_text("(vif-script other)")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.await_log("configuration reloaded")
    assert "workers" in line_with(daemon.log(), "next start")
    assert daemon.call("status")["log_level"] == "debug"
    daemon.call("bridge-add", name="xenbr0", host=False)
    assert "no script other" in daemon.error("vif-add", name="v", bridge="xenbr0", hotplug=True)


def test_sighup_with_a_bad_configuration_changes_nothing(daemon):
    daemon.write_conf("nonsense = 1")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.await_log("keeping the previous configuration")
    assert f"{daemon.conf_path}:1:1: " in daemon.log()
    assert daemon.call("status")["log_level"] == "info"
