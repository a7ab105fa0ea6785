"""Make a site of the lessons: their stored outputs, and explorers that move, in a folder of static pages.

The pages need no kernel and no other server: the script that draws the equations (MathJax) lies among them.
"""

import shutil
import tempfile
from pathlib import Path

import nbformat

from vae_lessons.instructor.lessons import NOTEBOOKS, lessons

TITLE = "The variational autoencoder"
SETTINGS = {
    "project": TITLE,
    "html_title": TITLE,
    "extensions": ["myst_nb", "sphinx-mathjax-offline"],
    "nb_execution_mode": "off",
    "myst_enable_extensions": ["dollarmath", "amsmath"],
    "html_theme": "furo",
    "html_show_sphinx": False,
    "html_show_copyright": False,
    "html_copy_source": False,
    "suppress_warnings": ["mystnb.unknown_mime_type"],
}
FRONT = """# {title}

Drag the circle. A small network turns the two numbers under it into an image, in this page.

```{{raw}} html
{drag}
```

That network is the decoder of a *variational autoencoder*, and these lessons say what it is, from the idea
to a model that you can trust. Every claim is measured, every equation is checked by a cell, and every
picture like this one can be dragged.

## Watch one learn

```{{raw}} html
{learn}
```

## The lessons

Each is a Jupyter notebook: what you see here was printed by its cells, and in JupyterLab you
change and run them.

```{{toctree}}
:maxdepth: 1

{lessons}
glossary
```
"""


def site(out, notebooks=NOTEBOOKS):
    """Render all lessons of a folder and a front page into another folder, which Sphinx keeps up to date.

    Its explorers are those that the lessons have stored. Raises RuntimeError if one of them, Sphinx or an
    extension of it is missing, or the pages cannot be built.
    """
    try:
        from sphinx.application import Sphinx
        from sphinx.errors import SphinxError
    except ImportError:
        raise RuntimeError("The site is built by Sphinx: pip install 'vae_lessons[site]'.") from None
    paths = lessons(Path(notebooks))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        for path in (*paths, Path(notebooks) / "glossary.ipynb"):
            nbformat.write(prepared(nbformat.read(path, as_version=4)), source / path.name)
        front = FRONT.format(
            title=TITLE,
            drag=explorer(paths, "latent"),
            learn=explorer(paths, "learn"),
            lessons="\n".join(path.stem for path in paths),
        )
        (source / "index.md").write_text(front, encoding="utf-8")
        try:
            app = Sphinx(source, None, out, Path(folder) / "trees", "html", SETTINGS, status=None)
            app.build()
        except SphinxError as error:
            raise RuntimeError(f"Sphinx could not build the site: {error}") from error
        if app.statuscode:
            raise RuntimeError("Sphinx could not build the site; its words are above.")
    shutil.rmtree(Path(out) / "_sources", ignore_errors=True)


def prepared(notebook):
    """A notebook whose collapsed outputs are collapsed on the page, too."""
    for cell in notebook.cells:
        if cell.metadata.get("jupyter", {}).get("outputs_hidden"):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-output"]
    return notebook


def explorer(paths, name):
    """The first explorer of a name that is stored in some notebooks, as a piece of a page.

    Raises RuntimeError if there is none.
    """
    for path in paths:
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                piece = output.get("data", {}).get("text/html", "")
                if f'class="vae-explorer vae-explorer-{name}"' in piece:
                    return piece
    raise RuntimeError(f"No lesson holds the explorer {name}: store them first, python -m vae_lessons store.")


def arguments(parser):
    """Declare what the command takes."""
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder of the site, made if it is missing")


def main(parser, given):
    """Build the site -> exit code."""
    try:
        site(given.out)
    except RuntimeError as error:
        parser.error(str(error))
    print(f"Open {given.out / 'index.html'}.")
    return 0
