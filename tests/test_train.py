"""Training and evaluation: the numbers of a loop written by hand, every image, interruption, divergence."""

import io
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal

from vae_lessons.data import Batch, Data, Split, load
from vae_lessons.data import digits as handwriting
from vae_lessons.history import Diverged, History, Scores
from vae_lessons.model import VAE, Autoencoder
from vae_lessons.train import evaluate, fit

TRAIN, TEST = 500, 100
SMALL = {"latent": 3, "hidden": (32,)}
QUIET = {"device": "cpu", "progress": False}
CLASSES = [Autoencoder, VAE]

# The optimiser and its schedule, as fit's docstring has them; lesson 06 writes them out as well.
BETAS, LR = (0.9, 0.99), 4e-3
CYCLE = {"pct_start": 0.1, "div_factor": 5, "anneal_strategy": "linear", "cycle_momentum": False}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def _lessons_seed(monkeypatch):
    """The seed of the lessons is 0, whatever the one who runs these tests has set."""
    monkeypatch.delenv("VAE_LESSONS_SEED", raising=False)


@pytest.fixture(scope="module")
def data():
    pixels, y, _ = handwriting.draw(TRAIN + TEST)
    return Data(Split(pixels[:TRAIN], y[:TRAIN]), Split(pixels[TRAIN:], y[TRAIN:]))


def grey(data):
    """The same data stored as floating point."""
    return Data(Split(data.train.x), Split(data.test.x))


def weights_of(model):
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def is_finite(model):
    return all(weights.isfinite().all() for weights in model.parameters())


def rates(steps, lr=LR):
    """The learning rate of each step, from a schedule of its own."""
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(()))], lr, betas=BETAS)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, **CYCLE)
    found = []
    for _ in range(steps):
        found.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return found


def watch_batches(monkeypatch, action):
    """Call action(index, n) before the nth training batch, from 0, or, n None, one of evaluation."""
    count, batch = [0], Split.batch

    def watched(self, index):
        training = isinstance(index, torch.Tensor)
        action(index, count[0] if training else None)
        count[0] += training
        return batch(self, index)

    monkeypatch.setattr(Split, "batch", watched)


# ---------------------------------------------------------------------------------------- learning


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_it_learns(kind, likelihood, data):
    sigma = {} if likelihood == "bernoulli" else {"sigma": 0.3}
    model = kind(**SMALL, likelihood=likelihood, **sigma)
    model.start_at(data.train.mean())
    before = evaluate(model, data.test)
    history = fit(model, data, epochs=15, batch=50, **QUIET)
    assert history.test[-1].elbo > before.elbo + 15
    assert history.test[-1].elbo > history.test[0].elbo + 5
    assert history.train[-1].elbo > history.train[0].elbo + 5


def test_an_untrained_model_starts_at_the_mean_image_and_a_trained_one_where_it_is(data):
    model, began = VAE(**SMALL), []

    def stop(history):
        raise KeyboardInterrupt

    model.decoder.register_forward_pre_hook(lambda *_: began.append(model.decoder.out.bias.detach().clone()))
    for _ in range(2):
        fit(model, data, epochs=1, watch=stop, **QUIET)
    mean = data.train.x.mean(0).flatten()
    torch.testing.assert_close(began[0].sigmoid(), mean.clamp(1e-3, 1 - 1e-3))
    assert not torch.equal(began[1], began[0])


@pytest.mark.parametrize("beta", [0, 1.0, 3.0])
@pytest.mark.parametrize("kind", CLASSES)
def test_it_is_the_loop_that_one_writes_by_hand(kind, beta, data):
    epochs, batch, seed = 3, 96, 5  # the last batch of an epoch has 20 images
    model, x_all = kind(**SMALL), data.train.pixels.float() / 255
    first = weights_of(model)
    history = fit(model, data, epochs=epochs, batch=batch, beta=beta, seed=seed, **QUIET)

    hand = kind(**SMALL)
    with torch.no_grad():
        hand.decoder.out.bias.copy_(x_all.mean(0).clamp(1e-3, 1 - 1e-3).logit().flatten())
    generator = seeded(seed)
    steps = epochs * math.ceil(TRAIN / batch)
    optimizer = torch.optim.Adam(hand.parameters(), LR, betas=BETAS)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=steps, **CYCLE)
    for epoch in range(epochs):
        order, sums = torch.randperm(TRAIN, generator=generator), torch.zeros(2)
        for start in range(0, TRAIN, batch):
            x = x_all[order[start : start + batch]].flatten(1)
            z = mu = hand.encoder(x)
            kl = torch.zeros(len(x))
            if kind is VAE:
                mu, log_var = hand.encoder(x)
                z = mu + torch.exp(log_var / 2) * torch.randn(len(x), 3, generator=generator)
                kl = (mu**2 + log_var.exp() - 1 - log_var).sum(1) / 2
            logits = hand.decoder(z).flatten(1)
            nll = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
            loss = nll + beta * kl.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            sums += torch.stack([nll, kl.mean()]).detach() * len(x)
        torch.testing.assert_close(torch.tensor(history.train[epoch]), sums / TRAIN, rtol=1e-4, atol=1e-4)
    assert not same(weights_of(model), first)
    for name, value in hand.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("batch", "sizes"), [(64, [64] * 7 + [52]), (499, [499, 1]), (500, [500]), (512, [500])]
)
def test_every_image_counts_once_an_epoch_in_a_fresh_order(batch, sizes, data, monkeypatch):
    seen = []
    watch_batches(monkeypatch, lambda index, n: n is not None and seen.append(index))
    fit(VAE(**SMALL), data, epochs=3, batch=batch, **QUIET)
    assert [len(index) for index in seen] == 3 * sizes
    epochs = torch.cat(seen).view(3, TRAIN)
    assert torch.equal(epochs.sort(1).values, torch.arange(TRAIN).expand(3, TRAIN))
    assert not torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[0], torch.arange(TRAIN))


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 11, 20])
def test_any_number_of_steps_will_do(steps, data):
    tiny = Data(data.train.first(40), data.test)
    history = fit(VAE(**SMALL), tiny, epochs=steps, batch=40, **QUIET)
    assert len(history) == steps
    if steps > 5:
        assert history.train[-1].elbo > history.train[0].elbo


def test_one_image_will_do():
    one = Split(torch.rand(1, 1, 28, 28, generator=seeded()))
    history = fit(VAE(latent=1, hidden=(4,)), Data(one, one), epochs=3, batch=1, **QUIET)
    assert len(history) == 3
    assert all(math.isfinite(scores.elbo) for scores in (*history.train, *history.test))


# ------------------------------------------------------------------------------ seeds and scores


@pytest.mark.parametrize("kind", CLASSES)
def test_the_same_seed_gives_the_same_numbers(kind, data):
    runs = []
    for seed in (1, 1, 2):
        model = kind(**SMALL)
        history = fit(model, data, epochs=2, batch=64, seed=seed, **QUIET)
        runs.append((history.train, history.test, weights_of(model)))
    (train, test, weights), again, other = runs
    assert train == again[0]
    assert test == again[1]
    assert same(weights, again[2])
    assert train != other[0]
    assert not same(weights, other[2])


def test_the_seed_of_the_lessons_is_the_default(data, monkeypatch):
    def run(**seed):
        return fit(VAE(**SMALL, seed=0), data, epochs=1, **seed, **QUIET).train

    monkeypatch.setenv("VAE_LESSONS_SEED", "3")
    assert run() == run(seed=3) != run(seed=0)
    score, model = evaluate(VAE(**SMALL), data.test), VAE(**SMALL)
    assert score == evaluate(model, data.test, seed=3) != evaluate(model, data.test, seed=0)


def test_the_callers_random_state_is_left_as_it_was(data):
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    model = VAE(**SMALL)
    fit(model, data, epochs=1, **QUIET)
    evaluate(model, data.test)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_the_data_is_left_as_it_was(data):
    pixels = data.train.pixels.clone()
    floats = grey(data)
    fit(VAE(**SMALL), data, epochs=1, **QUIET)
    fit(VAE(**SMALL), floats, epochs=1, **QUIET)
    assert torch.equal(data.train.pixels, pixels)
    assert torch.equal(floats.train.pixels, pixels.float() / 255)


def test_images_as_bytes_and_as_floats_give_the_same_numbers(data):
    histories = [fit(VAE(**SMALL), d, epochs=2, **QUIET) for d in (data, grey(data))]
    for a, b in zip(*((*h.train, *h.test) for h in histories), strict=True):
        assert a == pytest.approx(b, rel=1e-5)


def test_the_history_has_the_scores_of_each_epoch(data, monkeypatch):
    seen, sizes, forward = [], [], VAE.forward

    def recorded(self, x, eps=None, generator=None):
        out = forward(self, x, eps, generator)
        if self.training:
            s = out.logits.detach().double().sigmoid()
            nll = F.binary_cross_entropy(s, x.double(), reduction="sum")
            q = Normal(out.mu.detach().double(), (out.log_var.detach().double() / 2).exp())
            kl = torch.distributions.kl_divergence(q, Normal(0.0, 1.0)).sum()
            seen.append(torch.stack([nll, kl]))
            sizes.append(len(x))
        return out

    monkeypatch.setattr(VAE, "forward", recorded)
    model = VAE(**SMALL)
    history = fit(model, data, epochs=3, batch=96, **QUIET)
    assert len(history) == len(history.train) == len(history.test) == 3
    assert history.stopped is None
    assert history.seconds > 0
    assert sizes == 3 * ([96] * 5 + [20])
    for epoch in range(3):
        mean = torch.stack(seen[6 * epoch : 6 * epoch + 6]).sum(0) / TRAIN
        assert history.train[epoch] == pytest.approx(mean.tolist(), rel=1e-5)
    assert history.test[-1] == evaluate(model, data.test)


def test_scores_add_up():
    scores = Scores(nll=90.5, kl=12.25)
    assert scores.elbo == -102.75
    assert str(scores) == "nll 90.5, kl 12.2, elbo -102.7 nats per image"  # minus the sum of what is read


def test_an_autoencoder_has_no_kl(data):
    model = Autoencoder(**SMALL)
    histories = [fit(Autoencoder(**SMALL), data, epochs=2, beta=beta, **QUIET) for beta in (1.0, 9.0)]
    assert [s.kl for h in histories for s in (*h.train, *h.test)] == [0.0] * 8
    assert histories[0].train == histories[1].train  # beta has nothing to multiply
    nll, kl = model.terms(Batch(data.test.x))
    assert nll.shape == kl.shape == (TEST,)
    assert not kl.any()


def test_beta_presses_on_the_kl(data):
    final = [fit(VAE(**SMALL), data, epochs=6, batch=50, beta=b, **QUIET).test[-1] for b in (0, 1, 100)]
    assert final[0].kl > 1.5 * final[1].kl
    assert final[1].kl > 5 * final[2].kl
    assert final[2].nll > final[1].nll


def test_terms_are_those_of_the_models_likelihood(data):
    x = data.test.x[:7]
    for kind, sigma in (("bernoulli", 1.0), ("gaussian", 0.4)):
        model = VAE(**SMALL, likelihood=kind, sigma=sigma)
        out = model(x, generator=seeded(2))
        decoder = Normal(out.logits, 0.4)
        if kind == "bernoulli":
            decoder = torch.distributions.Bernoulli(logits=out.logits, validate_args=False)
        nll, kl = model.terms(Batch(x), seeded(2))
        torch.testing.assert_close(nll, -decoder.log_prob(x).flatten(1).sum(1))
        q = Normal(out.mu, (out.log_var / 2).exp())
        expected = torch.distributions.kl_divergence(q, Normal(0.0, 1.0)).sum(1)
        torch.testing.assert_close(kl, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 7, 50, 100, 1000])
def test_evaluation_is_the_mean_over_all_images_whatever_the_batch(batch, data):
    model = Autoencoder(**SMALL)
    nll, _ = model.terms(Batch(data.test.x))
    scores = evaluate(model, data.test, batch=batch)
    assert scores.nll == pytest.approx(nll.double().mean().item(), rel=1e-6)
    assert scores.kl == 0


@pytest.mark.parametrize("batch", [7, 1000])
def test_evaluation_of_a_vae_takes_one_seeded_sample_of_each_image(batch, data):
    model, generator = VAE(**SMALL), seeded(4)
    parts = [model.terms(Batch(data.test.x[i : i + batch]), generator) for i in range(0, TEST, batch)]
    nll, kl = (torch.cat(part).double().mean().item() for part in zip(*parts, strict=True))
    assert evaluate(model, data.test, seed=4, batch=batch) == pytest.approx((nll, kl), rel=1e-6)
    x = data.test.x
    at_the_mean = model.likelihood.nll(x, model(x, torch.zeros(TEST, 3)).logits).mean().item()
    assert abs(nll - at_the_mean) > 1e-3


def test_evaluation_changes_nothing_in_the_model(data):
    model = VAE(**SMALL)
    before = weights_of(model)
    for mode in (True, False):
        model.train(mode)
        evaluate(model, data.test)
        assert model.training is mode
    assert same(weights_of(model), before)
    assert all(weights.grad is None for weights in model.parameters())


def test_a_given_sigma_stays_and_a_learned_one_moves_to_the_error(data):
    given = VAE(**SMALL, likelihood="gaussian", sigma=0.5)
    fit(given, data, epochs=1, **QUIET)
    assert given.likelihood.sigma.item() == pytest.approx(0.5)
    learned = VAE(**SMALL, likelihood="gaussian", sigma="learned")
    history = fit(learned, data, epochs=40, batch=100, lr=2e-2, **QUIET)
    with torch.no_grad():
        means = learned(data.train.x, generator=seeded()).logits
    error = (data.train.x - means).square().mean().sqrt().item()
    assert learned.likelihood.sigma.item() == pytest.approx(error, rel=0.1)
    assert history.test[-1].elbo > history.test[0].elbo + 300


def test_bfloat16_lands_near_float32(data):
    scores = {
        p: fit(VAE(**SMALL), data, epochs=8, batch=50, precision=p, **QUIET).test[-1]
        for p in ("float32", "bfloat16")
    }
    assert scores["bfloat16"].elbo == pytest.approx(scores["float32"].elbo, rel=0.03)
    assert scores["bfloat16"] != scores["float32"]  # so that it was another computation
    model = VAE(**SMALL)
    half = evaluate(model, data.test, precision="bfloat16")
    assert half.nll == pytest.approx(evaluate(model, data.test).nll, rel=0.02)
    assert all(weights.dtype == torch.float32 for weights in model.parameters())


# ------------------------------------------------------------------------- interruption, divergence


@pytest.mark.parametrize(("at", "finished"), [(0, 0), (3, 0), (5, 1), (12, 2), (14, 2)])
def test_an_interruption_in_a_step_keeps_what_was_learned(at, finished, data, monkeypatch, capsys):
    model, kept = VAE(**SMALL), []

    def stop(index, n):
        if n == at:
            kept.append(weights_of(model))
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        watch_batches(patch, stop)  # five steps an epoch
        history = fit(model, data, epochs=4, batch=100, device="cpu", progress=True)
    assert len(history.train) == len(history.test) == finished
    assert history.stopped == f"interrupted after {finished} of 4 epochs"
    assert history.stopped in capsys.readouterr().out
    assert history.seconds > 0
    assert same(weights_of(model), kept[0])
    assert same(kept[0], weights_of(VAE(**SMALL))) is False
    whole = fit(VAE(**SMALL), data, epochs=4, batch=100, **QUIET)
    assert history.train == whole.train[:finished]
    assert history.test == whole.test[:finished]


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_an_interruption_in_evaluation_counts_no_half_epoch(epoch, data, monkeypatch):
    model, evaluations = VAE(**SMALL), []

    def stop(index, n):
        if n is None:
            evaluations.append(n)
            if len(evaluations) == epoch + 1:
                raise KeyboardInterrupt

    watch_batches(monkeypatch, stop)
    history = fit(model, data, epochs=3, **QUIET)
    assert len(history.train) == len(history.test) == len(history) == epoch
    assert history.stopped == f"interrupted after {epoch} of 3 epochs"
    assert is_finite(model)


def test_an_interruption_from_inside_the_model_is_the_same(data):
    model, calls = VAE(**SMALL), []

    def hook(*_):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt

    model.decoder.register_forward_hook(hook)
    assert fit(model, data, epochs=5, batch=500, **QUIET).stopped == "interrupted after 1 of 5 epochs"


def test_an_interruption_between_two_entries_of_the_history_leaves_no_odd_one(data, monkeypatch):
    class Interrupting(list):
        def append(self, scores):
            if len(self) == 1:
                raise KeyboardInterrupt
            super().append(scores)

    made = History(test=Interrupting())
    monkeypatch.setattr("vae_lessons.train.History", lambda: made)
    history = fit(VAE(**SMALL), data, epochs=3, **QUIET)
    assert len(history.train) == len(history.test) == 1


def poison(model, at):
    """Let the forward pass of training step `at`, from 0, give NaN."""
    count = [0]

    def hook(module, _, out):
        if not module.training:
            return None
        count[0] += 1
        return out._replace(logits=out.logits * math.nan) if count[0] == at + 1 else None

    model.register_forward_hook(hook)


def test_an_interruption_after_an_unseen_divergence_gives_back_the_last_good_weights(data, monkeypatch):
    model, begun = VAE(**SMALL), []
    poison(model, at=6)

    def stop(index, n):
        if n == 5:
            begun.append(weights_of(model))
        if n == 8:
            assert not is_finite(model)
            raise KeyboardInterrupt

    watch_batches(monkeypatch, stop)
    history = fit(model, data, epochs=3, batch=100, **QUIET)
    assert history.stopped == "interrupted after 1 of 3 epochs"
    assert same(weights_of(model), begun[0])
    assert is_finite(model)


def numbers(message):
    """The learning rate that a message names."""
    return float(message.split("learning rate was ")[1].split(";")[0])


@pytest.mark.parametrize("at", [0, 2, 4, 5, 6, 14])
def test_nan_at_a_step_is_told_and_undone(at, data, monkeypatch):
    model, begun = VAE(**SMALL), []
    watch_batches(monkeypatch, lambda index, n: n == 5 * (at // 5) and begun.append(weights_of(model)))
    poison(model, at)
    with pytest.raises(Diverged) as caught:
        fit(model, data, epochs=3, batch=100, **QUIET)
    message, history = str(caught.value), caught.value.history
    assert f"at step {at % 5 + 1} of epoch {at // 5 + 1}," in message
    assert numbers(message) == pytest.approx(rates(15)[at], rel=0.05)
    assert message.endswith("try images of a smaller scale." if at == 0 else "try a smaller lr.")
    assert len(history.train) == len(history.test) == at // 5
    assert history.stopped == f"diverged in epoch {at // 5 + 1}"
    assert all(math.isfinite(s.elbo) for s in (*history.train, *history.test))
    assert same(weights_of(model), begun[0])
    assert is_finite(model)
    if at == 0:
        assert "no step before it was finite" in message
    elif at == 5:
        assert str(history.train[0]) in message
    else:
        assert last_finite(data, at) in message


def last_finite(data, at):
    """nll and kl of the step before `at`, taken from a model that was not poisoned."""
    model, seen = VAE(**SMALL), []

    def hook(module, arguments, out):
        if module.training:
            q = Normal(out.mu, (out.log_var / 2).exp())
            kl = torch.distributions.kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean()
            nll = F.binary_cross_entropy_with_logits(out.logits, arguments[0], reduction="sum")
            seen.append((nll.item() / len(out.mu), kl.item()))

    model.register_forward_hook(hook)
    fit(model, data, epochs=3, batch=100, **QUIET)
    return "the last finite values were nll {:.4g}, kl {:.4g}".format(*seen[at - 1])


@pytest.mark.parametrize("at", [4, 9])
def test_weights_that_the_last_step_of_an_epoch_spoils_are_told_and_undone(at, data, monkeypatch):
    model, begun, count = VAE(**SMALL), [], [0]

    def spoil(gradient):
        count[0] += 1
        return gradient * math.nan if count[0] == at + 1 else gradient

    watch_batches(monkeypatch, lambda index, n: n == at - 4 and begun.append(weights_of(model)))
    model.decoder.out.weight.register_hook(spoil)
    with pytest.raises(
        Diverged, match=rf"after step 5 of epoch {at // 5 + 1}, .*last finite values"
    ) as caught:
        fit(model, data, epochs=3, batch=100, **QUIET)
    assert numbers(str(caught.value)) == pytest.approx(rates(15)[at], rel=0.05)
    assert len(caught.value.history) == len(caught.value.history.test) == at // 5
    assert same(weights_of(model), begun[0])
    assert is_finite(model)


def test_images_of_a_scale_that_an_untrained_model_cannot_bear_are_told(data):
    huge = Data(*(Split(1e4 * split.x) for split in (data.train, data.test)))
    with pytest.raises(Diverged, match=r"at step 1 of epoch 1, .*try images of a smaller scale"):
        fit(VAE(**SMALL, likelihood="gaussian"), huge, **QUIET)


@pytest.mark.parametrize("batch", [50, 500])
def test_a_learning_rate_that_is_far_too_high_is_told(batch, data):
    model = VAE(**SMALL)
    with pytest.raises(Diverged, match="try a smaller lr") as caught:
        fit(model, data, epochs=6, batch=batch, lr=1e6, **QUIET)
    assert is_finite(model)
    assert math.isfinite(evaluate(model, data.test).elbo)
    assert all(math.isfinite(s.elbo) for s in caught.value.history.test)
    assert isinstance(caught.value, ArithmeticError)


def test_after_a_divergence_a_smaller_lr_works(data):
    model = VAE(**SMALL)
    with pytest.raises(Diverged):
        fit(model, data, epochs=2, batch=50, lr=1e6, **QUIET)
    assert fit(model, data, epochs=8, batch=50, **QUIET).test[-1].elbo > -210


# ----------------------------------------------------------------------------------------- progress


def test_where_nobody_watches_progress_is_one_line(data, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)  # as where pytest has imported it for notebooks
    history = fit(VAE(**SMALL), data, epochs=2, device="cpu", progress=True)
    out, err = capsys.readouterr()
    assert out == f"2 epochs in {history.seconds:.1f} s on cpu, test {history.test[-1]}\n"
    assert err == ""
    fit(VAE(**SMALL), data, epochs=2, device="cpu", progress=False)
    assert capsys.readouterr() == ("", "")


def test_where_somebody_watches_there_is_a_bar_that_goes_away(data, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    fit(VAE(**SMALL), data, epochs=2, batch=100, device="cpu", progress=True)
    shown = capsys.readouterr().out
    assert "/10" in shown
    assert shown.splitlines()[-1].rsplit("\r", 1)[-1].startswith("2 epochs in ")
    fit(VAE(**SMALL), data, epochs=2, device="cpu", progress=False)
    assert capsys.readouterr() == ("", "")


def test_in_a_notebook_there_is_a_bar(data, monkeypatch):
    class OutStream(io.StringIO):
        """As the one of a Jupyter kernel, which is no terminal."""

        __module__ = "ipykernel.iostream"

    out = OutStream()
    monkeypatch.setattr(sys, "stdout", out)
    fit(VAE(**SMALL), data, epochs=2, batch=100, device="cpu", progress=True)
    monkeypatch.undo()
    assert "/10" in out.getvalue()


# ---------------------------------------------------------------------------------------- bad input

BAD_SETTINGS = {
    **{
        f"{name}={value!r}": ({name: value}, f"{name} must be")
        for name, value in (
            ("epochs", 0),
            ("epochs", -1),
            ("epochs", 1.5),
            ("epochs", "3"),
            ("epochs", None),
            ("epochs", True),
            ("batch", 0),
            ("batch", -1),
            ("batch", 2.5),
            ("batch", None),
            ("beta", -1),
            ("beta", math.nan),
            ("beta", math.inf),
            ("beta", "big"),
            ("beta", None),
            ("lr", 0),
            ("lr", -1e-3),
            ("lr", math.nan),
            ("lr", math.inf),
            ("lr", "low"),
            ("lr", None),
            ("precision", "half"),
            ("precision", 16),
            ("precision", None),
            ("seed", -1),
            ("seed", 0.5),
            ("seed", "first"),
            ("device", "gpu"),
            ("device", 3.5),
        )
    },
}


@pytest.mark.parametrize(("settings", "message"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_settings_that_cannot_be_are_refused_before_anything_is_done(settings, message, data):
    model = VAE(**SMALL)
    before = weights_of(model)
    with pytest.raises(ValueError, match=message):
        fit(model, data, **{"progress": False, **settings})
    assert same(weights_of(model), before)


def test_a_gpu_that_is_not_here_is_refused(data, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="cuda"):
        fit(VAE(**SMALL), data, device="cuda")


WRONG_DATA = {
    "nothing": lambda data: None,
    "a name": lambda data: "digits",
    "one split": lambda data: data.train,
    "images": lambda data: data.train.x,
    "two tensors": lambda data: (data.train.x, data.test.x),
    "tensors by name": lambda data: SimpleNamespace(train=data.train.x, test=data.test.x),
    "a model": lambda data: VAE(**SMALL),
}


@pytest.mark.parametrize("wrong", WRONG_DATA.values(), ids=WRONG_DATA)
def test_data_of_another_type_is_refused(wrong, data):
    with pytest.raises(TypeError, match=r"data must be what load\(\) returns, not a"):
        fit(VAE(**SMALL), wrong(data), **QUIET)


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("shape", [(10, 28, 28), (10, 784), (10, 3, 28, 28), (10, 1, 28, 27)])
def test_images_of_another_shape_are_refused(part, shape, data):
    other = data._replace(**{part: Split(torch.rand(shape))})
    with pytest.raises(ValueError, match=r"takes images of shape \(1, 28, 28\)"):
        fit(VAE(**SMALL), other, **QUIET)


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize(("scale", "shift"), [(3, 0), (2, -1), (1, 0.01)])
def test_pixels_outside_the_range_are_refused_under_a_bernoulli_only(part, scale, shift, data):
    outside = data._replace(**{part: Split(scale * getattr(data, part).x + shift)})
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\].*gaussian"):
        fit(VAE(**SMALL), outside, **QUIET)
    history = fit(VAE(**SMALL, likelihood="gaussian", sigma=float(scale)), outside, epochs=1, **QUIET)
    assert math.isfinite(history.test[0].elbo)


def test_images_of_float64_are_refused_with_a_sentence(data):
    double = Data(*(Split(split.x.double()) for split in (data.train, data.test)))
    with pytest.raises(TypeError, match=r"x must be torch\.float32"):
        fit(VAE(**SMALL), double, **QUIET)


BAD_EVALUATIONS = {
    "batch=0": ({"batch": 0}, ValueError, "batch must be"),
    "batch=-1": ({"batch": -1}, ValueError, "batch must be"),
    "batch=2.5": ({"batch": 2.5}, ValueError, "batch must be"),
    "precision": ({"precision": "half"}, ValueError, "precision must be"),
    "seed": ({"seed": -1}, ValueError, "seed must be"),
    "both splits": ({"split": lambda data: data}, TypeError, "split must be a Split.*not a Data"),
    "images": ({"split": lambda data: data.test.x}, TypeError, "split must be a Split.*not a Tensor"),
    "shape": (
        {"split": lambda data: Split(torch.rand(5, 784))},
        ValueError,
        r"images of shape \(1, 28, 28\), split has \(784,\)",
    ),
    "pixels": ({"split": lambda data: Split(255 * data.test.x)}, ValueError, r"\[0, 1\]"),
}


@pytest.mark.parametrize(("changed", "error", "message"), BAD_EVALUATIONS.values(), ids=BAD_EVALUATIONS)
def test_evaluations_that_cannot_be_are_refused(changed, error, message, data):
    arguments = {"split": lambda data: data.test, **changed}
    arguments["split"] = arguments["split"](data)
    with pytest.raises(error, match=message):
        evaluate(VAE(**SMALL), **arguments)


# ------------------------------------------------------------------------------------------ a GPU

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="There is no CUDA GPU here.")


@needs_cuda
def test_auto_is_the_gpu_with_all_images_on_it_as_bytes(data, monkeypatch):
    model, seen, batch = VAE(**SMALL), set(), Split.batch

    def watched(self, index):
        seen.add((self.pixels.device.type, self.pixels.dtype))
        return batch(self, index)

    monkeypatch.setattr(Split, "batch", watched)
    history = fit(model, data, epochs=3, progress=False)
    assert model.device.type == "cuda"
    assert seen == {("cuda", torch.uint8)}
    assert history.train[-1].elbo > history.train[0].elbo
    assert math.isfinite(evaluate(model, data.test).elbo)  # images on the CPU, model on the GPU


@needs_cuda
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_on_the_gpu_the_same_seed_gives_the_same_numbers(precision, data):
    before, runs = torch.cuda.get_rng_state(), []
    for _ in range(2):
        model = VAE(**SMALL)
        history = fit(model, data, epochs=3, batch=64, precision=precision, progress=False)
        runs.append((history.train, history.test, weights_of(model)))
    assert runs[0][:2] == runs[1][:2]
    assert same(runs[0][2], runs[1][2])
    assert torch.equal(torch.cuda.get_rng_state(), before)


@needs_cuda
def test_on_the_gpu_it_learns_as_on_the_cpu(data):
    on_cpu, on_gpu = (
        fit(Autoencoder(**SMALL), data, epochs=8, batch=50, device=device, progress=False).test[-1]
        for device in ("cpu", "cuda")
    )
    assert on_gpu.nll == pytest.approx(on_cpu.nll, rel=0.05)


# ---------------------------------------------------------------------------------------- real MNIST

FOLDER = Path(__file__).parents[2] / "shared" / "data"


@pytest.mark.slow
@pytest.mark.skipif(not (FOLDER / "MNIST").is_dir(), reason="The files of MNIST are not here.")
def test_ten_epochs_on_mnist_give_a_good_bound():
    mnist = load("mnist", folder=FOLDER)
    history = fit(VAE(latent=20), mnist, epochs=10, progress=False)
    assert -history.test[-1].elbo <= 97.5


# ---------------------------------------------------------------------------------------- watching


def test_a_watcher_sees_each_step_and_changes_nothing(data):
    seen, (model, twin) = [], (VAE(**SMALL) for _ in range(2))
    history = fit(model, data, epochs=2, batch=50, watch=lambda history: seen.append(len(history)), **QUIET)
    assert history.test == fit(twin, data, epochs=2, batch=50, **QUIET).test
    steps = -(-len(data.train) // 50)
    assert seen == [0] * steps + [1] * steps


def test_a_watcher_may_stop_the_training_and_what_was_learned_stays(data):
    def watch(history):
        if len(history) == 1:
            raise KeyboardInterrupt

    model = VAE(**SMALL)
    before = [weights.clone() for weights in model.parameters()]
    history = fit(model, data, epochs=5, batch=50, watch=watch, **QUIET)
    assert history.stopped == "interrupted after 1 of 5 epochs"
    assert any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
