# SPDX-License-Identifier: BSD-3-Clause
"""The scripts that an administrator names in xend-config.sxp or libxl runs: network-bridge, vif-bridge, my_network_script,
and brctl. xenstore is a directory here, behind programs that are named and answer like the real ones."""

import os
import subprocess

import pytest
from conftest import BUILD, TOP

SCRIPTS = TOP / "scripts"
XENSTORE_READ = """#!/bin/sh
cat "$XENSTORE_DIR/$1" 2>/dev/null || { echo "couldn't read path $1" >&2; exit 1; }
"""
XENSTORE_WRITE = """#!/bin/sh
[ -d "$XENSTORE_DIR" ] || { echo "could not write path $1" >&2; exit 1; }
while [ $# -gt 0 ]; do
	mkdir -p "$XENSTORE_DIR/${1%/*}"
	printf '%s' "$2" >"$XENSTORE_DIR/$1"
	shift 2
done
"""


class Hooks:
    """Runs the scripts beside a daemon."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.netns = daemon.netns
        self.store = daemon.dir / "store"
        self.bin = daemon.dir / "bin"
        self.lock = daemon.dir / "lock"
        self.etc = daemon.dir / "etc"
        for path in (self.store, self.bin, self.etc):
            path.mkdir()
        self.write(self.bin / "xenstore-read", XENSTORE_READ)
        self.write(self.bin / "xenstore-write", XENSTORE_WRITE)
        (self.bin / "xbar").symlink_to(BUILD / "xbar")

    def write(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def run(self, script, *words, **env):
        return subprocess.run(
            self.netns.argv(SCRIPTS / script, *words),
            env={
                **self.daemon.env,
                "PATH": f"{self.bin}:{os.environ['PATH']}",
                "XENSTORE_DIR": str(self.store),
                "XEN_LOCK_DIR": str(self.lock),
                "XEN_SCRIPT_DIR": str(self.etc),
                "XEN_HOTPLUG_LOG": str(self.daemon.dir / "hotplug.log"),
                **env,
            },
            text=True,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def put(self, path, **nodes):
        for name, value in nodes.items():
            self.write(self.store / path / name, value)

    def get(self, path):
        path = self.store / path
        return path.read_text() if path.exists() else None

    def bridge_of(self, port):
        return self.daemon.port(port)["bridge"]


@pytest.fixture
def hooks(daemon):
    return Hooks(daemon)


def ok(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done


# ---- network-bridge ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, sentence",
    [
        ([], "no command: say "),
        (["netdev=eth0"], "no command: say "),
        (["begin"], '"begin" is neither start, stop, restart or status nor'),
        (["start", "stop"], 'both "start" and "stop"'),
        (["start", "netdv=eth0"], 'there is no "netdv"'),
        (["start", "=x"], 'there is no ""'),
        (["start", "netdev="], "netdev=: not an interface name"),
        (["start", "netdev=../../etc"], "not an interface name"),
        (["start", "netdev=eth0;reboot"], "not an interface name"),
        (["start", "bridge=-x"], "not an interface name"),
        (["start", "bridge=sixteen-letters!"], "not an interface name"),
        (["start", "bridge=sixteen-lettersx"], "not an interface name"),
        (["start", "vifnum=one"], "vifnum=one: not a number"),
        (["start", "vifnum=-1"], "vifnum=-1: not a number"),
        (["start", "antispoof=maybe"], "antispoof=maybe: say yes or no"),
        (["start", "rename=1"], "rename=1: say yes or no"),
        (["start", "wait=long"], "wait=long: not a number of seconds"),
        (["start", "confirm=soon"], "confirm=soon: not a number of seconds"),
        (["start", "netdev=eth0", "pdev=foo"], "eth0 can only be renamed to peth0 or keep its name"),
    ],
)
def test_invalid_words_are_usage_errors(hooks, words, sentence):
    done = hooks.run("network-bridge", *words)
    assert done.returncode == 2
    assert sentence in done.stderr and done.stderr.count("\n") == 1
    assert hooks.daemon.call("net-status") == []


def test_bridge_null_does_nothing(hooks):
    assert ok(hooks.run("network-bridge", "start", "bridge=null", "netdev=eth0")).stdout == ""


def test_xbards_refusal_is_the_last_line_on_standard_error(hooks):
    done = hooks.run("network-bridge", "start", "netdev=eth7", "bridge=xenbr0")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "xbar: there is no netdev eth7; `ip link` lists those that exist"


def test_without_xbard_it_says_how_to_start_it(hooks):
    hooks.daemon.stop()
    done = hooks.run("network-bridge", "start", "netdev=dummy0", "bridge=xenbr1")
    assert done.returncode == 1 and "xbard is not running" in done.stderr


def eth0(netns):
    netns.run(
        "sh", "-ec", "ip link add eth0 type veth peer name cable; ip link set eth0 up; ip link set cable up;"
        "ip addr add 192.0.2.10/24 dev eth0; ip route add default via 192.0.2.1"
    )


def test_start_status_restart_stop(hooks):
    eth0(hooks.netns)
    words = ("netdev=eth0", "bridge=xenbr0")
    assert "xenbr0 has taken over eth0" in ok(hooks.run("network-bridge", "start", *words)).stdout
    assert "xenbr0\tnetdev eth0\tuplink peth0\tstarted\t192.0.2.10/24" in ok(hooks.run("network-bridge", "status")).stdout
    out = ok(hooks.run("network-bridge", "restart", *words)).stdout
    assert "xenbr0 has given back eth0" in out and "xenbr0 has taken over eth0" in out
    ok(hooks.run("network-bridge", "stop", *words))
    assert hooks.daemon.call("net-status") == []


def test_confirm_0_ignores_gateways(hooks):
    eth0(hooks.netns)
    done = ok(hooks.run("network-bridge", "start", "netdev=eth0", "confirm=0"))
    assert done.stdout.endswith("; no confirmation was asked for\n") and done.stderr == ""


def test_a_silent_gateway_causes_a_warning(hooks):
    eth0(hooks.netns)
    done = ok(hooks.run("network-bridge", "start", "netdev=eth0"))
    assert "192.0.2.1: this gateway did not answer before the start either" in done.stderr


def test_the_last_of_two_words_counts_and_obsolete_words_are_ignored(hooks):
    eth0(hooks.netns)
    done = ok(hooks.run("network-bridge", "start", "netdev=eth9", "vdev=veth0", "pdev=eth0", "netdev=eth0", "vifnum=4"))
    assert "vdev has no meaning here" in done.stderr
    (record,) = hooks.daemon.call("net-status")
    assert (record["bridge"], record["netdev"], record["uplink"]) == ("xenbr4", "eth0", "eth0")


def test_the_classic_wrapper_creates_and_removes_two_bridges(hooks):
    eth0(hooks.netns)
    ok(hooks.run("my_network_script", "start"))
    assert [b["name"] for b in hooks.daemon.call("show")["bridges"]] == ["xenbr0", "xenbr1"]
    assert {r["bridge"]: r["netdev"] for r in hooks.daemon.call("net-status")} == {"xenbr0": "eth0", "xenbr1": "dummy0"}
    ok(hooks.run("my_network_script", "start"))
    ok(hooks.run("my_network_script", "stop"))
    assert hooks.daemon.call("show") == {"bridges": []}


def test_the_classic_wrapper_stops_at_the_first_failure(hooks):
    done = hooks.run("my_network_script", "start")
    assert done.returncode == 1 and "there is no netdev eth0" in done.stderr
    assert hooks.daemon.call("show") == {"bridges": []}


def test_xbard_runs_it_at_start_and_stop(make_daemon):
    daemon = make_daemon(
        conf=f'script_dir = "{SCRIPTS}"', xend="(network-script my_network_script)\n(vif-script vif-bridge)\n"
    )
    eth0(daemon.netns)
    daemon.start()
    assert {r["bridge"] for r in daemon.call("net-status")} == {"xenbr0", "xenbr1"}
    daemon.stop()
    assert daemon.netns.ip("addr", "show", "dev", "eth0")[0]["addr_info"][0]["local"] == "192.0.2.10"
    assert daemon.netns.links() == {"lo", "eth0", "cable"}


# ---- vif-bridge --------------------------------------------------------------------------------------------------------

BACKEND = "backend/vif/7/0"


@pytest.fixture
def with_vif(hooks):
    """Two bridges, and a vif on neither, which is its state while its script runs."""
    hooks.daemon.xbar("bridge", "add", "xenbr0")
    hooks.daemon.xbar("bridge", "add", "xenbr1")
    hooks.daemon.call("vif-add", name="vif7.0", bridge="xenbr1")
    hooks.daemon.call("port-leave", port="vif7.0")
    return hooks


def test_online_joins_and_offline_leaves_and_both_may_be_repeated(with_vif):
    env = {"vif": "vif7.0", "bridge": "xenbr0", "ip": "192.0.2.20"}
    for _ in range(2):
        ok(with_vif.run("vif-bridge", "online", "type_if=vif", **env))
        assert with_vif.bridge_of("vif7.0") == "xenbr0"
    for _ in range(2):
        ok(with_vif.run("vif-bridge", "offline", "type_if=vif", **env))
        assert with_vif.bridge_of("vif7.0") is None


def test_xenstore_overrides_words_and_words_override_the_environment(with_vif):
    with_vif.daemon.xbar("bridge", "add", "xenbr2")
    env = {"vif": "vif7.0", "bridge": "xenbr0"}
    ok(with_vif.run("vif-bridge", "online", "type_if=vif", "bridge=xenbr1", **env))
    assert with_vif.bridge_of("vif7.0") == "xenbr1"
    ok(with_vif.run("vif-bridge", "offline", "type_if=vif", **env))
    with_vif.put(BACKEND, bridge="xenbr2")
    ok(with_vif.run("vif-bridge", "online", "type_if=vif", "bridge=xenbr1", XENBUS_PATH=BACKEND, **env))
    assert with_vif.bridge_of("vif7.0") == "xenbr2"


def test_success_is_written_to_xenstore(with_vif):
    with_vif.put(BACKEND, bridge="xenbr0", mac="00:16:3e:00:00:07")
    ok(with_vif.run("vif-bridge", "online", "type_if=vif", vif="vif7.0", XENBUS_PATH=BACKEND))
    assert with_vif.get(f"{BACKEND}/hotplug-status") == "connected"
    assert with_vif.get(f"{BACKEND}/hotplug-error") is None


def test_a_failure_tells_the_administrator_what_to_do(with_vif):
    with_vif.put(BACKEND, bridge="xenbr9")
    done = with_vif.run("vif-bridge", "online", "type_if=vif", vif="vif7.0", XENBUS_PATH=BACKEND)
    assert done.returncode == 1
    why = with_vif.get(f"{BACKEND}/hotplug-error")
    assert why.startswith("vif vif7.0 wants bridge xenbr9, which does not exist (existing bridges: xenbr0, xenbr1)")
    assert "network-bridge start bridge=xenbr9" in why
    assert with_vif.get(f"{BACKEND}/hotplug-status") == "error"
    assert done.stderr.splitlines()[-1] == f"vif-bridge: {why}"
    assert why in (with_vif.daemon.dir / "hotplug.log").read_text()


def test_an_unknown_vif_is_an_error_online_but_not_offline(with_vif):
    done = with_vif.run("vif-bridge", "online", "type_if=vif", vif="vif8.0", bridge="xenbr0")
    assert done.returncode == 1 and "there is no port vif8.0" in done.stderr
    ok(with_vif.run("vif-bridge", "offline", "type_if=vif", vif="vif8.0", bridge="xenbr0"))


@pytest.mark.parametrize(
    "words, env, code, sentence",
    [
        (["online", "type_if=tap"], {"vif": "vif7.0"}, 0, ""),
        (["add", "type_if=vif"], {"vif": "vif7.0"}, 0, ""),
        (["online", "type_if=wan"], {"vif": "vif7.0"}, 1, "type_if=wan is neither vif nor tap"),
        (["up"], {"vif": "vif7.0"}, 1, 'there is no command "up": say online, offline, add or remove'),
        ([], {"vif": "vif7.0"}, 1, "no command: say "),
        (["online"], {}, 1, "set vif=vifD.N"),
        (["add", "type_if=tap"], {}, 1, "set INTERFACE=vifD.N-emu"),
    ],
)
def test_calls_for_other_scripts_succeed_and_wrong_ones_fail(with_vif, words, env, code, sentence):
    done = with_vif.run("vif-bridge", *words, **env)
    assert done.returncode == code and sentence in done.stderr
    assert with_vif.bridge_of("vif7.0") is None


def test_without_bridge_the_first_bridge_is_used(with_vif):
    ok(with_vif.run("vif-bridge", "online", vif="vif7.0"))
    assert with_vif.bridge_of("vif7.0") == "xenbr0"


def test_words_are_never_evaluated(with_vif):
    ok(with_vif.run("vif-bridge", "online", "type_if=vif", f"x=$(touch {with_vif.daemon.dir}/pwned)", vif="vif7.0", bridge="xenbr0"))
    done = with_vif.run("vif-bridge", "online", vif="vif7.0", bridge="`touch pwned`;x")
    assert done.returncode == 1 and "which does not exist" in done.stderr
    assert not (with_vif.daemon.dir / "pwned").exists() and not os.path.exists("pwned")


def test_hooks_are_sourced_at_the_end(with_vif):
    with_vif.write(with_vif.etc / "vif-post.d" / "10-note.hook", 'echo "$command $dev $bridge $ip" >"$XENSTORE_DIR/note"\n')
    with_vif.write(with_vif.etc / "vif-post.d" / "20-off.hook", "exit 3\n").chmod(0o644)
    ok(with_vif.run("vif-bridge", "online", vif="vif7.0", bridge="xenbr0", ip="192.0.2.20"))
    assert with_vif.get("note") == "online vif7.0 xenbr0 192.0.2.20\n"


def test_a_failing_hook_is_named(with_vif):
    with_vif.write(with_vif.etc / "vif-post.d" / "10-bad.hook", "false\n")
    done = with_vif.run("vif-bridge", "online", vif="vif7.0", bridge="xenbr0")
    assert done.returncode == 1 and "10-bad.hook failed for vif7.0" in done.stderr


def test_kernel_bridges_are_left_to_xens_own_script(with_vif):
    with_vif.netns.run("ip", "link", "add", "br0", "type", "bridge")
    stock = with_vif.write(with_vif.etc / "vif-bridge", '#!/bin/sh\necho "stock $* $vif"\n')
    done = ok(with_vif.run("vif-bridge", "online", "type_if=vif", vif="vif7.0", bridge="br0"))
    assert done.stdout == "stock online type_if=vif vif7.0\n"
    stock.unlink()
    done = with_vif.run("vif-bridge", "online", vif="vif7.0", bridge="br0")
    assert done.returncode == 1 and "XBAR_STOCK_VIF_BRIDGE" in done.stderr


def test_without_xbard_online_says_how_to_start_it_and_offline_succeeds(hooks):
    hooks.daemon.stop()
    done = hooks.run("vif-bridge", "online", vif="vif7.0", bridge="xenbr0")
    assert done.returncode == 1 and "systemctl start xbard" in done.stderr.splitlines()[-1]
    ok(hooks.run("vif-bridge", "offline", vif="vif7.0", bridge="xenbr0"))


def test_an_emulated_card_becomes_a_port(with_vif):
    with_vif.netns.run("ip", "link", "add", "vif7.0-emu", "type", "veth", "peer", "name", "qemu0")
    env = {"INTERFACE": "vif7.0-emu", "bridge": "xenbr0"}
    for _ in range(2):
        ok(with_vif.run("vif-bridge", "add", "type_if=tap", **env))
        assert with_vif.bridge_of("vif7.0-emu") == "xenbr0"
    for _ in range(2):
        ok(with_vif.run("vif-bridge", "remove", "type_if=tap", **env))
    assert "vif7.0-emu" not in [port["name"] for port in with_vif.daemon.call("stats")["ports"]]


def test_vifname_names_the_vif_and_its_emulated_card(with_vif):
    with_vif.daemon.call("vif-add", name="web", bridge="xenbr0")
    with_vif.daemon.call("port-leave", port="web")
    with_vif.put(BACKEND, bridge="xenbr0", vifname="web")
    with_vif.put(f"local/domain/0/{BACKEND}", frontend="x", bridge="xenbr0", vifname="web")
    ok(with_vif.run("vif-bridge", "online", vif="vif7.0", XENBUS_PATH=BACKEND))
    assert with_vif.bridge_of("web") == "xenbr0"
    with_vif.netns.run("ip", "link", "add", "vif7.0-emu", "type", "veth", "peer", "name", "qemu0")
    for _ in range(2):
        ok(with_vif.run("vif-bridge", "add", "type_if=tap", INTERFACE="vif7.0-emu"))
        assert with_vif.bridge_of("web-emu") == "xenbr0"
    ok(with_vif.run("vif-bridge", "remove", "type_if=tap", INTERFACE="vif7.0-emu"))
    ok(with_vif.run("vif-bridge", "offline", vif="vif7.0", XENBUS_PATH=BACKEND))
    assert with_vif.bridge_of("web") is None


# ---- brctl -------------------------------------------------------------------------------------------------------------


def test_brctl_shows_xbards_and_kernel_bridges(with_vif):
    with_vif.netns.run("ip", "link", "add", "br0", "type", "bridge")
    with_vif.daemon.call("port-join", port="vif7.0", bridge="xenbr0")
    lines = ok(with_vif.run("brctl", "show")).stdout.splitlines()
    assert lines[0] == "bridge name\tbridge id\t\tSTP enabled\tinterfaces"
    rows = {line.split("\t")[0]: line for line in lines[1:]}
    assert set(rows) == {"xenbr0", "xenbr1", "br0"}
    mac = with_vif.netns.ip("link", "show", "dev", "xenbr0")[0]["address"].replace(":", "")
    assert rows["xenbr0"] == f"xenbr0\t\t8000.{mac}\tno\t\tvif7.0"
    assert ok(with_vif.run("brctl", "show", "xenbr0")).stdout.splitlines() == [lines[0], rows["xenbr0"]]


def test_brctl_changes_xbards_bridges(with_vif):
    ok(with_vif.run("brctl", "addbr", "xenbr5"))
    ok(with_vif.run("brctl", "addif", "xenbr5", "vif7.0"))
    assert with_vif.bridge_of("vif7.0") == "xenbr5"
    again = with_vif.run("brctl", "addif", "xenbr5", "vif7.0")
    assert again.returncode == 1 and "already a member of a bridge" in again.stderr
    ok(with_vif.run("brctl", "stp", "xenbr5", "off"))
    ok(with_vif.run("brctl", "setfd", "xenbr5", "0"))
    ok(with_vif.run("brctl", "setageing", "xenbr5", "60"))
    out = ok(with_vif.run("brctl", "showstp", "xenbr5")).stdout
    assert out.startswith("xenbr5\n bridge id\t\t8000.") and " ageing time\t\t  60.00\n" in out and "vif7.0 (1)\n" in out
    header, *rows = ok(with_vif.run("brctl", "showmacs", "xenbr5")).stdout.splitlines()
    assert header == "port no\tmac addr\t\tis local?\tageing timer"
    mac = with_vif.netns.ip("link", "show", "dev", "xenbr5")[0]["address"]
    assert f"  2\t{mac}\tyes\t\t   0.00" in rows  # the host's own, after the ports
    ok(with_vif.run("brctl", "delif", "xenbr5", "vif7.0"))
    ok(with_vif.run("brctl", "delbr", "xenbr5"))
    assert "xenbr5" not in with_vif.netns.links()


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["addbr", "xenbr0"], "device xenbr0 already exists; can't create bridge with the same name"),
        (["addif", "xenbr0", "nope"], "interface nope does not exist!"),
        (["delif", "xenbr0", "vif7.0"], "device vif7.0 is not a port of xenbr0"),
        (["stp", "xenbr0", "on"], "no spanning tree"),
        (["addif", "xenbr0"], "Incorrect number of arguments for command"),
        (["hairpin", "xenbr0", "vif7.0", "on"], "belongs to xbard, which does not support hairpin"),
        (["delbr", "nope"], "bridge nope doesn't exist; can't delete it"),
    ],
)
def test_brctl_reports_errors_as_the_real_one_does(with_vif, words, sentence):
    done = with_vif.run("brctl", *words)
    assert done.returncode == 1 and sentence in done.stderr + done.stdout


# ---- ifupdown ----------------------------------------------------------------------------------------------------------

STANZAS = """
iface xenbr0 inet static
	pre-up {xbar} bridge add $IFACE --may-exist
	address 192.0.2.10/24
	post-up {xbar} uplink add $IFACE eth0
	pre-down {xbar} uplink del eth0
	post-down {xbar} bridge del $IFACE

iface xenbr1 inet manual
	pre-up {xbar} bridge add $IFACE
	up ip link set $IFACE up
	down ip link set $IFACE down
	post-down {xbar} bridge del $IFACE
"""


def test_stanzas_of_interfaces_5_create_and_remove_bridges(hooks):
    interfaces = hooks.write(
        hooks.etc / "interfaces",  # ifup runs its commands with its own environment
        STANZAS.format(xbar=f"XBAR_SOCKET={hooks.daemon.env['XBAR_SOCKET']} {BUILD}/xbar"),
    )
    hooks.netns.run("sh", "-ec", "ip link add eth0 type veth peer name wire; ip link set eth0 up; ip link set wire up")

    def ifupdown(op, name):
        argv = [op, "-i", str(interfaces), "--state-dir", str(hooks.daemon.dir), "--no-scripts", name]
        subprocess.run(hooks.netns.argv(*argv), check=True, timeout=60)

    for _ in range(2):
        ifupdown("ifup", "xenbr0")
        ifupdown("ifup", "xenbr1")
        (address,) = hooks.netns.ip("addr", "show", "dev", "xenbr0")[0]["addr_info"][:1]
        assert address["local"] == "192.0.2.10"
        assert hooks.bridge_of("eth0") == "xenbr0"
        assert {bridge["name"] for bridge in hooks.daemon.call("show")["bridges"]} == {"xenbr0", "xenbr1"}
        ifupdown("ifdown", "xenbr0")
        ifupdown("ifdown", "xenbr1")
        assert hooks.daemon.call("show") == {"bridges": []}
        assert not [link for link in hooks.netns.ip("link") if link["ifname"].startswith("xenbr")]
