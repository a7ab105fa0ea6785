"""The built-in digits: their look in numbers, their factors, their seed, their difficulty."""

import pytest
import torch

from vae_lessons.data import digits as handwriting
from vae_lessons.measures import slant

N = 4000


@pytest.fixture(scope="module")
def drawn():
    return handwriting.draw(N)


def test_shapes_and_types(drawn):
    pixels, y, factors = drawn
    assert pixels.shape == (N, 1, 28, 28)
    assert pixels.dtype == torch.uint8
    assert y.shape == (N,)
    assert y.dtype == torch.int64
    assert all(f.shape == (N,) and f.dtype == torch.float32 for f in factors)


def test_same_seed_same_images_and_no_touch_of_the_callers_random_state(drawn):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    again = handwriting.draw(N)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(again[0], drawn[0])
    assert torch.equal(again[1], drawn[1])
    other = handwriting.draw(N, seed=1)
    assert (other[0] != drawn[0]).any(dim=(1, 2, 3)).float().mean() > 0.99


def test_grey_values_are_those_of_mnist(drawn):
    x = drawn[0].float() / 255
    assert x.mean() == pytest.approx(0.131, abs=0.015)
    assert x.std() == pytest.approx(0.308, abs=0.015)


def test_classes_are_equally_frequent(drawn):
    assert drawn[1].bincount(minlength=10).float().div(N).sub(0.1).abs().max() < 0.02


def test_digits_are_centred_by_mass_and_inside_the_box(drawn):
    x = drawn[0].float()[:, 0]
    at = torch.arange(28.0)
    mass = x.sum((1, 2))
    for axis in (1, 2):
        centre = (x.sum(3 - axis) * at).sum(1) / mass
        assert (centre - 13.5).abs().quantile(0.99) < 2
    assert (x[:, 0].amax(1) > 0).float().mean() < 0.02  # ink on the border row is rare
    assert (x.amax((1, 2)) > 200).float().mean() > 0.97


def test_factors_are_those_of_the_picture(drawn):
    pixels, y, factors = drawn
    x = pixels.float()[:, 0] / 255
    ones = y == 1
    # A rotated stroke is slanted as well, by tan of minus the counter-clockwise angle.
    expected = factors.slant[ones] - factors.rotation[ones].tan()
    assert torch.corrcoef(torch.stack([slant(x[ones, None]), expected]))[0, 1] > 0.85
    assert torch.corrcoef(torch.stack([x[ones].mean((1, 2)), factors.thickness[ones]]))[0, 1] > 0.75
    zeros = y == 0
    columns, rows = (x[zeros].amax(1) > 0.5).sum(1), (x[zeros].amax(2) > 0.5).sum(1)
    aspect = columns / rows
    assert torch.corrcoef(torch.stack([aspect, factors.width[zeros]]))[0, 1] > 0.4


def test_factors_are_independent_of_each_other_and_of_the_class(drawn):
    _, y, factors = drawn
    assert torch.corrcoef(torch.stack(factors)).fill_diagonal_(0).abs().max() < 0.06
    for factor in factors:
        means = torch.stack([factor[y == c].mean() for c in range(10)])
        assert (means - factor.mean()).abs().max() < 0.2 * factor.std()


def test_one_two_four_seven_and_nine_are_written_in_more_than_one_way():
    ways = [digit for digit, _, _ in handwriting.TEMPLATES]
    assert all(ways.count(digit) >= 2 for digit in (1, 2, 4, 7, 9))
    assert set(ways) == set(range(10))


def test_splines_pass_through_their_control_points():
    for _, _, strokes in handwriting.TEMPLATES:
        controls, matrix = handwriting.spline(strokes)
        assert matrix.shape == (handwriting.POINTS, len(controls))
        torch.testing.assert_close(matrix.sum(1), torch.ones(handwriting.POINTS))
        # The strokes' first and last points are drawn, and no control point is far from the ink.
        gaps = torch.cdist(controls, matrix @ controls).amin(1)
        assert gaps.max() < 0.03


def test_a_two_layer_classifier_errs_on_one_to_three_percent():
    pixels, y, _ = handwriting.draw(20_000)
    x = pixels.flatten(1).float() / 255
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
        adam = torch.optim.Adam(net.parameters(), 2e-3)
        for _ in range(8):
            for index in torch.randperm(18_000).split(128):
                loss = torch.nn.functional.cross_entropy(net(x[index]), y[index])
                adam.zero_grad()
                loss.backward()
                adam.step()
        wrong = (net(x[18_000:]).argmax(1) != y[18_000:]).float().mean()
    assert 0.01 <= wrong <= 0.03
