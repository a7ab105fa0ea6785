"""The measures on spaces whose answers are known without them."""

import pytest
import torch

from vae_lessons import measures
from vae_lessons.data import Data, Split
from vae_lessons.data import digits as handwriting
from vae_lessons.measures import nearest
from vae_lessons.model import VAE, Autoencoder


class Plane:
    """A stand-in for a model: the code is the image, and a given function draws it again."""

    device = torch.device("cpu")

    def __init__(self, draw):
        self.draw = draw

    def code(self, x):
        return x

    def picture(self, z):
        return self.draw(z)


@pytest.fixture(scope="module")
def cloud():
    return torch.randn(500, 2, generator=torch.Generator().manual_seed(0))


def test_an_even_space_has_continuity_one(cloud):
    walk = measures.continuity(Plane(lambda z: 3 * z), cloud)
    assert walk.continuity == pytest.approx(1, abs=1e-3)
    spread = cloud.std(0).square().mean().sqrt()
    torch.testing.assert_close(walk.steps.median(), 3 * 0.05 * spread)


def test_continuity_does_not_depend_on_the_scale_of_the_codes(cloud):
    bend = Plane(lambda z: torch.tanh(2 * z))
    wide = Plane(lambda z: torch.tanh(2 * z / 100))
    a, b = measures.continuity(bend, cloud), measures.continuity(wide, 100 * cloud)
    assert a.continuity == pytest.approx(b.continuity, rel=1e-3)


def test_a_torn_space_has_a_larger_continuity_than_a_bent_one(cloud):
    bent = measures.continuity(Plane(lambda z: z + torch.sin(z)), cloud).continuity
    torn = measures.continuity(Plane(lambda z: z + 3 * torch.sign(z)), cloud).continuity
    assert 1 < bent < 3 < torn


def test_a_torn_space_whose_pieces_are_flat_has_no_end_of_continuity(cloud):
    assert measures.continuity(Plane(torch.sign), cloud).continuity == torch.inf


def collapsed(how):
    """A VAE with a posterior that has collapsed onto the prior, wholly or but for a hundredth."""
    model = VAE(latent=3, hidden=(16,))
    with torch.no_grad():
        for head in (model.encoder.head.mu_head, model.encoder.head.log_var_head):
            head.weight.mul_(0.0 if how == "wholly" else 0.01)
            head.bias.zero_()
    return model


@pytest.mark.parametrize("how", ["wholly", "nearly"])
def test_in_a_collapsed_model_there_is_nowhere_to_walk_and_each_measure_has_its_value(how, digits):
    model, x = collapsed(how), digits.test.x
    with pytest.raises(ValueError, match=r"nowhere to walk: .* \(posterior collapse\)"):
        measures.continuity(model, x)
    assert measures.active_units(model, x).active == 0
    assert measures.aggregated(model, x).kl == pytest.approx(0, abs=0.01)
    drawn, ruler = model.sample(200, torch.Generator().manual_seed(1)), measures.yardstick(model, digits, 200)
    assert measures.completeness(drawn, ruler) == pytest.approx(0.95, abs=0.05)
    assert measures.coverage(drawn, ruler) == pytest.approx(0.95, abs=0.05)
    assert measures.told_apart(drawn, measures.own_pictures(model, x[:200])) == pytest.approx(0.5, abs=0.15)


def test_there_is_nothing_to_see_where_the_decoder_does_not_look_at_z(cloud):
    with pytest.raises(ValueError, match=r"nothing to see on the walk: .* \(posterior collapse\)"):
        measures.continuity(Plane(lambda z: torch.full_like(z, 0.3)), cloud)


@pytest.mark.parametrize("measure", [measures.continuity, measures.active_units, measures.aggregated])
def test_measures_of_spread_need_two_images_and_numbers(measure, digits):
    model = VAE(latent=2, hidden=(16,))
    with pytest.raises(ValueError, match="two images at least, but x has 1"):
        measure(model, digits.test.x[:1])
    with pytest.raises(ValueError, match="must be finite numbers"):
        measure(model, torch.full((3, 1, 28, 28), torch.nan))


def test_equal_images_have_no_walk_no_active_unit_and_a_point_for_a_space(digits):
    model, x = Autoencoder(latent=2, hidden=(16,)), digits.test.x[:1].expand(5, -1, -1, -1)
    with pytest.raises(ValueError, match="the images are equal"):
        measures.continuity(model, x)
    assert measures.active_units(model, x).active == 0
    assert measures.aggregated(model, x).kl == torch.inf


def test_a_walk_shorter_than_a_step_is_told(cloud):
    with pytest.raises(ValueError, match="No walk is as long as one step of 100"):
        measures.continuity(Plane(lambda z: z), cloud, step=100)


@pytest.fixture(scope="module")
def digits():
    pixels, y, _ = handwriting.draw(3000)
    return Data(Split(pixels[:2000], y[:2000]), Split(pixels[2000:], y[2000:]))


@pytest.fixture(scope="module")
def ruler(digits):
    """A yardstick of the images themselves, as a model that copies perfectly would have it."""
    own, held_out = digits.train.x.flatten(1), digits.test.x.flatten(1)
    limit = torch.cdist(held_out, own).amin(1).quantile(0.95).item()
    return measures.Yardstick(own, held_out, limit)


def test_completeness_and_coverage_of_held_out_images(digits, ruler):
    assert measures.completeness(digits.test.x, ruler) == pytest.approx(0.95, abs=0.01)
    assert measures.coverage(digits.test.x, ruler) == 1


def test_one_perfect_digit_is_complete_and_covers_little(digits, ruler):
    one = digits.train.x[:1].expand(200, -1, -1, -1)
    assert measures.completeness(one, ruler) == 1
    assert measures.coverage(one, ruler) < 0.2


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_blank_pictures_are_off_the_data_where_the_limit_is_tight(ruler, value):
    tight = ruler._replace(limit=1.0)
    assert measures.completeness(torch.full((10, 1, 28, 28), value), tight) == 0


def test_yardstick_measures_the_models_own_pictures(digits):
    model = Autoencoder(latent=2, hidden=(16,))
    ruler = measures.yardstick(model, digits, references=300)
    torch.testing.assert_close(ruler.own, model.reconstruct(digits.train.x[:300]).flatten(1))
    near = torch.cdist(ruler.held_out, ruler.own).amin(1) <= ruler.limit
    assert near.float().mean() == pytest.approx(0.95, abs=0.01)


def test_own_pictures_of_a_vae_are_samples_of_its_posterior(digits):
    model = VAE(latent=2, hidden=(16,))
    torch.nn.init.constant_(model.encoder.head.log_var_head.bias, 2.0)
    x = digits.test.x[:50]
    first, again = measures.own_pictures(model, x), measures.own_pictures(model, x)
    assert torch.equal(first, again)
    assert not torch.allclose(first, model.reconstruct(x))
    assert not torch.allclose(first, measures.own_pictures(model, x, seed=1))


def test_a_classifier_cannot_tell_two_halves_of_the_data_apart(digits):
    assert measures.told_apart(digits.train.x[:1000], digits.train.x[1000:]) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("control", ["black", "mean", "average of two", "blur"])
def test_a_classifier_refuses_the_controls(digits, control):
    x = digits.train.x[:1000]
    fake = {
        "black": torch.zeros_like(x),
        "mean": x.mean(0, keepdim=True).expand_as(x),
        "average of two": (x + x.roll(1, 0)) / 2,
        "blur": torch.nn.functional.avg_pool2d(x, 5, 1, 2),
    }[control]
    assert measures.told_apart(fake, digits.train.x[1000:]) > 0.8


def test_telling_apart_leaves_the_random_state_alone_and_repeats(digits):
    state = torch.get_rng_state()
    a = measures.told_apart(digits.train.x[:100], digits.train.x[100:200])
    assert torch.equal(torch.get_rng_state(), state)
    assert a == measures.told_apart(digits.train.x[:100], digits.train.x[100:200])


def test_telling_apart_does_not_seed_a_gpu(monkeypatch):
    touched = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", touched.append)
    monkeypatch.setattr(torch.mps, "manual_seed", touched.append)
    measures.told_apart(torch.zeros(10, 4), torch.ones(10, 4), epochs=1)
    assert touched == []


@pytest.mark.parametrize("shapes", [((3, 4), (2, 4)), ((3, 4), (3, 5)), ((1, 4), (1, 4))])
def test_telling_apart_needs_equal_sets(shapes):
    with pytest.raises(ValueError, match="equally large and alike, two or more of each"):
        measures.told_apart(*(torch.zeros(shape) for shape in shapes))


@pytest.mark.parametrize("measure", [nearest, measures.told_apart])
def test_pictures_that_are_no_numbers_are_refused(measure):
    good, bad = torch.zeros(3, 4), torch.full((3, 4), torch.nan)
    for pair, name in (((bad, good), "pictures"), ((good, bad), "images|own")):
        with pytest.raises(ValueError, match=f"({name}) must be finite numbers"):
            measure(*pair)
    with pytest.raises(TypeError, match=r"pictures must be a tensor, .* torch.from_numpy\(pictures\)"):
        measure(good.numpy(), good)


@pytest.mark.parametrize("lean", [-0.5, 0.0, 0.25, 1.0])
def test_slant_of_a_leaning_line(lean):
    x = torch.zeros(1, 1, 41, 81)
    for row in range(41):
        at = 40 + lean * (20 - row)
        left = int(at)
        x[0, 0, row, left] = 1 - (at - left)
        x[0, 0, row, left + 1] = at - left
    assert measures.slant(x).item() == pytest.approx(lean, abs=1e-4)
    assert measures.slant(torch.zeros(1, 1, 5, 5)).item() == 0


def test_slant_is_of_images_with_one_channel():
    with pytest.raises(ValueError, match=r"x must be \(B, 1, H, W\), but it is \(2, 3, 5, 5\)"):
        measures.slant(torch.zeros(2, 3, 5, 5))


def random_matrix(rows, columns, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("degrees", [0.0, 1e-5, 1.0, 30.0, 60.0, 89.9, 90.0])
def test_a_plane_turned_about_a_line_has_that_angle(degrees):
    turn = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    flat = torch.eye(3, dtype=torch.float64)[:, :2]
    tilted = torch.stack([torch.tensor([1.0, 0, 0]), torch.stack([0 * turn, turn.cos(), turn.sin()])], dim=1)
    angles = measures.principal_angles(flat, tilted)
    torch.testing.assert_close(angles, torch.tensor([0.0, degrees]), atol=1e-9, rtol=1e-5)


def test_principal_angles_are_those_that_the_spaces_were_built_with():
    angles = torch.tensor([5.0, 40.0, 75.0], dtype=torch.float64)
    frame = torch.linalg.qr(random_matrix(9, 6))[0]
    a = frame[:, :3]
    b = a * angles.deg2rad().cos() + frame[:, 3:] * angles.deg2rad().sin()
    mixed_a, mixed_b = a @ random_matrix(3, 3, 1), b @ random_matrix(3, 3, 2)
    torch.testing.assert_close(measures.principal_angles(mixed_a, mixed_b), angles.float())
    torch.testing.assert_close(measures.principal_angles(mixed_b, -7 * mixed_a), angles.float())
    torch.testing.assert_close(measures.principal_angles(mixed_a.float(), b.float()), angles.float())


def test_a_space_within_another_is_at_no_angle_to_it():
    a = random_matrix(8, 4)
    assert measures.principal_angles(a, a @ random_matrix(4, 2, 1)).tolist() == pytest.approx(
        [0, 0], abs=1e-9
    )
    assert measures.principal_angles(a[:, :1], a).tolist() == pytest.approx([0], abs=1e-9)


def test_the_largest_principal_angle_bounds_every_direction_of_the_smaller_space():
    a, b = random_matrix(7, 3), random_matrix(7, 2, 1)
    largest = measures.principal_angles(a, b)[-1]
    direction = b @ random_matrix(2, 5000, 2)
    inside = a @ torch.linalg.lstsq(a, direction).solution
    angle = torch.acos(inside.norm(dim=0) / direction.norm(dim=0)).rad2deg()
    assert angle.max() <= largest + 1e-4
    assert angle.max() > largest - 0.1


BAD_SPACES = {
    "other D": ((3, 2), (4, 2), "must be"),
    "a vector": ((3,), (3, 1), "must be"),
    "no columns": ((3, 0), (3, 1), "a must hold"),
    "more columns than D": ((3, 2), (3, 4), "columns of b"),
}


@pytest.mark.parametrize("name", BAD_SPACES)
def test_principal_angles_refuse_what_is_no_pair_of_spaces(name):
    a, b, words = BAD_SPACES[name]
    eye = torch.eye(5)
    a, b = (eye[: size[0], : size[1]] if len(size) == 2 else eye[0, : size[0]] for size in (a, b))
    with pytest.raises(ValueError, match=words):
        measures.principal_angles(a, b)


@pytest.mark.parametrize("value", [0.0, 1.0, torch.nan, torch.inf])
def test_principal_angles_refuse_columns_that_depend_on_each_other(value):
    with pytest.raises(ValueError, match="b must"):
        measures.principal_angles(torch.eye(3)[:, :2], torch.full((3, 2), value))


def test_nearest_is_the_smallest_distance_of_all_pairs():
    noise = torch.Generator().manual_seed(0)
    pictures, images = (torch.rand(n, 1, 4, 5, generator=noise) for n in (1203, 17))
    all_pairs = (pictures[:, None] - images[None]).flatten(2).norm(dim=2)
    found = nearest(pictures, images)
    assert torch.equal(found.index, all_pairs.argmin(1))
    torch.testing.assert_close(found.distance, all_pairs.amin(1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(0, 1, 4, 5), (3, 1, 5, 4), (3, 20)])
def test_nearest_refuses_what_cannot_be_compared(shape):
    for pair in (
        (torch.zeros(2, 1, 4, 5), torch.zeros(shape)),
        (torch.zeros(shape), torch.zeros(2, 1, 4, 5)),
    ):
        with pytest.raises(ValueError, match="pictures and images must be"):
            nearest(*pair)
