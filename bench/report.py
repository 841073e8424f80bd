# SPDX-License-Identifier: BSD-3-Clause
"""Results: lines as they are measured, results.json and results.csv, and the picture."""

import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import time

COLUMNS = ['peer', 'regime', 'frame', 'length', 'pattern', 'guests', 'macs', 'cycles', 'cycles_q1', 'cycles_q3', 'n',
           'mpps', 'gbps', 'busy', 'own_cycles', 'round_trip', 'lost']
HERE = os.path.dirname(os.path.abspath(__file__))


def cpu_model():
    with open('/proc/cpuinfo', encoding='utf-8') as f:
        return next((line.split(':', 1)[1].strip() for line in f if line.startswith('model name')), '')


class Report:
    def __init__(self, setup):
        self.setup = setup
        self.failures = 0
        self.shown = None
        self.data = {'cpu': cpu_model(), 'kernel': platform.release(), 'began': time.strftime('%F %T'),
                     'ring': setup.ring, 'notes': [], 'throughput': [], 'latency': [], 'workers': [],
                     'idle': [], 'tcp': []}

    def begin(self):
        print(f'{self.data["cpu"]}, Linux {self.data["kernel"]}: the switch on CPU {self.setup.switch_cpu}, the '
              f'guests on CPU {self.setup.cpu}; {", ".join(self.setup.peers)}\n')

    def progress(self, text):
        if sys.stdout.isatty():
            print(f'\r\033[K{text} ', end='', flush=True)

    def say(self, text):
        if sys.stdout.isatty():
            print('\r\033[K', end='')
        print(text, flush=True)

    def note(self, text):
        self.data['notes'].append(text)
        self.failures += 'left out' not in text
        self.say(f'bench: {text}')

    def heading(self, case, text):
        if self.shown != case:
            self.say(text if case in ('tcp', 'workers') else f'{case}\n{text}')
            self.shown = case

    def end_of(self, case):
        if self.shown == case:
            self.say('')

    def throughput(self, case, row):
        self.data['throughput'].append(row)
        c = row['cycles']
        self.heading(case, f'  {"":9} {"CPUs":5} {"cycles/frame":>12} {"quartiles":>15} {"samples":>8} {"Mpps":>8} '
                           f'{"Gbit/s":>8} {"own count":>10} {"busy":>5}')
        own = f'{row["own_cycles"]:10.0f}' if 'own_cycles' in row else f'{"-":>10}'
        spread = f'{c["q1"]:.0f}-{c["q3"]:.0f}'
        self.say(f'  {row["peer"]:9} {row["regime"]:5} {c["median"]:12.0f} {spread:>15} {c["n"]:8} {row["mpps"]:8.3f} '
                 f'{row["gbps"]:8.2f} {own} {row["busy"]:5.2f}' +
                 (f'   {row["lost"]} lost' if row['lost'] > 0 else ''))

    def latency(self, case, row):
        self.data['latency'].append(row)
        self.heading(case, f'  {"":9} {"CPUs":5} {"loss-free Mpps":>14} {"load":>5} {"p50 us":>8} {"p90":>8} '
                           f'{"p99":>8} {"p99.9":>8}')
        self.say(f'  {row["peer"]:9} {row["regime"]:5} {row["loss_free_mpps"]:14.3f} {row["load"]:5.0%} ' +
                 ' '.join(f'{row[p]["median"]:8.2f}' for p in ('p50', 'p90', 'p99', 'p999')))

    def workers(self, case, row):
        self.data['workers'].append(row)
        self.heading('workers', 'xbar, with guests and worker on one CPU; then two such pairs on two CPUs\n'
                                f'  {"":38} {"cycles/frame":>12} {"quartiles":>13} {"two move":>9} {"quartiles":>11}')
        c, m = row['cycles'], row['more']
        self.say(f'  {str(case):38} {c["median"]:12.1f} {c["q1"]:6.1f}-{c["q3"]:.1f} {m["median"]:8.2f}x '
                 f'{m["q1"]:5.2f}-{m["q3"]:.2f}')

    def idle(self, row):
        self.data['idle'].append(row)
        self.heading('idle', f'  {"":9} {"CPU, 16":>7} {"wake-up us":>11} {"MB, 2 guests":>13} {"MB/guest":>11} '
                             f'{"first frame ms":>15}')
        self.say(f'  {row["peer"]:9} {row["idle_cpu"]:6.1f}% {row["wake_us"]["median"]:11.1f} {row["mb_2"]:13.1f} '
                 f'{row["mb_per_guest"]:11.2f} ' +
                 (f'{row["first_frame_ms"]:15.1f}' if 'first_frame_ms' in row else f'{"-":>15}'))

    def tcp(self, row):
        self.data['tcp'].append(row)
        self.heading('tcp', f'TCP between two User-Mode Linux guests\n  {"":9} {"message":>9} {"Gbit/s":>8} '
                            f'{"of a CPU":>9}   each time')
        self.say(f'  {row["peer"]:9} {row["message"]:7} B {statistics.median(row["gbps"]):8.2f} '
                 f'{statistics.median(row["cpu"]):8.0f}%   ' + ' '.join(f'{g:.2f}' for g in row['gbps']))

    def write(self):
        os.makedirs(self.setup.out, exist_ok=True)
        with open(f'{self.setup.out}/results.json', 'w', encoding='utf-8') as f:
            json.dump(self.data, f, indent=1)
            f.write('\n')
        with open(f'{self.setup.out}/results.csv', 'w', encoding='utf-8', newline='') as f:
            out = csv.DictWriter(f, COLUMNS, extrasaction='ignore')
            out.writeheader()
            for row in self.data['throughput']:
                c = row['cycles']
                out.writerow({k: round(v, 3) if isinstance(v, float) else v for k, v in
                              dict(row, cycles=c['median'], cycles_q1=c['q1'], cycles_q3=c['q3'], n=c['n']).items()})


def show(setup):
    """Draw the picture from the results in setup.out."""
    with open(f'{setup.out}/results.json', encoding='utf-8') as f:
        data = json.load(f)
    rows = [r for r in data['throughput'] if r['pattern'] == 'one' and r['macs'] == 1 and r['guests'] == 2]
    if not rows:
        print(f'{setup.out}/results.csv, .json')
        return
    peers, frames = [], []
    for row in rows:
        if row['peer'] not in peers:
            peers.append(row['peer'])
        if row['frame'] not in frames:
            frames.append(row['frame'])
    reference = 'ovs' if 'ovs' in peers else peers[0]
    blocks = []
    for regime in ('near', 'far'):
        found = {(r['frame'], r['peer']): r['cycles'] for r in rows if r['regime'] == regime}
        compared = [f for f in frames if (f, reference) in found]
        if not compared:
            continue
        lines = [f'"{regime}" ' + ' '.join(f'"{p}" low high' for p in peers)]
        for frame in compared:
            cycles, cells = found[frame, reference]['median'], []
            for peer in peers:
                c = found.get((frame, peer))
                three = [f'{cycles / c[q]:.3f}' for q in ('median', 'q3', 'q1')] if c else ['0'] * 3  # no sample: no bar
                cells.append(' '.join(three))
            lines.append(f'"{"64 KiB TSO" if frame == "tso" else frame + " B"}" ' + ' '.join(cells))
        blocks.append((regime, '\n'.join(lines)))
    if not blocks:
        return
    dat = f'{setup.out}/results.dat'
    with open(dat, 'w', encoding='utf-8') as f:
        f.write(f'# frames per second relative to {reference}: median and quartiles; one block per regime\n' +
                '\n\n\n'.join(text for _, text in blocks) + '\n')
    try:
        done = subprocess.run(['gnuplot', '-e', f'dat="{dat}"; svg="{setup.out}/results.svg"; npeers={len(peers)}; '
                               f'reference="{reference}"; regimes="{" ".join(r for r, _ in blocks)}"',
                               f'{HERE}/plot.gp'], check=False)
        if not done.returncode:
            print(f'{setup.out}/results.svg, .csv, .json')
    except FileNotFoundError:
        print(f'{setup.out}/results.csv, .json; without gnuplot (package gnuplot-nox) there is no picture')
