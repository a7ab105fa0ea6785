"""What each notebook asks for: python benchmarks/notebook_cost.py [PATH ...]

Of its reader: words of text, lines of code, exercises, and minutes, counted at 100 words and 12 lines a
minute, 7 minutes an exercise, and 1 minute a prediction. Of the machine: seconds in a kernel of its own, its
slowest cell, and the kernel's largest resident set in MB.
"""

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from timing import ROOT, machine

PEAK = """import resource, sys
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(used // (2**20 if sys.platform == "darwin" else 1024))"""


def cost(path):
    """A notebook -> seconds in all, seconds of its slowest cell, which that is, peak memory in MB."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    client = NotebookClient(
        notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    start, cells = time.perf_counter(), {}
    with client.setup_kernel():
        for i, cell in enumerate(notebook.cells):
            began = time.perf_counter()
            client.execute_cell(cell, i)
            cells[i] = time.perf_counter() - began
        seconds = time.perf_counter() - start
    slowest = max(cells, key=cells.get)
    return seconds, cells[slowest], slowest, int(notebook.cells[-1].outputs[0].text)


def work(notebook):
    """A notebook -> words of text, lines of code, exercises, and minutes for a reader of these."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    words, lines = len(text.split()), sum(len(cell.source.splitlines()) for cell in code)
    exercises = sum("exercise" in cell.metadata.get("tags", []) for cell in code)
    minutes = words / 100 + lines / 12 + 7 * exercises + text.count("**Predict first.**")
    return words, lines, exercises, minutes


def main():
    paths = [Path(name).resolve() for name in sys.argv[1:]] or sorted(ROOT.glob("notebooks/[0-9]*.ipynb"))
    print(machine())
    width = max(len(path.stem) for path in paths)
    print(f"{'':{width}}   words  lines  exercises  minutes  seconds  slowest cell     peak MB")
    minutes, seconds_in_all = 0.0, 0.0
    for path in paths:
        seconds, slow, where, memory = cost(path)
        words, lines, exercises, own = work(nbformat.read(path, as_version=4))
        minutes, seconds_in_all = minutes + own, seconds_in_all + seconds
        print(f"{path.stem:{width}}  {words:6}  {lines:5}  {exercises:9}  {own:7.0f}", end="")
        print(f"  {seconds:7.1f}  {slow:6.1f} (no. {where:2})  {memory:7}", flush=True)
    print(f"{'all':{width}}  {'':6}  {'':5}  {'':9}  {minutes:7.0f}  {seconds_in_all:7.1f}")


if __name__ == "__main__":
    main()
