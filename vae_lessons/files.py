"""Bytes -> disk, whole or not at all."""

import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def folder_made(path):
    """A folder that is there, with those above it, made where they were missing.

    If what is done in it fails, those that were made for it and are empty go again.
    Raises OSError if it cannot be made.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # some other file lies there by now
            for folder in made:
                folder.rmdir()
        raise


@contextmanager
def written_whole(path):
    """A binary file to write, which takes the place of `path` only once all of it is on the disk.

    A reader, or a writer in another process, sees the old file or the new one, never half of one.
    A link at `path` stays, and the file that it points to is replaced.
    Raises OSError if the folder cannot be made or written; then nothing is left behind.
    """
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with folder_made(path.parent):
        try:
            with open(temporary, "xb") as file:  # not mkstemp, whose files only their owner may read
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
