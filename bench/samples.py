# SPDX-License-Identifier: BSD-3-Clause
"""Statistics of the generator's samples: regimes, samples to discard, medians and spread."""

import statistics

NEAR, FAR = 'near', 'far'
# TSC cycles of a cache line's round trip between the two CPUs: 130 to 290 if they share a cache, otherwise 600 and more;
# nothing in between was seen.
FAR_FROM = 450
# A sample is discarded if one of the two CPUs was taken by others for more than this share of it.
STOLEN = 0.03


def regime(sample):
    """Whether the CPUs were near or far, or None if that changed during the sample."""
    before, after = (FAR if t >= FAR_FROM else NEAR for t in sample['round_trip'])
    return before if before == after else None


def sort(samples, stolen=STOLEN):
    """The usable samples by regime."""
    bins = {}
    for sample in samples:
        where = regime(sample)
        if where and sample['stolen'] <= stolen and sample['frames'] > 0:
            bins.setdefault(where, []).append(sample)
    return bins


def spread(values):
    """Median and quartiles of a non-empty list."""
    values = sorted(values)
    if len(values) < 2:
        return {'median': values[0], 'q1': values[0], 'q3': values[0], 'n': len(values)}
    q1, median, q3 = statistics.quantiles(values, n=4, method='inclusive')
    return {'median': median, 'q1': q1, 'q3': q3, 'n': len(values)}


def throughput(samples, tsc_hz):
    """From samples of one regime: cycles of the switch's core per frame, and rates."""
    cycles = spread([s['cycles'] / s['frames'] for s in samples])
    size = sum(s['bytes'] for s in samples) / sum(s['frames'] for s in samples)
    mpps = tsc_hz / cycles['median'] / 1e6
    return {
        'cycles': cycles,
        'mpps': mpps,
        'gbps': mpps * size * 8 / 1e3,
        # the share of the generator's turns that found the switch still busy; below one, the generator may be the limit,
        # not the switch
        'busy': statistics.median(s['busy'] for s in samples),
        'round_trip': statistics.median(s['round_trip'][1] for s in samples),
    }


def workers(windows):
    """From alternating windows of one worker and two: the switch's cycles per frame, and how much more two workers move."""
    one, two = ([w for w in windows if w['workers'] == n and w['frames']] for n in (1, 2))
    return {
        'cycles': spread([w['switch'] / w['frames'] for w in one]),
        # a window's cycles are the sum over its workers
        'more': spread([2 * b['frames'] / b['cycles'] / (a['frames'] / a['cycles']) for a, b in zip(one, two)]),
    }


def latency(samples):
    """From samples of one regime at a given rate: percentiles in microseconds."""
    names = ('p50', 'p90', 'p99', 'p999')
    return {name: spread([s['us'][i] for s in samples]) for i, name in enumerate(names)}


def loss_free(samples):
    """Whether most samples of a trial at a rate lost nothing. A few may lose frames to other load on the machine, and
    samples with stolen time do not count. None: too few are left to tell."""
    lost = [s['lost'] + s['refused'] > 0 for s in samples if s['stolen'] <= STOLEN]
    return 2 * sum(lost) < len(lost) if len(lost) >= 3 else None


def search(passes, most, steps):
    """The highest rate up to `most` that passes, by bisection (RFC 2544, 26.1)."""
    low, high = 0.0, most
    if passes(high):
        return high
    for _ in range(steps):
        middle = (low + high) / 2
        if passes(middle):
            low = middle
        else:
            high = middle
    return low
