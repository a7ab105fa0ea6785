"""What a learner waits for before anything is learned: python benchmarks/startup.py [--rounds 5]

`import` of each room of vae_lessons in a fresh process, above an empty one and above `import torch`; then a
notebook kernel: its start, and from there to the first picture of handwritten digits.
"""

import argparse
import statistics
import time

from jupyter_client.manager import start_new_kernel
from timing import ROOT, child, machine

FIRST_PICTURE = """
from vae_lessons import plots
from vae_lessons.data import load
plots.images(load("digits").test.x[:10])
"""
CLOCK = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def rooms():
    """Every room, by its dotted name; one that is a folder counts once."""
    house = ROOT / "vae_lessons"
    found = [path.stem for path in house.glob("*.py")] + [
        path.parent.name for path in house.glob("*/__init__.py")
    ]
    return sorted(f"vae_lessons.{name}" for name in found if name != "__init__")


def import_times(names, rounds):
    """Median seconds of each import, interleaved."""
    seen = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            seen[name].append(float(child(CLOCK.format(name)).splitlines()[-1]))
    return {name: statistics.median(times) for name, times in seen.items()}


def kernel_times():
    """Seconds until a kernel is ready, and from there until it has sent the first picture."""
    start = time.perf_counter()
    manager, client = start_new_kernel(cwd=str(ROOT))
    ready, pictures = time.perf_counter(), []

    def look(message):
        if "<img " in message["content"].get("data", {}).get("text/html", ""):
            pictures.append(time.perf_counter())

    client.execute_interactive(FIRST_PICTURE, output_hook=look, timeout=120)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    return ready - start, pictures[0] - ready


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(machine())
    times = import_times(["torch", "vae_lessons", *rooms()], rounds)
    print(f"\n{'import':28}  seconds   above torch")
    for name, seconds in times.items():
        print(f"{name:28}  {seconds:7.2f}  {seconds - times['torch']:12.2f}")
    ready, picture = (
        statistics.median(t) for t in zip(*(kernel_times() for _ in range(rounds)), strict=True)
    )
    print(f"\nkernel ready after {ready:.2f} s, first picture {picture:.2f} s later")


if __name__ == "__main__":
    main()
