"""Fair timing on a machine that is never quite quiet: every round runs each contestant once, in turn.

A ratio is taken within a round, where both saw the same weather; the table shows its median and quartiles,
and beside them the ratio of the fastest rounds, which other programs disturbed least.
"""

import gc
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch

ROOT = Path(__file__).parents[1]


class Timed(NamedTuple):
    """One contestant: what it took in each round."""

    name: str
    wall: list[float]  # seconds
    cpu: list[float]  # seconds of all threads; blind to other programs, and to threads that wait asleep


def interleaved(contestants, rounds):
    """Run each contestant once a round, the order turned by one each round, -> list of Timed.

    `contestants` maps names to functions of no arguments that return a function to be timed: what the
    first does (models, data) is not counted. One round more, the first, is thrown away.
    """
    found = {name: Timed(name, [], []) for name in contestants}
    names = list(contestants)
    for round_ in range(rounds + 1):
        turn = round_ % len(names)
        for name in names[turn:] + names[:turn]:
            run = contestants[name]()
            gc.collect()
            synchronize()
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            synchronize()
            if round_ > 0:
                found[name].wall.append(time.perf_counter() - wall)
                found[name].cpu.append(time.process_time() - cpu)
    return list(found.values())


def synchronize():
    """Wait for a GPU where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def quartiles(values):
    """The lower quartile, the median and the upper quartile."""
    if len(values) == 1:
        return values * 3
    return statistics.quantiles(values, n=4, method="inclusive")


def ratios(timed, base, clock="wall"):
    """Quartiles of a contestant's time over that of `base`, round by round."""
    pairs = zip(getattr(timed, clock), getattr(base, clock), strict=True)
    return quartiles([a / b for a, b in pairs])


def print_ratios(found, per=1, unit="ms", base=None):
    """A table: median time over `per` (steps, say), and the ratio to the first contestant or to `base`."""
    base = base or found[0]
    width = max(len(timed.name) for timed in found)
    print(f"{'':{width}}  {unit:>9}     ratio  (quartiles)      fastest  ratio of CPU time")
    for timed in found:
        low, middle, high = ratios(timed, base)
        cpu = ratios(timed, base, "cpu")[1]
        each = 1e3 * statistics.median(timed.wall) / per
        fastest = min(timed.wall) / min(base.wall)
        spread = f"{middle:8.3f}  ({low:.3f}-{high:.3f})"
        print(f"{timed.name:{width}}  {each:9.3f}  {spread}  {fastest:9.3f}  {cpu:9.3f}")


def child(code, *arguments, environment=None):
    """Run Python code in a process of its own -> what it printed. Raises RuntimeError if it fails."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return done.stdout


def machine():
    """One line on what this was measured with."""
    from vae_lessons.runtime import describe

    return f"{describe()} Load {_load()}."


def _load():
    import os

    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
