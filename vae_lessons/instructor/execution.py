"""A notebook -> what its checks said and where it failed, from one run in a fresh kernel."""

import contextlib
import json
import os
import queue
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from jupyter_client.manager import start_new_kernel

GRACE = 5.0  # seconds that an interrupted cell has to stop
NO_HISTORY = ["--HistoryManager.hist_file=:memory:"]  # of IPython, which else writes to the user's home


class Run(NamedTuple):
    """What one run of a notebook left."""

    verdicts: list[dict]  # what the checks said, in the order in which they said it
    errors: dict[int, str]  # index of a cell -> its error, in one line
    reached: int  # index of the last cell that was run; its error says why, if others follow


class Ended(Exception):
    """The kernel is gone, or no longer listens."""


def execute(notebook, folder, seconds):
    """Run all code cells of a notebook in a folder, whatever fails, each for so many seconds at most -> Run.

    Tags, stored outputs and printed text have no influence: a check writes its verdict to the file that
    VAE_LESSONS_VERDICTS names. It does not raise Unsolved, which would skip the rest of its cell.
    """
    with tempfile.TemporaryDirectory() as kept:
        journal = Path(kept) / "verdicts.jsonl"
        env = os.environ | {"VAE_LESSONS_STRICT": "0", "VAE_LESSONS_VERDICTS": str(journal)}
        manager, client = start_new_kernel(
            startup_timeout=120,
            kernel_name="python3",
            env=env,
            cwd=str(folder),
            extra_arguments=NO_HISTORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # or a cell could write into the table
        )
        errors, i = {}, -1
        try:
            for i, cell in enumerate(notebook.cells):
                if cell.cell_type == "code" and (error := _error(manager, client, cell.source, seconds)):
                    errors[i] = error
        except Ended as why:
            errors[i] = str(why)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        lines = journal.read_text().splitlines() if journal.exists() else []
    return Run([json.loads(line) for line in lines], errors, i)


def one_line(text, limit=300):
    """Text without colours and line breaks, cut off at so many characters, -> str."""
    plain = " ".join(re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).split())
    return plain if len(plain) <= limit else plain[: limit - 3] + "..."


def _error(manager, client, source, seconds):
    """Run one cell -> its error in one line, or "". Raises Ended if no other cell can be run after it."""
    asked = client.execute(source, allow_stdin=False, stop_on_error=False)
    deadline, stopped = time.monotonic() + seconds, False
    while True:
        with contextlib.suppress(queue.Empty):
            reply = client.get_shell_msg(timeout=max(0.01, min(1, deadline - time.monotonic())))
            if reply["parent_header"].get("msg_id") == asked:
                break
        if not manager.is_alive():
            raise Ended("the kernel died")
        if time.monotonic() >= deadline:
            if stopped:
                raise Ended(f"it ran for {seconds:g} s and could not be interrupted")
            manager.interrupt_kernel()
            deadline, stopped = time.monotonic() + GRACE, True
    content = reply["content"]
    if stopped:
        return f"stopped after {seconds:g} s"
    if content["status"] == "ok":
        return ""
    said = one_line(f"{content.get('ename', content['status'])}: {content.get('evalue', '')}")
    return re.sub(r"\(\S+, line (\d+)\)$", r"(line \1)", said)  # a SyntaxError names the kernel's own file
