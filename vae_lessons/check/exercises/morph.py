"""The exercise on the walk from one image to another, lesson 00, and how it goes wrong."""

import torch

from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Fact, Mistake, noise, placed
from vae_lessons.model import VAE

SHAPE, LATENT = (1, 5, 4), 3


def _observe(call, seed):
    model = _model(seed)
    first, second = placed(noise(2, *SHAPE, seed=seed + 50).sigmoid())
    pictures = call.tensor(model, first, second, 4)
    yield Fact("4 steps between images of 5 x 4 pixels, the shape", tuple(pictures.shape))
    again = call.tensor(model, first, second, 4)
    steady = pictures.shape == again.shape and torch.equal(pictures, again)
    yield Fact("a second walk between the same images", "the same" if steady else "another")
    yield Fact("the pictures in 4 steps, step by step", *_close(pictures))
    for steps in (2, 9):
        yield Fact(f"the pictures in {steps} steps", *_close(call.tensor(model, first, second, steps)))


def _close(pictures):
    return pictures.detach().cpu().double(), 1e-4


@torch.no_grad()
def _model(seed):
    """A VAE with weights unlike those of one just made: codes and pictures vary."""
    model = VAE(latent=LATENT, hidden=(12,), shape=SHAPE, seed=seed)
    for i, weight in enumerate(model.parameters()):
        weight.copy_(placed(noise(*weight.shape, seed=seed + i)) * (2.0 / weight.shape[-1] ** 0.5))
    return model


def _shares(steps):
    return torch.linspace(0, 1, steps)


def _mixed(shares, first, second):
    """(1 - t) first + t second for each t of the shares, (K,), (*shape), (*shape) -> (K, *shape)."""
    t = shares.view(-1, *[1] * first.ndim)
    return (1 - t) * first + t * second


def _walk(
    shares=_shares, look=lambda model, z: model.picture(z), mix=_mixed, code=lambda model, x: model.code(x)
):
    """The right walk with one of its pieces changed."""

    def morph(model, first, second, steps):
        a, b = (code(model, x[None])[0] for x in (first, second))
        return look(model, mix(shares(steps), a, b))

    return morph


def _sampled(model, x):
    return model(x).z.detach()


def _pixels(model, first, second, steps):
    return _mixed(_shares(steps), first, second)


def _pictures(model, first, second, steps):
    return _mixed(_shares(steps), *model.reconstruct(torch.stack([first, second])))


def _reference(model, first, second, steps):
    """The package's answer: model.morph."""
    return model.morph(first, second, steps)


MISTAKES = (
    Mistake(
        "pixels mixed",
        "this mixes the pixels of the two images, so that both shine through. Mix their codes, and decode "
        "each mixture.",
        PUBLIC,
        (_pixels,),
    ),
    Mistake(
        "pictures mixed",
        "this decodes the two codes and mixes the pictures. Mix first and decode then: the decoder draws "
        "what belongs between.",
        COURSE,
        (_pictures,),
    ),
    Mistake(
        "codes, not pictures",
        "these are the codes along the way. model.picture(z) decodes them.",
        NEAR,
        (_walk(look=lambda model, z: z),),
    ),
    Mistake(
        "logits for pictures",
        "this is the decoder's raw output. model.picture(z) gives what can be looked at, from 0 to 1.",
        PUBLIC,
        (_walk(look=lambda model, z: model.decode(z)),),
    ),
    Mistake(
        "backwards",
        "the walk goes from the second image to the first. At t = 0 it must be at the first.",
        NEAR,
        (_walk(lambda steps: _shares(steps).flip(0)),),
    ),
    Mistake(
        "the end left out",
        "the last picture is not that of the second image: t must run from 0 to 1 with both ends, as "
        "torch.linspace(0, 1, steps) does.",
        COURSE,
        (_walk(lambda steps: torch.arange(steps) / steps),),
    ),
    Mistake(
        "both ends left out",
        "the walk neither begins at the first image's code nor ends at the second's: t must run from 0 to "
        "1, as torch.linspace(0, 1, steps) does.",
        NEAR,
        (_walk(lambda steps: _shares(steps + 2)[1:-1]),),
    ),
    Mistake(
        "the first code not left behind",
        "the second code is added and the first stays as it is: z = a + t b. A mixture is (1 - t) a + t b.",
        NEAR,
        (_walk(mix=lambda t, a, b: a + t[:, None] * b),),
    ),
    Mistake(
        "codes drawn from q(z|x)",
        "a second call gives other pictures, so the codes are drawn with noise. model.code(x) gives the "
        "one point that stands for an image.",
        COURSE,
        (_walk(code=_sampled),),
        lambda facts: len(facts) > 1 and facts[1].value == "another",
    ),
)

morph = Exercise(
    name="morph",
    parameters=("model", "first", "second", "steps"),
    reference=_reference,
    solutions=(VAE.morph,),
    observe=_observe,
    verified="the walk begins at the first image's code, ends at the second's, and goes straight in equal "
    "steps.",
    mistakes=MISTAKES,
    hints=(
        "Three steps: the two codes, the codes between them, and their pictures.",
        "model.code takes a batch of images, so give it first[None], (1, 1, 28, 28); the code is (1, L).",
        "t = torch.linspace(0, 1, steps)[:, None] is a column of shares. (1 - t) * start + t * end are the"
        " codes, (steps, L), and model.picture decodes them.",
    ),
)
