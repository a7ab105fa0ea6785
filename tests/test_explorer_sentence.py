"""The explorer of sentences, played in a browser: pictures are the model's, probabilities the writer's."""

import pytest
import torch

from vae_lessons.data import load
from vae_lessons.explorers.sentence import sentence
from vae_lessons.model import WordVAE
from vae_lessons.model.words import Writer, fit_writer
from vae_lessons.train import fit


@pytest.fixture(scope="module")
def data():
    return load("digits", train=1_000, test=200)


@pytest.fixture(scope="module")
def model(data):
    made = WordVAE(words=5, size=20, width=4, update="ema", hidden=(32, 24), seed=0)
    fit(made, data, epochs=4, batch=50, progress=False, seed=0)
    return made.cpu()


@pytest.fixture(scope="module")
def writer(model, data):
    made = Writer(5, 20, hidden=16, seed=0)
    fit_writer(made, model.index(data.train.x), epochs=8, batch=50, lr=2e-2, seed=0)
    return made


def compare(seen, model, writer):
    index = torch.tensor([seen["sentence"]]).long()
    picture = model.picture(index).flatten()
    assert (torch.tensor(seen["picture"]) - picture).abs().max() < 0.05
    with torch.no_grad():
        p = writer(index[:, : seen["kept"]])[0, -1].softmax(-1)
    assert (torch.tensor(seen["p"]) - p).abs().max() < 0.02
    assert sum(seen["p"]) == pytest.approx(1, abs=1e-4)


def test_every_sentence_shows_its_picture_and_the_writers_next_word(play, data, model, writer):
    page = play(sentence(model, writer, data))
    zero, four = (model.index(data.test.x[data.test.y == digit][:1])[0].tolist() for digit in (0, 4))
    assert page.detail["sentence"] == zero
    compare(page.detail, model, writer)
    assert page.set("start with the sentence of a", 4)["sentence"] == four
    for kept in (1, 4):
        compare(page.set("keep", kept), model, writer)
    for word in (0, 19):
        assert page.set("word 3", word)["sentence"] == [*four[:2], word, *four[3:]]
        compare(page.detail, model, writer)
    assert "with probability" in page.words


def test_the_rest_is_written_with_the_writers_probabilities_and_what_is_kept_stays(play, data, model, writer):
    page = play(sentence(model, writer, data))
    page.set("keep", 2)
    start = page.detail["sentence"]
    seen = [page.press("write the rest") for _ in range(150)]
    assert all(one["sentence"][:2] == start[:2] for one in seen)
    compare(seen[-1], model, writer)
    shares = torch.bincount(torch.tensor([one["sentence"][2] for one in seen]), minlength=20) / len(seen)
    assert (shares - torch.tensor(seen[0]["p"])).abs().max() < 0.15
    assert len({tuple(one["sentence"]) for one in seen}) > 5


def test_it_fits_a_telephone(play, data, model, writer):
    page = play(sentence(model, writer, data), width=360)
    assert page.page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_writer_of_another_language_is_refused_in_a_sentence(data, model):
    with pytest.raises(ValueError, match=r"^The model has 5 words out of 20, and the writer 5 out of 30\.$"):
        sentence(model, Writer(5, 30, 8), data)
