"""Files are written whole or not at all, with the modes and links that others expect."""

import os
import stat
import sys
import threading

import pytest

from vae_lessons.files import written_whole


def test_a_new_file_in_a_new_folder(tmp_path):
    path = tmp_path / "not" / "there" / "file.bin"
    with written_whole(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["file.bin"]


def test_a_path_in_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with written_whole("file.bin") as file:
        file.write(b"new")
    assert (tmp_path / "file.bin").read_bytes() == b"new"


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with written_whole(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("stop", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("before", [b"old", None])
def test_a_writer_that_stops_half_way_changes_nothing(tmp_path, stop, before):
    path = tmp_path / "file.bin"
    if before is not None:
        path.write_bytes(before)

    def write_half():
        with written_whole(path) as file:
            file.write(b"half")
            file.flush()
            raise stop

    with pytest.raises(stop):
        write_half()
    assert os.listdir(tmp_path) == ([] if before is None else ["file.bin"])
    assert before is None or path.read_bytes() == before


def test_a_writer_that_stops_leaves_no_folder_that_was_made_for_it(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(OSError, match="full"), written_whole(tmp_path / "mine" / "a" / "b" / "file.bin"):
        raise OSError("full")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]


def test_readers_beside_many_writers_see_one_whole_file_or_another(tmp_path):
    path, seen, stop = tmp_path / "file.bin", set(), threading.Event()
    contents = [bytes([i]) * 100_000 for i in range(4)]
    path.write_bytes(contents[0])

    def write(content):
        while not stop.is_set():
            with written_whole(path) as file:
                file.write(content)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    try:
        seen = {path.read_bytes() for _ in range(100)}
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert seen <= set(contents)
    assert os.listdir(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("below", ["file.bin", "folder/file.bin"])
def test_a_folder_that_cannot_be_made(tmp_path, below):
    (tmp_path / "regular").write_bytes(b"a file")
    with pytest.raises(OSError), written_whole(tmp_path / "regular" / below):  # noqa: PT011
        raise AssertionError("there is nothing to write to")
    assert os.listdir(tmp_path) == ["regular"]
    assert (tmp_path / "regular").read_bytes() == b"a file"


def test_a_folder_in_the_place_of_the_file(tmp_path):
    (tmp_path / "file.bin").mkdir()
    with pytest.raises(OSError), written_whole(tmp_path / "file.bin") as file:  # noqa: PT011
        file.write(b"new")
    assert os.listdir(tmp_path) == ["file.bin"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes.")
@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_the_file_has_the_mode_of_any_other_new_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        with written_whole(tmp_path / "file.bin") as file:
            file.write(b"new")
        (tmp_path / "other").write_bytes(b"new")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("file.bin", "other")]
    assert modes == [0o666 & ~umask] * 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets few users make links.")
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path, there):
    (tmp_path / "elsewhere").mkdir()
    real, link = tmp_path / "elsewhere" / "real.bin", tmp_path / "link.bin"
    if there:
        real.write_bytes(b"old")
    link.symlink_to(real)
    with written_whole(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "link.bin"]
    assert os.listdir(real.parent) == ["real.bin"]
