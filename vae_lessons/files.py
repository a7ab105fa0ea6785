"""Bytes -> disk, written completely or not at all."""

import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def folder_made(path):
    """Create a folder and its parents if they are missing, for the body of a `with` block.

    If the body fails, the folders that were created and are empty are removed.
    Raises OSError if the folder cannot be created.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # another file is there by now
            for folder in made:
                folder.rmdir()
        raise


@contextmanager
def written_whole(path):
    """A binary file to write, which replaces `path` only after all of it is on the disk.

    Another process sees either the old file or the new one, never a part of one. If `path` is a link,
    the file that it points to is replaced.
    Raises OSError if the folder cannot be created or written; then nothing is left behind.
    """
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with folder_made(path.parent):
        try:
            with open(temporary, "xb") as file:  # not mkstemp, whose files only the owner can read
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
