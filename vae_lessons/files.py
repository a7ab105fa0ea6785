"""Bytes -> disk, whole or not at all."""

import os
import secrets
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path):
    """A binary file to write, which takes the place of `path` only once all of it is on the disk.

    A reader, or a writer in another process, sees the old file or the new one, never half of one.
    A link at `path` stays, and the file that it points to is replaced.
    Raises OSError where the folder cannot be made or written; then nothing is left behind.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(temporary, "xb") as file:  # not mkstemp, whose files only their owner may read
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
