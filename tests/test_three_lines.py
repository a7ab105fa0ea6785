"""What README says to a stranger with a folder of pictures: from the files to a saved picture of draws."""

import os
import re
from pathlib import Path

from PIL import Image

from vae_lessons.data import draw_folder

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_a_stranger_goes_from_a_folder_to_a_picture_of_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    draw_folder("my_pictures", 40)
    code = next(
        code for code in re.findall(r"```python\n(.*?)```", README, flags=re.S) if "load_folder" in code
    )
    lines = [line for line in code.splitlines() if line and not line.startswith("from ")]
    assert [line.split("(")[0] for line in lines[:3]] == [
        "data = load_folder",
        "model = ConvolutionalVAE",
        "fit",
    ]
    exec(code, {})
    assert "15 epochs" in capsys.readouterr().out
    assert set(os.listdir()) == {"my_pictures", "draws.png"}
    assert Image.open("draws.png").width > 100
