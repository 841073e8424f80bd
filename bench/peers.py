# SPDX-License-Identifier: BSD-3-Clause
"""The switches that are measured: how each is started, given ports for guests, and stopped."""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

OVS_DAEMON = '/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk'
START_S = 30


class Failed(Exception):
    """A switch failed; the text says how."""


def first_in_line():
    """In a child with its own session: raise its priority above everything else's."""
    try:
        with open('/proc/self/autogroup', 'w', encoding='ascii') as f:
            f.write('-20')
    except OSError:  # a kernel without autogroups
        os.nice(-20)


def wait_for(what, test, seconds=START_S):
    end = time.monotonic() + seconds
    while True:
        found = test()
        if found:
            return found
        if time.monotonic() > end:
            raise Failed(f'{what}: timed out after {seconds} s')
        time.sleep(0.02)


def cpu_seconds(pid):
    """CPU time that the process has used so far."""
    with open(f'/proc/{pid}/stat', encoding='utf-8') as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class Peer:
    """One switch. `guests` says what the guests do: 'connect' if the switch listens, 'listen' if it connects."""

    name = ''
    packed = False  # the rings; a peer with packed ones is measured only if it is asked for
    guests = 'connect'
    adds = True  # ports can be added while it runs
    switches = True  # forwards by address, so that it can serve more than two guests
    real = True  # serves User-Mode Linux, which gets interrupts only through the back-end request channel
    thread = ''  # the name of the thread that does the work; '': the main thread

    def __init__(self, setup):
        self.bin, self.bench = setup.bin, setup.bench
        self.cpu = setup.switch_cpu
        self.generator_cpu = setup.cpu
        self.dir = os.path.join(setup.dir, self.name)
        self.process = None
        self.sockets = []

    @classmethod
    def missing(cls, setup):
        """Why it cannot be measured here, or None."""
        return None

    def can(self, case):
        """Whether the case makes sense for it."""
        return self.switches or (case.guests == 2 and case.macs == 1)

    def start(self, case):
        os.makedirs(self.dir, exist_ok=True)
        self.sockets = [f'{self.dir}/g{i}.sock' for i in range(case.guests)]
        self.run(case)
        self.add(case)

    def run(self, case):
        """Start the processes."""

    def add(self, case):
        """Add the guests' ports."""

    def spawn(self, *command, env=None):
        with open(f'{self.dir}/log', 'a', encoding='utf-8') as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                                    start_new_session=True, preexec_fn=first_in_line)

    def ask(self, *command, env=None):
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)
        if done.returncode:
            raise Failed(f'{self.name}: {" ".join(command)}: {done.stderr.strip() or done.stdout.strip()}')
        return done.stdout

    def worker(self):
        """The thread that does the work."""
        def look():
            if self.process.poll() is not None:
                raise Failed(f'{self.name} has exited; the end of its log:\n{self.log_end()}')
            for path in glob.glob(f'/proc/{self.process.pid}/task/*/comm'):
                try:
                    with open(path, encoding='utf-8') as f:
                        if f.read().startswith(self.thread):
                            return int(path.split('/')[4])
                except OSError:
                    continue
            return None
        return wait_for(f'{self.name}: thread {self.thread}', look) if self.thread else self.process.pid

    def log_end(self):
        with open(f'{self.dir}/log', encoding='utf-8', errors='replace') as f:
            return ''.join(f.readlines()[-15:])

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        for process in (self.process, getattr(self, 'helper', None)):
            if not process:
                continue
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.process = self.helper = None
        shutil.rmtree(self.dir, ignore_errors=True)

    def count_from_here(self):
        """Start counting its own cycles."""

    def own_cycles(self, frames):
        """Cycles per frame by its own count since then, or None if it does not count."""


class Xbar(Peer):
    name = 'xbar'
    thread = 'xbar-worker'

    def run(self, case):
        with open(f'{self.dir}/xend-config.sxp', 'w', encoding='ascii') as f:
            f.write('(network-script /bin/true)\n')
        with open(f'{self.dir}/xbar.conf', 'w', encoding='ascii') as f:
            f.write(f'xend_config = "{self.dir}/xend-config.sxp"\nvhost_dir = "{self.dir}"\nfirst_cpu = {self.cpu}\n')
        self.env = dict(os.environ, XBAR_SOCKET=f'{self.dir}/xbard.sock')
        # in its own network namespace, because bridges are network interfaces
        self.process = self.spawn('unshare', '--net', f'{self.bin}/xbard', '--config', f'{self.dir}/xbar.conf',
                                  '--rundir', self.dir, env=self.env)
        self.worker()
        wait_for('xbard', lambda: os.path.exists(f'{self.dir}/xbard.sock'))

    def add(self, case):
        self.xbar('bridge', 'add', 'bench0')
        # take the host off the bridge, as with the other switches: it would get a copy of every flooded frame
        self.ask('nsenter', '--net', f'--target={self.process.pid}', 'ip', 'link', 'set', 'bench0', 'down')
        for i in range(case.guests):
            self.xbar('vif', 'add', f'g{i}', 'bench0', '--server', '--mtu', str(case.mtu))

    def xbar(self, *words):
        return self.ask(f'{self.bin}/xbar', *words, env=self.env)

    def busy(self):
        return sum(w['cycles_busy'] for w in json.loads(self.xbar('status', '--json'))['workers'])

    def count_from_here(self):
        self.before = self.busy()

    def own_cycles(self, frames):
        return (self.busy() - self.before) / frames


class XbarPacked(Xbar):
    """The same with packed rings: the guests ask for them."""

    name = 'xbar-packed'
    packed = True
    real = False  # real guests have the rings that their kernel chooses


class Pairs(Peer):
    """A program of ours that connects guests in pairs, and counts its busy cycles in a file."""

    adds = switches = False

    def busy(self):
        with open(f'{self.dir}/busy', 'rb') as f:
            return int.from_bytes(f.read(8), sys.byteorder)

    def count_from_here(self):
        self.before = self.busy()

    def own_cycles(self, frames):
        return (self.busy() - self.before) / frames


class Floor(Pairs):
    name = 'floor'

    def run(self, case):
        self.process = self.spawn(f'{self.bench}/peer_floor', str(self.cpu), f'{self.dir}/busy', *self.sockets)


class TwoCopy(Pairs):
    name = 'twocopy'

    def run(self, case):
        self.process = self.spawn(f'{self.bench}/peer_twocopy', str(self.cpu), f'{self.dir}/busy',
                                  str(max(case.length, 2048)), *self.sockets)


class Ovs(Peer):
    name = 'ovs'
    guests = 'listen'  # its documentation recommends ports that connect
    thread = 'pmd-'
    settings = {'emc-insert-inv-prob': '1'}  # insert every flow into the exact-match cache

    @classmethod
    def missing(cls, setup):
        if not os.path.exists(OVS_DAEMON):
            return 'package openvswitch-switch-dpdk is not installed'
        return None if setup.huge else 'it needs hugepages'

    def run(self, case):
        db = f'{self.dir}/conf.db'
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir, OVS_DBDIR=self.dir)
        self.ask('ovsdb-tool', 'create', db, '/usr/share/openvswitch/vswitch.ovsschema')
        self.helper = self.spawn('ovsdb-server', db, f'--remote=punix:{self.dir}/db.sock', env=self.env)
        wait_for('ovsdb-server', lambda: os.path.exists(f'{self.dir}/db.sock'))
        config = {'dpdk-init': 'true', 'dpdk-socket-mem': '512', 'dpdk-extra': '--in-memory --no-telemetry --no-pci',
                  'pmd-cpu-mask': hex(1 << self.cpu), 'userspace-tso-enable': 'true' if case.tso else 'false',
                  'flow-limit': '400000', 'max-idle': '600000', **self.settings}
        self.vsctl('--no-wait', 'init')
        self.vsctl('--no-wait', 'set', 'Open_vSwitch', '.',
                   *[f'other_config:{key}="{value}"' for key, value in config.items()])
        # keep all threads but the polling one off its CPU
        self.process = self.spawn('taskset', '-c', str(self.generator_cpu), 'unshare', '--net', OVS_DAEMON,
                                  f'--unixctl={self.dir}/vswitchd.ctl', f'unix:{self.dir}/db.sock', env=self.env)

    def add(self, case):
        self.vsctl('add-br', 'bench0', '--', 'set', 'bridge', 'bench0', 'datapath_type=netdev',
                   'other_config:mac-table-size=400000', 'other_config:mac-aging-time=3600')
        words = []
        for i, socket in enumerate(self.sockets):
            words += ['--', 'add-port', 'bench0', f'g{i}', '--', 'set', 'Interface', f'g{i}',
                      'type=dpdkvhostuserclient', f'options:vhost-server-path={socket}', f'mtu_request={case.mtu}']
        self.vsctl(*words[1:])

    def vsctl(self, *words):
        return self.ask('ovs-vsctl', '--timeout=30', f'--db=unix:{self.dir}/db.sock', *words, env=self.env)

    def appctl(self, *words):
        return self.ask('ovs-appctl', '-t', f'{self.dir}/vswitchd.ctl', *words, env=self.env)

    def count_from_here(self):
        self.appctl('dpif-netdev/pmd-stats-clear')

    def own_cycles(self, frames):
        busy = re.findall(r'processing cycles: (\d+)', self.appctl('dpif-netdev/pmd-stats-show'))
        return sum(map(int, busy)) / frames


class OvsSmc(Ovs):
    """With the signature-match cache instead of the exact-match cache, which is too small for many flows."""

    name = 'ovs-smc'
    settings = {'emc-insert-inv-prob': '0', 'smc-enable': 'true'}

    def can(self, case):
        return case.macs > 1 or case.guests > 4


class Vpp(Peer):
    name = 'vpp'
    real = False
    thread = 'vpp_wk_0'

    @classmethod
    def missing(cls, setup):
        if not setup.vpp:
            return 'VPP=/path/to/vpp is not given'
        return None if setup.huge else 'it needs hugepages'

    def __init__(self, setup):
        super().__init__(setup)
        self.vpp = setup.vpp

    def run(self, case):
        control = f'{self.dir}/cli.sock'
        with open(f'{self.dir}/startup.conf', 'w', encoding='ascii') as f:
            f.write(f'unix {{ nodaemon nosyslog cli-listen {control} runtime-dir {self.dir} }}\n'
                    f'cpu {{ main-core {self.generator_cpu} corelist-workers {self.cpu} }}\n'
                    'plugins { plugin default { disable } plugin vhost_plugin.so { enable } }\n')
        self.process = self.spawn(self.vpp, '-c', f'{self.dir}/startup.conf')
        self.control = [os.path.join(os.path.dirname(self.vpp), 'vppctl'), '-s', control]
        wait_for('vpp', lambda: os.path.exists(control))
        self.worker()

    def add(self, case):
        names = [f'VirtualEthernet0/0/{i}' for i in range(case.guests)]
        with open(f'{self.dir}/ports', 'w', encoding='ascii') as f:
            for name, socket in zip(names, self.sockets):  # their MTU is 9000 by default
                f.write(f'create vhost-user socket {socket} server{" gso" if case.tso else ""}\n'
                        f'set interface l2 bridge {name} 1\nset interface state {name} up\n')
        self.ctl('exec', f'{self.dir}/ports')  # the output of these commands goes to the log
        if self.ctl('show', 'bridge-domain', '1', 'detail').count('VirtualEthernet') != case.guests:
            raise Failed(f'vpp has not created all ports; the end of its log:\n{self.log_end()}')

    def ctl(self, *words):
        return self.ask(*self.control, *words)

    def nodes(self):
        """For each node that its worker runs: calls, frames, and cycles per frame, or per call without frames."""
        rows = re.findall(r'^(\S+) +(?:active|polling) +(\d+) +(\d+) +\d+ +(\S+)',
                          self.ctl('show', 'runtime').split(self.thread)[1], re.M)
        return {name: (int(calls), int(frames), float(cycles)) for name, calls, frames, cycles in rows}

    def count_from_here(self):
        self.ctl('clear', 'runtime')
        time.sleep(0.02)
        self.vain = self.nodes()['vhost-user-input'][2]  # the cost of polling empty rings
        self.ctl('clear', 'runtime')

    def own_cycles(self, frames):
        nodes = self.nodes()
        vain = max(nodes['vhost-user-input'][0] - nodes['ethernet-input'][0], 0)
        return (sum(n * cycles for _, n, cycles in nodes.values()) - vain * self.vain) / frames


SNABB_BRIDGE = '''
local app = require("core.app")
local vhost = require("apps.vhost.vhost_user").VhostUser
local learning = require("apps.bridge.learning")
local c, ports = config.new(), {}
vhost.update_features = function (_, features) return features end -- the original stores them in /tmp
for i, path in ipairs(main.parameters) do
   ports[i] = "g" .. i
   config.app(c, ports[i], vhost, {socket_path = path})
end
config.app(c, "bridge", learning.bridge,
           {ports = ports, config = {mac_table = {size = 2^18, resize_max = 2^18, timeout = 3600}}})
for _, name in ipairs(ports) do
   config.link(c, name .. ".tx -> bridge." .. name)
   config.link(c, "bridge." .. name .. " -> " .. name .. ".rx")
end
app.configure(c)
for _, name in ipairs(ports) do
   app.app_table[name].process_qemu_timer.ticks = 10 -- ms between reads of messages
end
app.busywait = true
app.main()
'''


class Snabb(Peer):
    name = 'snabb'
    guests = 'listen'  # if it listens, it waits for each guest before it serves another
    adds = real = False

    @classmethod
    def missing(cls, setup):
        return None if setup.snabb else 'SNABB=/path/to/snabb is not given'

    def __init__(self, setup):
        super().__init__(setup)
        self.snabb = setup.snabb

    def run(self, case):
        if case.tso:
            raise Failed('snabb is left out: it offers guests no segmentation offload')
        with open(f'{self.dir}/bridge.lua', 'w', encoding='ascii') as f:
            f.write(SNABB_BRIDGE)
        # its mount namespace hides, and then discards, what it leaves in /run, such as a mount of hugepages
        self.process = self.spawn('unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /run && exec "$@"', 'sh',
                                  'taskset', '-c', str(self.cpu), self.snabb, 'snsh', f'{self.dir}/bridge.lua',
                                  *self.sockets)


ALL = {peer.name: peer for peer in (Xbar, XbarPacked, Floor, TwoCopy, Ovs, OvsSmc, Vpp, Snabb)}
