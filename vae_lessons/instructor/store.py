"""Execute notebooks and store their outputs.

A notebook in which a cell fails is left as it was, and the command stops with that cell's error.
"""

import re
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from vae_lessons.instructor.lessons import chosen

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def store(path):
    """Run a notebook in its folder and write it back with clean outputs. Raises if a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    clean(notebook)
    nbformat.write(notebook, path)


def clean(notebook):
    """Drop what changes from run to run or belongs to a live session: widgets, stderr, addresses."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        # "jupyter" says whether an output is collapsed until its cell is run
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in ("tags", "jupyter")}
        if cell.cell_type == "code":
            cell.outputs = [kept for output in cell.outputs if (kept := _clean_output(output))]


def _clean_output(output):
    if output.output_type == "stream":
        output.text = re.sub(r"[^\n]*\r(?=[^\n])", "", output.text).replace("\r", "")
        return output if output.name == "stdout" and output.text.strip() else None
    if output.output_type in ("display_data", "execute_result"):
        output.data.pop(WIDGET_VIEW, None)
        if "text/plain" in output.data:
            output.data["text/plain"] = re.sub(r" at 0x[0-9a-f]+", "", output.data["text/plain"])
        return output if output.data else None
    return output


def arguments(parser):
    """Declare what the command takes."""
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="PATH", help="default: every lesson")


def main(parser, given):
    """Store the notebooks that were asked for -> exit code."""
    for path in chosen(parser, given.notebooks):
        print(f"storing {path.name}", flush=True)
        store(path)
    return 0
