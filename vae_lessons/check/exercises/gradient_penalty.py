"""The exercise on the penalty on the critic's slope, lesson 16, and how it goes wrong."""

import torch
from torch.nn.functional import softplus

from vae_lessons import adversarial
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Fact, Mistake, gradient, noise, placed

SHAPES = (1, 3), (4, 2), (5, 1, 4, 3)


class _Smooth(torch.nn.Module):
    """A small critic whose slope changes from place to place."""

    def __init__(self, size, seed):
        super().__init__()
        self.one = torch.nn.Parameter(placed(noise(size, 6, seed=seed) / 2))
        self.two = torch.nn.Parameter(placed(noise(6, seed=seed + 1)))

    def forward(self, x):
        """The logit for each image, (B, *shape) -> (B,)."""
        return (x.flatten(1) @ self.one).tanh() @ self.two


def _observe(call, seed):
    for shape in SHAPES:
        x = placed(noise(*shape, seed=seed + len(shape)))
        critic, title = _Smooth(x[0].numel(), seed + 10), f"images of shape {shape}"
        penalty = call.tensor(critic, x)
        yield _fact(f"the penalty of {title}", penalty)
        (slope,) = gradient(penalty.sum(), [critic.one])
        yield _fact(f"how the penalty of {title} changes with the critic's weights", slope)


def _fact(asked, value):
    if value is None:
        return Fact(asked, None)
    value = value.detach().cpu().double()
    return Fact(asked, value, 1e-4 * (1 + value.abs().nan_to_num(0, 0, 0)))


def _slope(critic, x, create=True, score=lambda a: a):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(score(critic(x)).sum(), x, create_graph=create)[0]


def _squares(slope):
    return slope.flatten(1).square().sum(1)


gradient_penalty = Exercise(
    reference=adversarial.gradient_penalty,
    observe=_observe,
    verified="the penalty, and its gradient with respect to the critic's weights, agree.",
    mistakes=(
        Mistake(
            "no graph of the gradient",
            "the number is right, but nothing can be learned from it. Pass create_graph=True to "
            "torch.autograd.grad, so that the gradient itself can be differentiated.",
            PUBLIC,
            (
                lambda critic, x: _squares(_slope(critic, x, False)).mean(),
                lambda critic, x: _squares(_slope(critic, x)).mean().detach(),
            ),
        ),
        Mistake(
            "norm over dim 1 of an image",
            "dimension 1 of an image is its channel. The slope's length is over all pixels: "
            "flatten(1) first.",
            PUBLIC,
            (
                lambda critic, x: _slope(critic, x).square().sum(1).mean(),
                lambda critic, x: _slope(critic, x).norm(2, dim=1).square().mean(),
            ),
        ),
        Mistake(
            "slope of a probability",
            "this is the slope of the sigmoid, softplus or logarithm of the critic's answer. The penalty is "
            "on the slope of the logit itself.",
            COURSE,
            (
                lambda critic, x: _squares(_slope(critic, x, score=lambda a: softplus(-a))).mean(),
                lambda critic, x: _squares(_slope(critic, x, score=softplus)).mean(),
                lambda critic, x: _squares(_slope(critic, x, score=torch.sigmoid)).mean(),
            ),
        ),
        Mistake(
            "mean before square",
            "the order matters: square the length of each image's slope, then take the mean. This takes the "
            "mean first.",
            COURSE,
            (
                lambda critic, x: _squares(_slope(critic, x)).sqrt().mean().square(),
                lambda critic, x: _slope(critic, x).flatten(1).mean(0).square().sum(),
            ),
        ),
        Mistake(
            "no square",
            "this is the length of the slope. R1 penalises its square.",
            PUBLIC,
            (
                lambda critic, x: _squares(_slope(critic, x)).sqrt().mean(),
                lambda critic, x: _squares(_slope(critic, x)).mean().sqrt(),
            ),
        ),
        Mistake(
            "length of 1 wanted",
            "this pulls the length towards 1, the penalty of another method (Gulrajani et al. 2017). R1 "
            "pulls it towards 0.",
            PUBLIC,
            (lambda critic, x: (_squares(_slope(critic, x)).sqrt() - 1).square().mean(),),
        ),
        Mistake(
            "absolute values",
            "this adds up absolute values. The squared length is the sum of squares.",
            NEAR,
            (lambda critic, x: _slope(critic, x).flatten(1).abs().sum(1).mean(),),
        ),
        Mistake(
            "critic's mean",
            "this differentiates the mean over the batch, which divides every slope by the number of images. "
            "Differentiate the sum.",
            PUBLIC,
            (
                lambda critic, x: _squares(_slope(critic, x) / len(x)).mean(),
                lambda critic, x: _squares(_slope(critic, x) / len(x)).sum(),
            ),
        ),
        Mistake(
            "mean over pixels",
            "this is a mean over the pixels, too. The squared length is a sum over them; only the images are "
            "averaged.",
            PUBLIC,
            (lambda critic, x: _slope(critic, x).square().mean(),),
        ),
        Mistake(
            "sum over images",
            "this is a sum over the batch. Take the mean.",
            NEAR,
            (lambda critic, x: _slope(critic, x).square().sum(),),
        ),
        Mistake(
            "a value for each image",
            "this is the squared length for each image. Return one number, the mean over the batch.",
            NEAR,
            (lambda critic, x: _squares(_slope(critic, x)),),
        ),
        Mistake(
            "half",
            "this has a factor of 1/2. `fit_adversarial` brings it: return the mean itself.",
            NEAR,
            (lambda critic, x: _squares(_slope(critic, x)).mean() / 2,),
        ),
    ),
    hints=(
        "x = x.detach().requires_grad_() makes a leaf; torch.autograd.grad(critic(x).sum(), x) the slopes.",
        "create_graph=True keeps the graph of the slopes, so that the penalty can itself be differentiated.",
        "Square, flatten(1), sum over the pixels, then take the mean over the images.",
    ),
)
