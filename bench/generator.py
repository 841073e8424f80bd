# SPDX-License-Identifier: BSD-3-Clause
"""The process that plays the guests of a switch."""

import json
import os
import select
import subprocess

from peers import Failed, first_in_line

ANSWER_S = 90


class Generator:
    def __init__(self, setup, peer, case, pid=0):
        command = [f'{setup.bench}/generate', '--frame', str(case.length), '--pattern', case.pattern,
                   '--macs', str(case.macs), '--ring', str(setup.ring), '--cpu', str(setup.cpu),
                   '--switch-cpu', str(setup.switch_cpu), '--pid', str(pid)]
        command += ['--tso'] if case.tso else []
        command += ['--packed'] if peer.packed else []
        command += ['--huge'] if setup.huge and case.guests <= 4 else []
        command += ['--listen'] if peer.guests == 'listen' else []
        self.log = open(f'{peer.dir}/generate.log', 'w+', encoding='utf-8')
        self.process = subprocess.Popen(command + peer.sockets, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, start_new_session=True,
                                        preexec_fn=first_in_line)
        self.name = peer.name
        self.unread = b''

    def line(self):
        while b'\n' not in self.unread:
            if not select.select([self.process.stdout], [], [], ANSWER_S)[0]:
                raise Failed(f'{self.name}: no answer from the generator for {ANSWER_S} s')
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                self.process.wait()
                self.log.seek(0)
                raise Failed(f'{self.name}: {self.log.read().strip() or "the generator has exited"}')
            self.unread += more
        text, self.unread = self.unread.split(b'\n', 1)
        return json.loads(text)

    def ready(self):
        """Wait until it listens or begins to connect."""
        self.line()

    def learned(self):
        """Wait until all guests are connected and a frame of every flow has arrived."""
        return self.line()

    def tell(self, command):
        self.process.stdin.write(command.encode() + b'\n')
        self.process.stdin.flush()

    def wake(self, times):
        """Latencies of single frames after pauses, in microseconds."""
        self.tell(f'wake {times}')
        return self.line()['us']

    def run(self, seconds, rate=None):
        """Run traffic; returns the samples and the totals."""
        self.tell(f'rate {rate:.0f} {seconds}' if rate else f'run {seconds}')
        samples = []
        while True:
            answer = self.line()
            if 'end' not in answer:
                samples.append(answer)
                continue
            if answer['damaged'] or answer['misordered']:
                raise Failed(f'{self.name}: {answer["damaged"]} frames damaged, {answer["misordered"]} out of order')
            return samples, answer

    def end(self):
        try:
            self.process.stdin.close()
            self.process.wait(10)
        except (subprocess.TimeoutExpired, OSError):
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()
