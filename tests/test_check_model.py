"""Lesson 06's two_heads, vae_loss and generate: every known mistake is named, every correct style passes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from check_over_seeds import assert_refused_and_named, assert_right, codes
from torch import nn

from vae_lessons import check, losses
from vae_lessons.check.engine.verdict import Unsolved
from vae_lessons.gaussian import kl_standard_normal

NAMES = ("two_heads", "vae_loss", "generate")


class Chunked(nn.Module):
    def __init__(self, hidden, latent):
        super().__init__()
        self.both = nn.Linear(hidden, 2 * latent)

    def forward(self, h):
        return self.both(h).chunk(2, -1)


class ByHand(nn.Module):
    def __init__(self, h, l):  # noqa: E741
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2, h, l))
        self.b = nn.Parameter(torch.zeros(2, l))

    def forward(self, h):
        return [h @ w + b for w, b in zip(self.w, self.b, strict=True)]


class Deeper(nn.Module):
    def __init__(self, hidden, latent):
        super().__init__()
        self.fc21 = nn.Linear(hidden, latent)
        self.fc22 = nn.Sequential(nn.Linear(hidden, 20), nn.Tanh(), nn.Linear(20, latent, bias=False))

    def forward(self, h):
        return self.fc21(h), self.fc22(h).clamp(-10, 10)


def sums_over_batch(x, logits, mu, log_var, beta=1.0):
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp())
    return (nll + beta * kl) / len(x)


def by_distributions(x, logits, mu, log_var, beta=1.0):
    normal = torch.distributions.Normal
    q = normal(mu, (log_var / 2).exp())
    kl = torch.distributions.kl_divergence(q, normal(torch.zeros_like(mu), torch.ones_like(mu))).sum(1)
    log_p = torch.distributions.Bernoulli(logits=logits).log_prob(x).flatten(1).sum(1)
    return (beta * kl - log_p).double().mean()


def image_by_image(x, logits, mu, log_var, beta=1.0):
    losses = []
    for i in range(len(x)):
        nll = (F.softplus(logits[i]) - x[i] * logits[i]).sum()
        losses.append(
            nll + beta * sum((m * m + v.exp() - 1 - v) / 2 for m, v in zip(mu[i], log_var[i], strict=True))
        )
    return torch.stack(losses).mean()


@torch.no_grad()
def in_one_go(model, n):
    return torch.sigmoid(model.decode(torch.randn(n, model.latent)))


def one_by_one(model, n):
    return torch.cat([model.picture(torch.randn(1, model.latent)) for _ in range(n)])


def layer_by_layer(model, n):
    z = torch.empty(n, model.latent).normal_()
    return torch.special.expit(model.decoder(z)).detach().double()


def by_normal(model, n):
    with torch.inference_mode():
        return model.decode(torch.distributions.Normal(0, 1).sample((n, model.latent))).sigmoid()


RIGHT = {
    "two_heads": (Chunked, ByHand, Deeper),
    "vae_loss": (sums_over_batch, by_distributions, image_by_image),
    "generate": (in_one_go, one_by_one, layer_by_layer, by_normal, lambda model, n: model.sample(n)),
}


@pytest.mark.parametrize(("name", "mistake", "code"), codes(NAMES))
def test_every_known_mistake_is_refused_and_named(name, mistake, code):
    assert_refused_and_named(name, mistake, code)


@pytest.mark.parametrize("name", NAMES)
def test_every_correct_style_is_right(name):
    assert_right(name, RIGHT[name])


@pytest.mark.parametrize("name", NAMES)
def test_double_precision_is_as_good(name):
    torch.set_default_dtype(torch.float64)
    try:
        for function in RIGHT[name]:
            assert getattr(check, name).judge(function).status == "right"
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", ["text", None, 3, [1]])
def test_what_is_no_function_gets_a_calm_answer(name, bad):
    verdict = getattr(check, name).judge(bad)
    assert verdict.status == "wrong"
    assert "without calling it" in verdict.message


def fails(*args):
    return 1 / 0


@pytest.mark.parametrize("name", ["vae_loss", "generate"])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda *args: "text", "it returned a str"),
        (lambda *args: [1, 2], "it returned a list"),
        (lambda *args: np.zeros(3), "a NumPy array"),
        (lambda *args: torch.zeros(7, 7), "shape"),
        (lambda *args: torch.tensor(float("nan")), "Not yet"),
        (fails, "ZeroDivisionError: division by zero"),
    ],
)
def test_a_senseless_answer_gets_a_calm_verdict(name, answer, said):
    functions = {
        "vae_loss": lambda x, logits, mu, log_var, beta=1.0: answer(),
        "generate": lambda model, n: answer(),
    }
    verdict = getattr(check, name).judge(functions[name])
    assert verdict.status == "wrong"
    assert said in verdict.message


def test_changing_the_arguments_in_place_is_allowed():
    def in_place(x, logits, mu, log_var, beta=1.0):
        nll = F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
        kl = mu.pow_(2).add_(log_var.exp()).sub_(1).sub_(log_var).sum(1) / 2
        return nll.add_(kl.mul_(beta)).mean()

    assert check.vae_loss.judge(in_place).status == "right"


def test_untouched_stubs_and_strict_mode(monkeypatch):
    class Stub(nn.Module):
        def __init__(self, hidden, latent):
            super().__init__()

        def forward(self, h): ...

    def loss(x, logits, mu, log_var, beta=1.0): ...

    def draw(model, n): ...

    for exercise, stub in ((check.two_heads, Stub), (check.vae_loss, loss), (check.generate, draw)):
        verdict = exercise(stub)
        assert verdict.status == "untouched"
        with monkeypatch.context() as strict:
            strict.setenv("VAE_LESSONS_STRICT", "1")
            with pytest.raises(Unsolved, match=verdict.message.split(".")[0]):
                exercise(stub)


def test_layers_without_a_forward_are_begun_not_untouched():
    class Begun(nn.Module):
        def __init__(self, hidden, latent):
            super().__init__()
            self.mu_head, self.log_var_head = nn.Linear(hidden, latent), nn.Linear(hidden, latent)

        def forward(self, h): ...

    class Promised(Begun):
        def __init__(self, hidden, latent):
            super().__init__(hidden, latent)
            self.latent = latent

        def forward(self, h):
            raise NotImplementedError

    for heads in (Begun, Promised):
        verdict = check.two_heads.judge(heads)
        assert verdict.status == "wrong"
        assert "__init__ is written, but forward is not" in verdict.message


def loss_with(signature):
    """The right loss with another signature."""
    parameters = signature.format("x, logits, mu, log_var")
    return eval(f"lambda {parameters}: losses.vae_loss(x, logits, mu, log_var, beta)", {"losses": losses})


@pytest.mark.parametrize(
    "signature",
    ["{}, beta", "{}, *, beta", "beta, {}", "{}, *, beta=1.0", "{}, beta=1.0", "{}, beta, more=0"],
)
def test_a_beta_goes_by_its_name_wherever_it_stands_and_needs_no_default(signature):
    assert check.vae_loss.judge(loss_with(signature)).status == "right"


def test_a_default_other_than_the_lessons_is_told():
    verdict = check.vae_loss.judge(loss_with("{}, beta=4.0"))
    assert verdict.status == "wrong"
    assert "without beta, which is 1 then" in verdict.message


def test_other_names_are_called_by_their_places():
    def with_names_of_its_own(images, scores, m, v, weight=1.0):
        return losses.vae_loss(images, scores, m, v, weight)

    assert check.vae_loss.judge(with_names_of_its_own).status == "right"


def by_logarithms(x, logits, mu, log_var, beta=1.0):
    s = torch.sigmoid(logits)
    nll = -(x * torch.log(s) + (1 - x) * torch.log(1 - s)).flatten(1).sum(1)
    return (nll + beta * kl_standard_normal(mu, log_var)).mean()


def test_a_logarithm_by_hand_is_right_with_a_remark():
    verdict = check.vae_loss.judge(by_logarithms)
    assert verdict.status == "right"
    assert "at a logit of 20, for a pixel that is 0, yours gives inf where 20 is right" in verdict.message
    assert "F.binary_cross_entropy_with_logits" in verdict.message
    assert "One remark" not in check.vae_loss.judge(sums_over_batch).message


def test_names_that_give_swapped_heads_away():
    class Swapped(nn.Module):
        def __init__(self, hidden, latent):
            super().__init__()
            self.fc_mean, self.fc_logvar = nn.Linear(hidden, latent), nn.Linear(hidden, latent)

        def forward(self, h):
            return self.fc_logvar(h), self.fc_mean(h)

    assert check.two_heads.judge(Swapped).mistake == "heads swapped"


def test_images_from_outside_are_seen():
    x = torch.rand(1000, 1, 28, 28)
    verdict = check.generate.judge(lambda model, n: model.reconstruct(x[:n]))
    assert verdict.mistake == "q(z|x) in place of the prior"


def test_a_spread_that_is_off_is_told():
    def wide(model, n):
        return model.picture(2 * torch.randn(n, model.latent))

    verdict = check.generate.judge(wide)
    assert verdict.status == "wrong"
    assert "standard deviation" in verdict.message


@pytest.mark.parametrize("name", NAMES)
def test_hints_end_and_the_solution_is_the_packages_own(name):
    exercise = getattr(check, name)
    said = [str(exercise.hint()) for _ in range(len(exercise.hints) + 1)]
    assert said[-1] == said[-2] != said[0]
    assert "def " in exercise.solution()
