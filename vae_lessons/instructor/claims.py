"""Execute lessons for several seeds and data sets and tabulate their measured claims, with margins.

Each claim is printed with its bounds, the least and the greatest value seen, and how near the worst
run came to a bound. The exit code is 1 if a lesson failed. MNIST is read from VAE_LESSONS_DATA_DIR.
"""

import json
import os
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from vae_lessons.instructor.lessons import chosen


def run(path, seed, data):
    """Execute one notebook -> (its claims as rows, seconds, error or None)."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        claims = Path(folder) / "claims.jsonl"
        env = {"VAE_LESSONS_SEED": str(seed), "VAE_LESSONS_DATA": data, "VAE_LESSONS_CLAIMS": str(claims)}
        resources = {"metadata": {"path": str(path.parent)}}
        client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources)
        start, error = time.perf_counter(), None
        try:
            client.execute(env=os.environ | env)
        except CellExecutionError as failure:
            error = f"{failure.ename}: {failure.evalue}"
        rows = [json.loads(line) for line in claims.read_text().splitlines()] if claims.exists() else []
    return rows, time.perf_counter() - start, error


def table(rows):
    """The claims of several runs -> one line each, in the order of the lesson."""
    seen = {}
    for row in rows:
        seen.setdefault((row["what"], row["above"], row["below"]), []).append(row["value"])
    for (what, above, below), values in seen.items():
        margins = [v - above for v in values] if above is not None else []
        margins += [below - v for v in values] if below is not None else []
        bounds = f"{'' if above is None else f'{above:.4g} < '}.{'' if below is None else f' < {below:.4g}'}"
        spread = f"{min(values):.4g} .. {max(values):.4g} in {len(values)}"
        yield f"  {what} | {bounds} | {spread} | {min(margins):.3g}"


def seeds(text):
    """Seeds as the command line has them, "0,1" -> [0, 1]. Raises ValueError if one is no number."""
    return [int(part) for part in text.split(",")]


def arguments(parser):
    """Declare what the command takes."""
    parser.add_argument("--seeds", type=seeds, default=[0, 1, 2, 3, 4], help="default: 0,1,2,3,4")
    parser.add_argument("--data", default="digits,mnist", help="default: digits,mnist")
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help="default: every lesson")


def main(parser, given):
    """Run the lessons that were asked for and print their claims -> exit code."""
    failed = False
    for path in chosen(parser, given.notebooks):
        for data in given.data.split(","):
            rows, times = [], []
            for seed in given.seeds:
                more, seconds, error = run(path, seed, data)
                rows += more
                times.append(seconds)
                if error:
                    failed = True
                    print(f"{path.stem}, {data}, seed {seed}: {error}", flush=True)
            print(f"{path.stem}, {data}: {min(times):.0f} .. {max(times):.0f} s")
            print(*table(rows), sep="\n", flush=True)
    return failed
