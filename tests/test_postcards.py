"""The folder that the package draws, and pictures written to files."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from vae_lessons.data import draw_folder, load_folder, save_pictures
from vae_lessons.data.postcards import Factors, postcard, postcards

HERE = Factors(hour=0.2, horizon=0.4, x=0.0, size=0.45, hue=0.0)


def test_it_holds_png_files_in_class_folders_that_load_folder_reads(tmp_path):
    folder = draw_folder(tmp_path / "new" / "cards", 12, 0)
    assert sorted(path.name for path in folder.iterdir()) == ["boat", "factors.csv", "house", "tree"]
    files = sorted(folder.rglob("*.png"))
    assert [Image.open(file).size for file in files] == 12 * [(96, 64)]
    data = load_folder(folder, 32, "rgb", test=0.25)
    assert data.train.pixels.shape == (9, 3, 32, 32)
    assert torch.cat([data.train.y, data.test.y]).bincount().tolist() == [4, 4, 4]


def test_the_same_seed_draws_the_same_files_and_another_seed_others(tmp_path):
    a, b, c = (draw_folder(tmp_path / name, 6, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    read = [[path.read_bytes() for path in sorted(folder.rglob("*.*"))] for folder in (a, b, c)]
    assert read[0] == read[1]
    assert read[0] != read[2]


def test_the_factors_beside_the_files_are_those_they_were_drawn_with(tmp_path):
    folder = draw_folder(tmp_path, 6, 3)
    with open(folder / "factors.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    for row in rows:
        factors = Factors(*(float(row[name]) for name in Factors._fields))
        again = postcard(row["file"].split("/")[0], factors)
        assert np.array_equal(np.asarray(again), np.asarray(Image.open(folder / row["file"])))


def brightness(**changed):
    return np.asarray(postcard("tree", HERE._replace(**changed)).convert("L"), float)


def test_each_factor_does_what_its_name_says():
    assert brightness(hour=0.0).mean() > brightness(hour=0.5).mean() > brightness(hour=1.0).mean()
    for name, axis in (("x", 1), ("horizon", 0)):
        low, high = (
            brightness(**{name: {"x": -0.2, "horizon": 0.3}[name]}),
            brightness(**{name: {"x": 0.2, "horizon": 0.5}[name]}),
        )
        change = np.abs(high - low)
        assert change.sum() > 1_000
        assert change.mean(1 - axis).argmax() not in (0, change.shape[axis] - 1)
    red, blue = (np.asarray(postcard("tree", HERE._replace(hue=hue)), int) for hue in (0.0, 0.65))
    assert (red[..., 0] - blue[..., 0]).max() > 150
    tops = [np.abs(brightness(size=size) - brightness(size=0.35)).sum() for size in (0.4, 0.55)]
    assert tops[1] > tops[0] > 0


def test_pictures_come_one_after_the_other_as_in_the_folder(tmp_path):
    folder = draw_folder(tmp_path, 3, 5)
    for picture, kind in zip(postcards(3, 5), ("boat", "house", "tree"), strict=True):
        (file,) = (folder / kind).iterdir()
        assert np.array_equal(np.asarray(picture), np.asarray(Image.open(file)))


@pytest.mark.parametrize("n", [0, -1, 2.5, "many", True])
def test_a_number_that_is_none_is_refused(n, tmp_path):
    with pytest.raises(ValueError, match="n must be a whole number"):
        draw_folder(tmp_path, n)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["bytes", "numbers"])
def test_saved_pictures_are_read_again_as_they_were(channels, kind, tmp_path):
    pixels = torch.randint(256, (5, channels, 9, 9), generator=torch.Generator().manual_seed(0)).byte()
    folder = save_pictures(pixels if kind == "bytes" else pixels.float() / 255, tmp_path / "new")
    assert [path.name for path in sorted(folder.iterdir())] == [f"{i:04d}.png" for i in range(5)]
    data = load_folder(folder, 9, "rgb" if channels == 3 else "grey")
    found = torch.cat([data.train.pixels, data.test.pixels])
    assert sorted(map(bytes, found.flatten(1).numpy())) == sorted(map(bytes, pixels.flatten(1).numpy()))


def test_what_lies_beyond_black_and_white_is_cut(tmp_path):
    x = torch.tensor([-0.5, 0.0, 1.0, 1.5]).view(1, 1, 2, 2)
    save_pictures(x, tmp_path)
    assert np.asarray(Image.open(tmp_path / "0000.png")).flatten().tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize(
    ("x", "error"),
    [
        (torch.zeros(3, 4, 4), ValueError),
        (torch.zeros(2, 2, 4, 4), ValueError),
        (torch.full((1, 1, 2, 2), torch.nan), ValueError),
        (torch.zeros(1, 1, 2, 2, dtype=torch.int64), TypeError),
        (np.zeros((1, 1, 2, 2)), TypeError),
    ],
)
def test_what_is_no_picture_is_not_saved(x, error, tmp_path):
    with pytest.raises(error, match="x must be"):
        save_pictures(x, tmp_path / "none")
    assert not (tmp_path / "none").exists()
