"""Explorers, driven by setting their controls: what they then show, what they keep, what they let go of."""

import base64
import gc
import html
import io
import re
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ipywidgets import HTML
from ipywidgets.widgets import widget
from PIL import Image

from vae_lessons import explorers, measures
from vae_lessons.data import Data, Split
from vae_lessons.data.digits import draw
from vae_lessons.evidence import Curve
from vae_lessons.explorers import ink, stage
from vae_lessons.gaussian import kl_standard_normal
from vae_lessons.history import Scores
from vae_lessons.model import VAE, Autoencoder
from vae_lessons.pca import principal_components
from vae_lessons.train import fit

HIDDEN = (16,)
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def data():
    pixels, y, _ = draw(400)
    pixels, y = torch.as_tensor(pixels).view(-1, 1, 28, 28), torch.as_tensor(y)
    return Data(Split(pixels[:300], y[:300]), Split(pixels[300:], y[300:]))


@pytest.fixture(scope="module")
def models(data):
    ae, vae = Autoencoder(latent=2, hidden=HIDDEN), VAE(latent=2, hidden=HIDDEN)
    for model in (ae, vae):
        fit(model, data, epochs=3, batch=30, progress=False)
    return ae, vae


@pytest.fixture
def make(data, models):
    """A maker of every kind of explorer."""
    ae, vae = models
    points = {0: Scores(100.0, 9.0), 1: Scores(110.0, 5.0)}
    return {
        "latent": lambda: explorers.latent([ae, vae], data),
        "hole_finder": lambda: explorers.hole_finder(ae, data),
        "components": lambda: explorers.components(principal_components(data.train.x), data),
        "gaussian": explorers.gaussian,
        "kl": explorers.kl,
        "reparameterization": explorers.reparameterization,
        "estimators": explorers.estimators,
        "bound": lambda: explorers.bound(Curve(), [0.95, 0.4]),
        "beta": lambda: explorers.beta({0: vae, 1: vae}, points, data),
        "training": lambda: explorers.training(VAE(latent=2, hidden=HIDDEN), data, epochs=2, batch=30),
    }


NAMES = tuple(explorers.__all__)


@pytest.fixture(params=NAMES)
def explorer(request, make):
    made = make[request.param]()
    yield made
    made.close()


def stages(widget):
    """All pictures under a widget."""
    if isinstance(widget, stage.Stage):
        return [widget]
    return [found for child in getattr(widget, "children", ()) for found in stages(child)]


def controls(widget):
    """All sliders and buttons to set under a widget."""
    if hasattr(widget, "value") and not isinstance(widget, (stage.Stage, HTML)):
        return [widget]
    return [found for child in getattr(widget, "children", ()) for found in controls(child)]


def shown(explorer):
    return [(s.png, s.at, s.trail, s.marks) for s in stages(explorer.view)]


def other_value(control):
    """Another value that a control can have."""
    if hasattr(control, "options"):
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
        return next(value for value in values if value != control.value)
    if isinstance(control.value, bool):
        return not control.value
    step = max(control.step, (control.max - control.min) / 7) if hasattr(control, "step") else 1
    step = int(step) if isinstance(control.value, int) else step
    return control.value + (step if control.value + step <= control.max else -step)


# ------------------------------------------------------------------------------------- every explorer


def test_it_shows_a_still_picture_with_its_words_and_a_widget(explorer):
    bundle = explorer._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", VIEW}
    assert bundle["text/plain"] == repr(explorer) == explorer.sentence
    assert len(explorer.sentence) > 60
    assert f'alt="{html.escape(explorer.sentence)}"' in bundle["text/html"]
    assert bundle[VIEW]["model_id"] == explorer.view.model_id
    data = re.search(r'base64,([^"]+)"', bundle["text/html"])[1]
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert 300 < image.width <= 900
    assert image.convert("L").getextrema()[0] < 60
    assert len(data) < 80_000


def test_its_still_and_its_words_are_the_same_each_time(explorer, make):
    again = make[explorer.name]()
    first, second = explorer._repr_mimebundle_(), again._repr_mimebundle_()
    assert {k: v for k, v in first.items() if k != VIEW} == {k: v for k, v in second.items() if k != VIEW}
    again.close()


def test_every_control_changes_what_it_shows(explorer):
    for control in controls(explorer.view):
        if not control.disabled:
            before = shown(explorer)
            control.value = other_value(control)
            assert shown(explorer) != before, control.description


def test_every_picture_has_words_and_every_control_a_name(explorer):
    assert all(s.alt and s.png.startswith(b"\x89PNG") for s in stages(explorer.view))
    assert all(s.label for s in stages(explorer.view))
    assert all(control.description for control in controls(explorer.view))


def test_closed_it_leaves_no_widget_and_says_so(make):
    for name in NAMES:
        before = set(widget._instances)
        made = make[name]()
        made.close()
        after = set(widget._instances)
        assert after == before, name
        assert set(made._repr_mimebundle_()) == {"text/plain"}
        assert "Closed" in made._repr_mimebundle_()["text/plain"]
        made.close()  # twice is as good as once
        assert set(vars(made)) == {"name", "sentence"}


def test_it_leaves_the_random_state_as_it_was(make):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    for name in NAMES:
        made = make[name]()
        made.still()
        made.close()
    assert torch.equal(torch.get_rng_state(), before)


def test_it_works_where_float64_is_the_default(make):
    torch.set_default_dtype(torch.float64)
    try:
        for name in set(NAMES) - {"training"}:  # the data's own type is float32, as the models' weights
            made = make[name]()
            made.still()
            for control in controls(made.view):
                control.value = other_value(control)
            made.close()
    finally:
        torch.set_default_dtype(torch.float32)


# --------------------------------------------------------------------------- run again: no widget stays


@pytest.fixture
def cell(monkeypatch):
    """Pretend that a notebook's cell runs: set .id and .run."""
    where = SimpleNamespace(id="a", run=1)
    monkeypatch.setattr(stage, "running_cell", lambda: (where.id, where.run))
    monkeypatch.setattr(stage.Explorer, "_open", {})
    return where


def is_open(explorer):
    return "view" in vars(explorer)


def test_a_cell_that_is_run_again_closes_what_it_made_before(cell):
    first, second = explorers.kl(), explorers.kl()
    other = explorers.gaussian()
    cell.id = "b"
    elsewhere = explorers.kl()
    assert all(map(is_open, (first, second, other, elsewhere)))
    cell.id, cell.run = "a", 2
    third = explorers.kl()
    assert list(map(is_open, (first, second, other, elsewhere, third))) == [False, False, True, True, True]


def test_outside_a_notebook_nothing_is_closed_or_kept():
    assert stage.running_cell() == (None, None)
    first, second = explorers.kl(), explorers.kl()
    assert is_open(first)
    assert is_open(second)
    assert first not in [e for _, group in stage.Explorer._open.values() for e in group]


def megabytes():
    psutil = pytest.importorskip("psutil", reason="psutil is not installed, so no memory is measured")
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20


@pytest.mark.slow
def test_fifty_runs_of_a_cell_leave_the_kernel_as_large_as_it_was(cell, make):
    def run(name):
        cell.run += 1
        made = make[name]()
        made._repr_mimebundle_()
        return made

    kept = []  # as the notebook's Out keeps them
    for name in ("latent", "gaussian"):
        kept += [run(name) for _ in range(8)]
        before = megabytes()
        kept += [run(name) for _ in range(50)]
        assert megabytes() - before < 20, name


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(NAMES) - {"training"}))
def test_many_moves_leave_the_kernel_as_large_as_it_was(name, make):
    moves, growth = (1000, 20) if name in ("latent", "gaussian") else (250, 10)  # MB
    made = make[name]()
    control = next(control for control in controls(made.view) if not control.disabled)
    values = control.value, other_value(control)

    def move(times):
        for i in range(times):
            control.value = values[(i + 1) % 2]
            if name == "hole_finder":
                made.ask()

    move(50)
    before = megabytes()
    move(moves)
    assert megabytes() - before < growth
    made.close()


# ------------------------------------------------------------------------------------ what each shows


def test_latent_decodes_where_the_handle_is_and_names_the_nearest_image(data, models):
    vae = models[1]
    made = explorers.latent(vae, data)
    z = torch.tensor([[0.4, -0.3]])
    made.stages[0].at = z[0].tolist()
    distance, index = measures.nearest(vae.picture(z), data.test.x)
    assert made.tiles.alt == (
        f"Decoded at (0.40, \N{MINUS SIGN}0.30); the nearest image is a {data.test.y[index.item()]}, "
        f"at distance {distance.item():.2f}."
    )
    tiles = np.asarray(Image.open(io.BytesIO(made.tiles.png)).convert("L"))
    expected = np.asarray(ink.tile(vae.picture(z)[0], 140))
    top = 18 * ink.SHARP
    assert np.abs(tiles[top + 4 : top + 270, 6:270].astype(int) - expected[4:270, 4:268]).max() < 3


def test_one_handle_moves_in_all_planes_and_the_sliders_follow(data, models):
    made = explorers.latent(list(models), data)
    first, second = made.planes
    made.stages[1].at = second.at([0.5, -0.25]).tolist()
    assert made.stages[0].at == pytest.approx(first.at([0.5, -0.25]).tolist(), abs=1e-5)
    assert (made.across.value, made.up.value) == pytest.approx((0.5, -0.25), abs=0.01)
    made.across.value = -0.5
    for plane, at in zip(made.planes, made.stages, strict=True):
        assert plane.place(at.at).tolist() == pytest.approx([-0.5, made.up.value], abs=1e-5)


def test_a_slider_that_the_browser_rounds_moves_nothing(data, models):
    made = explorers.latent(list(models), data)
    made.along.value = 0.5
    before = [s.at for s in made.stages]
    made.across.value += 1e-9
    assert [s.at for s in made.stages] == before


def test_the_walk_goes_from_one_image_to_the_other(data, models):
    vae = models[1]
    made = explorers.latent(vae, data, walk=(3, 5))
    ends = vae.code(data.test.x[[3, 5]])
    for t in (0.0, 0.5, 1.0):
        made.along.value = t
        expected = (1 - t) * ends[0] + t * ends[1]
        assert made.stages[0].at == pytest.approx(expected.tolist(), abs=1e-5)
    made.whither.value = 8
    assert made.stages[0].at == pytest.approx(vae.code(data.test.x[8:9])[0].tolist(), abs=1e-5)


def test_one_scale_for_all_planes(data, models):
    made = explorers.latent({"a": models[0], "b": models[1]}, data, limit=3)
    assert [plane.box for plane in made.planes] == [[-3, 3, -3, 3]] * 2
    made.across.value = 1.5
    assert [s.at[0] for s in made.stages] == [1.5, 1.5]


@pytest.mark.parametrize("which", ["latent", "hole_finder", "training"])
def test_a_plane_needs_two_numbers(which, data):
    with pytest.raises(ValueError, match=r"2 numbers, but latent is 3\."):
        getattr(explorers, which)(VAE(latent=3, hidden=HIDDEN), data)


def test_the_hole_finder_agrees_with_completeness(data, models):
    ae = models[0]
    ruler = measures.yardstick(ae, data)
    made = explorers.hole_finder(ae, data, ruler)
    verdicts = []
    for place in ([0, 0], [0.99, 0.99], [-0.9, 0.9], [0.3, -0.2], [-0.99, -0.99]):
        z = made.plane.at(place)
        made.stage.at = z.tolist()
        made.stage.clicks += 1
        verdicts.append(measures.completeness(ae.picture(z[None]), ruler) == 0)
        assert made.answer.alt.startswith("A hole" if verdicts[-1] else "Not a hole")
    assert made.asked == verdicts
    assert len(made.stage.marks) == 5
    at = (torch.arange(44) + 0.5) / 44 * 2 - 1
    places = torch.cartesian_prod(at.flip(0), at).flip(1)
    share = measures.completeness(ae.picture(made.plane.at(places)), ruler)
    assert (made._holes() > 0).mean() == pytest.approx(1 - share, abs=1e-6)


def test_components_show_what_pca_rebuilds(data):
    pca = principal_components(data.train.x)
    made = explorers.components(pca, data, latent=5)
    assert f"{pca.first(5).shares.sum():.1%}" in made.stage.alt
    made.controls["latent"].value = 0
    assert "0.0%" in made.stage.alt
    assert made.controls["latent"].max == 128


def test_the_cloud_is_the_covariance_that_its_kind_allows():
    made = explorers.gaussian()
    values = {"sigma_1": 2.0, "sigma_2": 1.0, "correlation": 0.5}
    covariance = {
        kind: made.draw.covariance(kind, **values).tolist() for kind in ("isotropic", "diagonal", "full")
    }
    assert covariance["isotropic"] == [[4, 0], [0, 4]]
    assert covariance["diagonal"] == [[4, 0], [0, 1]]
    assert covariance["full"] == [[4, 1], [1, 1]]
    made.controls["kind"].value = "isotropic"
    assert made.controls["sigma_2"].disabled
    assert made.controls["correlation"].disabled


@pytest.mark.parametrize(("mu", "sigma"), [(0.0, 1.0), (1.0, 0.5), (-2.0, 2.0)])
def test_the_areas_add_up_to_the_kl(mu, sigma):
    draw = explorers.kl().draw
    _, words = draw(mu=mu, sigma=sigma)
    kl = kl_standard_normal(torch.tensor([[mu]]), torch.tensor([[2 * np.log(sigma)]]).float()).item()
    said, above, below = (
        float(number.rstrip(".")) for number in words.replace(",", "").split() if number[0].isdigit()
    )
    assert said == pytest.approx(kl, abs=2e-3)
    assert above - below == pytest.approx(kl, abs=0.03)


def test_each_draw_moves_by_one_with_mu_and_by_eps_with_sigma():
    draw = explorers.reparameterization().draw
    z, slopes, gradients = draw._gradients(0.5, 0.8)
    eps = draw.eps.numpy()
    assert draw._gradients(0.6, 0.8)[0] - z == pytest.approx(0.1)
    assert draw._gradients(0.5, 0.9)[0] - z == pytest.approx(0.1 * eps)
    assert slopes == pytest.approx(2 * (z - 2))
    assert gradients == pytest.approx([slopes.mean(), (slopes * eps).mean()])


def test_the_estimators_scatter_as_theory_says():
    draw = explorers.estimators().draw
    for samples, latent in ((1, 1), (8, 8), (1, 32)):
        found = draw.estimates(samples, latent)
        exact = (25 * latent**2 + 38 * latent + 24), 18 * latent + 24, 4
        for values, variance in zip(found.values(), exact, strict=True):
            assert len(values) == 80
            assert values.mean() == pytest.approx(-4, abs=5 * np.sqrt(variance / samples / 80))
            assert 0.3 < values.var() / (variance / samples) < 3


def test_the_bar_is_elbo_and_gap():
    curve, x = Curve(), torch.tensor([[0.95, 0.4]]).double()
    made = explorers.bound(curve, x)
    made.controls["mu"].value = 0.8
    elbo = curve.elbo(x, torch.tensor([0.8]).double(), torch.tensor([0.6]).double()).item()
    evidence = curve.log_evidence(x).item()
    assert f"{evidence:.3f} = {elbo:.3f} + {evidence - elbo:.3f}" in made.stage.alt
    with pytest.raises(ValueError, match="one x"):
        explorers.bound(curve, x.expand(2, 2))


def test_beta_names_the_point_and_refuses_what_does_not_fit(data, models):
    vae = models[1]
    points = {0: Scores(100.0, 9.0), 3: Scores(110.0, 5.0)}
    made = explorers.beta({0: vae, 3: vae}, points, data)
    made.controls["beta"].value = 3
    assert "KL 5.0, nll 110.0" in made.stage.alt
    with pytest.raises(ValueError, match="same betas"):
        explorers.beta({0: vae}, points, data)
    with pytest.raises(ValueError, match="2 numbers"):
        explorers.beta({0: VAE(latent=3, hidden=HIDDEN)}, {0: points[0]}, data)


# ----------------------------------------------------------------- data that is not grey, or not on the CPU


class Elsewhere(torch.Tensor):
    """A tensor as on a GPU: NumPy cannot read it before .cpu()."""

    def cpu(self):
        return self.as_subclass(torch.Tensor)

    def numpy(self, *_, **__):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    __array__ = numpy


def changed(data, pixels=lambda x: x, labels=lambda y: y):
    return Data(*(Split(pixels(split.pixels), labels(split.y)) for split in data[:2]))


def over_data(data, model):
    """Every explorer that shows images, made for one model, and the hole finder asked once."""
    points = {1: Scores(100.0, 9.0)}
    yield explorers.latent(model, data)
    finder = explorers.hole_finder(model, data)
    finder.ask()
    yield finder
    yield explorers.beta({1: model}, points, data)
    yield explorers.training(model, data, epochs=1, batch=30)
    yield explorers.components(principal_components(data.train.x), data)


@pytest.mark.parametrize(
    ("pixels", "labels"),
    [
        (lambda x: x, torch.Tensor.float),
        (lambda x: x, lambda y: y.as_subclass(Elsewhere)),
        (lambda x: x.as_subclass(Elsewhere), lambda y: y),
    ],
    ids=["labels of floats", "labels on a GPU", "images on a GPU"],
)
def test_labels_of_any_kind_and_data_on_a_gpu_look_the_same(data, models, pixels, labels):
    vae = models[1]
    other = changed(data, pixels, labels)
    for made, same in zip(over_data(data, vae), over_data(other, vae), strict=True):
        assert same.still().tobytes() == made.still().tobytes(), made.name
        assert [(s.png, s.alt) for s in stages(same.view)] == [(s.png, s.alt) for s in stages(made.view)]
        made.close()
        same.close()


def saturated(picture):
    """How many pixels are red, without green and blue."""
    rgb = np.asarray(picture.convert("RGB")).astype(int)
    return ((rgb[..., 0] > 120) & (rgb[..., 1:].max(-1) < 20)).sum()


def test_colour_is_drawn_in_colour(data):
    red = changed(data, lambda x: x * torch.tensor([1, 0, 0], dtype=torch.uint8).view(3, 1, 1))
    vae = VAE(latent=2, hidden=HIDDEN, shape=(3, 28, 28))
    fit(vae, red, epochs=1, batch=30, progress=False)
    for made in over_data(red, vae):
        assert saturated(made.still()) > 200, made.name
        assert sum(saturated(Image.open(io.BytesIO(s.png))) for s in stages(made.view)) > 100, made.name
        made.close()


def test_images_that_cannot_be_drawn_are_refused_in_a_sentence(data):
    flat = changed(data, lambda x: x.flatten(1))
    vae = VAE(latent=2, hidden=HIDDEN, shape=(784,))
    for make in (lambda: explorers.latent(vae, flat), lambda: explorers.training(vae, flat)):
        with pytest.raises(ValueError, match=r"^Images must be .+, but are \(1, 784\)\.$"):
            make()


def test_a_tile_keeps_its_proportions_and_is_cut_to_black_and_white():
    wide = np.asarray(ink.tile(torch.tensor([[[9.0, -9.0]]]), 10))
    assert wide.shape == (10 * ink.SHARP,) * 2
    assert (wide[7:13, :9] == 0).all()
    assert (wide[:4] == 255).all()
    assert (wide[:, 11:] == 255).all()


def test_a_plane_says_how_many_codes_its_limit_leaves_out(data, models, monkeypatch):
    said = []
    monkeypatch.setattr(ink, "write", lambda paper, text, *_, **__: said.append(text))
    vae = models[1]
    far = (vae.code(data.test.x).abs() > 0.5).any(1).sum().item()
    words = f"{far} of 100 lie outside"
    explorers.beta({1: vae}, {1: Scores(100.0, 9.0)}, data, limit=0.5).close()
    assert said.count(words) == 1
    made = explorers.training(vae, data, limit=0.5, epochs=1, batch=30)
    assert said.count(words) == 2
    made.close()


# ------------------------------------------------------------------------------------------- training


def wait_for(ready, seconds=60):
    end = time.time() + seconds
    while not ready() and time.time() < end:
        time.sleep(0.01)
    assert ready()


def test_training_runs_beside_and_gives_what_fit_gives(data):
    model, twin = (VAE(latent=2, hidden=HIDDEN) for _ in range(2))
    made = explorers.training(model, data, epochs=2, batch=30)
    made.button.click()
    assert made.button.disabled
    wait_for(lambda: made.histories and not made.thread.is_alive())
    history = fit(twin, data, epochs=2, batch=30, progress=False)
    assert made.histories[0].test == history.test
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))
    assert "2 epochs done" in made.stage.alt
    assert (made.button.disabled, made.stopper.disabled) == (False, True)
    made.close()


def test_stop_keeps_what_was_learned(data):
    model = VAE(latent=2, hidden=HIDDEN)
    before = [p.clone() for p in model.parameters()]
    made = explorers.training(model, data, epochs=10_000, batch=30)
    made.button.click()
    wait_for(lambda: "step" in made.stage.alt)
    made.stopper.click()
    wait_for(lambda: not made.thread.is_alive())
    assert made.histories[0].stopped.startswith("interrupted after")
    assert any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert "interrupted" in made.stage.alt
    made.close()


def test_closing_stops_the_thread(data):
    made = explorers.training(VAE(latent=2, hidden=HIDDEN), data, epochs=10_000, batch=30)
    made.start()
    thread = made.thread
    made.close()
    assert not thread.is_alive()


def test_the_rehearsal_leaves_the_model_as_it_was(data):
    model = VAE(latent=2, hidden=HIDDEN)
    before = [p.clone() for p in model.parameters()]
    explorers.training(model, data, epochs=20, batch=30).still()
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_training_that_diverges_says_so(data):
    made = explorers.training(VAE(latent=2, hidden=HIDDEN), data, epochs=5, batch=30, lr=1e30)
    made.start()
    wait_for(lambda: not made.thread.is_alive())
    assert "diverged" in made.stage.alt
    made.close()
