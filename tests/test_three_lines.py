"""What README says to a stranger with a folder of pictures: from the files to a saved picture of draws."""

import os

from PIL import Image

from vae_lessons.data import draw_folder

LINES = """
data = load_folder("my_pictures", size=32, colour="rgb")
model = ConvolutionalVAE(shape=data.train.pixels.shape[1:]); fit(model, data, epochs=15, batch=32)
plots.images(model.sample(40)).save("draws.png")
"""


def test_a_stranger_goes_from_a_folder_to_a_picture_of_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    draw_folder("my_pictures", 40)
    imports = (
        "from vae_lessons import plots\nfrom vae_lessons.data import load_folder\n"
        "from vae_lessons.model import ConvolutionalVAE\nfrom vae_lessons.train import fit\n"
    )
    exec(imports + LINES, {})
    assert "15 epochs" in capsys.readouterr().out
    assert set(os.listdir()) == {"my_pictures", "draws.png"}
    assert Image.open("draws.png").width > 100
