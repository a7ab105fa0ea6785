"""The judge against numpy, closed forms and images whose classes are known."""

import math

import numpy as np
import pytest
import torch

from vae_lessons import measures
from vae_lessons.data import Data, Split, load
from vae_lessons.measures import Judge, frechet_distance


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def data():
    return load("digits", train=3_000, test=600)


@pytest.fixture(scope="module")
def judge(data):
    return Judge(data)


def test_the_distance_is_that_of_the_formula():
    """tr (S T)^(1/2) is the sum of the roots of the eigenvalues of S T, which is not symmetric."""
    a, b = noise(60, 5), noise(80, 5, seed=1) @ noise(5, 5, seed=2) + 0.3
    s, t = np.cov(a.T.numpy()), np.cov(b.T.numpy())
    root = np.sqrt(np.linalg.eigvals(s @ t).real).sum()
    wanted = ((a.mean(0) - b.mean(0)) ** 2).sum().item() + s.trace() + t.trace() - 2 * root
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-9)


def test_in_one_dimension_it_is_the_closed_form():
    """d = (m_a - m_b)^2 + (sd_a - sd_b)^2"""
    a, b = noise(50, 1), 3 * noise(70, 1, seed=1) + 2
    wanted = (a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2
    assert frechet_distance(a, b) == pytest.approx(wanted.item(), rel=1e-9)


def test_it_is_symmetric_unchanged_by_rotation_and_0_for_one_set_even_with_fewer_rows_than_columns():
    a, b, q = noise(7, 12), noise(9, 12, seed=1), torch.linalg.qr(noise(12, 12, seed=2)).Q
    d = frechet_distance(a, b)
    assert frechet_distance(b, a) == pytest.approx(d, rel=1e-6)
    assert frechet_distance(a @ q, b @ q) == pytest.approx(d, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a + 2, a) == pytest.approx(4 * 12, rel=1e-6)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (noise(5), noise(5)),
        (noise(5, 2), noise(5, 3)),
        (noise(1, 2), noise(5, 2)),
        (noise(5, 2) / 0, noise(5, 2)),
    ],
)
def test_rows_that_do_not_fit_are_refused(a, b):
    with pytest.raises(ValueError, match=r"must be"):
        frechet_distance(a, b)


def test_it_knows_the_classes_of_images_it_never_saw(judge, data):
    assert judge.agrees(data.test.x, data.test.y) > 0.85
    assert judge.classes(data.test.x).dtype == torch.int64
    wrong = (data.test.y + 1) % 10
    assert judge.agrees(data.test.x, wrong) < 0.05
    assert judge.features(data.test.x).shape == (600, 256)
    assert (judge.features(data.test.x) >= 0).all()


def test_the_distance_of_images_grows_with_what_is_done_to_them(judge, data):
    x, real = data.test.x, data.train.x
    spoilt = [x, 0.7 * x, torch.where(torch.rand(x.shape) < 0.3, 1.0, x), torch.zeros_like(x)]
    near, *far = (judge.frechet(pictures, real) for pictures in spoilt)
    assert near == pytest.approx(frechet_distance(judge.features(x), judge.features(real)))
    assert all(d > 3 * near for d in far)
    sevens = judge.frechet(x[data.test.y == 7], real)
    assert sevens > 3 * near


def test_the_same_seed_gives_the_same_judge_and_the_random_state_stays(data):
    small = Data(data.train.first(200), data.test)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (Judge(small, epochs=1, seed=seed).features(data.test.x) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_bad_input_is_one_sentence(judge, data):
    bare, real = Split(data.train.pixels), Split(data.train.pixels, torch.zeros(3_000))
    for split in (bare, real):
        with pytest.raises(ValueError, match=r"^A judge learns classes"):
            Judge(Data(split, data.test))
    with pytest.raises(ValueError, match=r"^epochs must be a whole number"):
        Judge(data, epochs=0)
    with pytest.raises(ValueError, match=r"^features must be a whole number"):
        Judge(data, features=0)
    with pytest.raises(ValueError, match=r"^x must be \(B, 1, 28, 28\), but it is \(2, 784\)\.$"):
        judge.classes(torch.zeros(2, 784))
    with pytest.raises(ValueError, match=r"^x must be finite"):
        judge.features(torch.full((2, 1, 28, 28), math.nan))
    with pytest.raises(TypeError, match=r"^x must be a tensor"):
        judge.features([1, 2])
    with pytest.raises(ValueError, match=r"^y must be one class for each of 600 pictures"):
        judge.agrees(data.test.x, data.test.y[:5])
    assert measures.Judge is Judge


def test_real_images_cover_each_other_and_one_class_covers_a_tenth(judge, data):
    x, others = data.test.x, data.train.x[:600]
    assert judge.coverage(others, x) == pytest.approx(1 - 2**-5, abs=0.03)
    assert judge.coverage(x, x) == 1
    assert judge.coverage(others[data.train.y[:600] == 7], x) < 0.2
    assert judge.coverage(torch.zeros_like(x), x) < 0.05
    with pytest.raises(ValueError, match=r"^images must be more than 5"):
        judge.coverage(x, x[:5])
