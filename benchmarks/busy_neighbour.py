"""What a busy program does to training: python benchmarks/busy_neighbour.py [--rounds 3]

A step of a small network with all threads, alone and beside a process that keeps one CPU busy, and with one
thread beside it; without the package, and with the thread settings that importing it makes. Without them, a
thread that has to share its CPU keeps the others waiting in a busy loop at the end of every operation.
"""

import argparse
import os

from timing import child, machine

TRAINING = """
import statistics, subprocess, sys, time
{first}
import torch
from torch import nn

BUSY = "import time; print(flush=True); end = time.time() + 10\\nwhile time.time() < end: pass"
net = nn.Sequential(nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 20), nn.Linear(20, 400), nn.ReLU(),
                    nn.Linear(400, 784))
adam, x, threads = torch.optim.Adam(net.parameters()), torch.rand(128, 784), torch.get_num_threads()

def steps(threads):  # the times of 40 in ms, or of as many as 0.4 seconds have room for
    torch.set_num_threads(threads)
    end, found = time.perf_counter() + 0.4, []
    while len(found) < 40 and time.perf_counter() < end or not found:
        start = time.perf_counter()
        loss = nn.functional.binary_cross_entropy_with_logits(net(x), x)
        adam.zero_grad()
        loss.backward()
        adam.step()
        found.append(1000 * (time.perf_counter() - start))
    return found

alone, beside, single = [], [], []
for _ in range({rounds}):  # in turns: other work on this machine meets all three alike
    alone += steps(threads)
    busy = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE)
    busy.stdout.readline()
    beside += steps(threads)
    single += steps(1)
    busy.kill()
    busy.wait()
alone, beside, single = map(statistics.mean, (alone, beside, single))
print(f"{{threads}} threads, {{alone:.1f}} ms a step alone; beside a busy process {{beside / alone:.1f}} "
      f"times as long, with one thread {{single / alone:.1f}} times")
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(machine())
    settings = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    environment = {name: value for name, value in os.environ.items() if name not in settings}
    for name, first in (("without the package", ""), ("with it", "import vae_lessons")):
        said = child(TRAINING.format(first=first, rounds=rounds), environment=environment)
        print(f"{name:20}  {said.strip()}")


if __name__ == "__main__":
    main()
