"""The exercise on generating images, and how it goes wrong."""

import functools

import torch

from vae_lessons.check.engine import NEAR, PUBLIC, Exercise, Fact, Mistake, noise, placed
from vae_lessons.check.engine.observed_model import Watch, kind, look, same, source
from vae_lessons.model import VAE

MANY = 400  # images to judge z by; a square number, for answers that put z on a grid


def _model(seed, latent=2):
    """A VAE with weights unlike those of an untrained one: its mu is far from 0, and its images vary."""
    settings = seed, latent, torch.get_default_dtype(), torch.get_default_device()
    model, weights = _kept(*settings)
    if weights != _fingerprint(model):  # a learner's function changed it
        _kept.cache_clear()
        model, _ = _kept(*settings)
    return model


@functools.lru_cache(maxsize=4)
def _kept(seed, latent, *_):
    """The model of `_model` and its fingerprint; making a model takes longer than using it."""
    model = VAE(latent=latent, hidden=(16,), seed=seed)
    with torch.no_grad():
        for i, weight in enumerate(model.parameters()):
            scale = 1.5 / weight.shape[-1] ** 0.5 if weight.ndim > 1 else 0.7
            weight.copy_(scale * placed(noise(*weight.shape, seed=seed + i)))
        model.encoder.head.mu_head.bias += 4
    return model, _fingerprint(model)


def _fingerprint(model):
    return [weight.detach().double().sum().item() for weight in model.parameters()], model.training


def _observe(call, seed):
    model = _model(seed)
    pictures, first = _asked(call, model, 4)
    yield Fact("the shape of 4 pictures", tuple(pictures.shape))
    if pictures.shape != (4, 1, 28, 28):
        return
    yield Fact("where z comes from", source(first))
    if first.codes or not first.z:
        return
    fresh = not same(first, _asked(call, model, 4)[1])
    yield Fact("the z of a second call", "other ones" if fresh else "the same")
    pictures, watch = _asked(call, model, MANY)
    z = torch.cat([part.reshape(-1, model.latent) for part in watch.z]).double()
    yield Fact(f"the shape of {MANY} pictures", tuple(pictures.shape))
    different = len((z[:, 0] + 2**0.5 * z[:, 1]).unique())
    yield Fact(f"how many different z there are among {MANY}", different)
    if len(pictures) != MANY or len(z) != MANY or different < MANY:
        return
    yield Fact("what z is", kind(z))
    if kind(z) != "drawn from N(0, I)" or not fresh:
        return
    yield Fact("what the pictures are", look(model, z, pictures))
    yield Fact("whether the images require a gradient", pictures.requires_grad)
    pictures, _ = _asked(call, _model(seed, latent=12), 4)
    yield Fact("the shape of 4 pictures of a model with twelve latent dimensions", tuple(pictures.shape))
    _, watch = _asked(call, _model(seed, latent=12), 1000)
    yield Fact("what z is, in twelve dimensions", kind(torch.cat(watch.z).double()))


def _asked(call, model, n):
    """n images and a record of how they were made, -> Tensor, Watch."""
    with Watch(model) as watch:
        return call.tensor(model, n), watch


@torch.no_grad()
def _of(z, model):
    return model.decode(z).sigmoid()


def _prior(model, n):
    return torch.randn(n, model.latent)


def _from(draw):
    """Right but for its z: draw(model, n) -> (n, L)."""
    return lambda model, n: _of(draw(model, n), model)


def _encoded(draw):
    """z from images: draw(mu, log_var) -> (n, L)."""

    @torch.no_grad()
    def code(model, n):
        return _of(draw(*model.encode(torch.rand(n, 1, 28, 28))), model)

    return code


def _shown(look):
    """Right but for what is done with the logits: look(logits) -> pictures."""

    @torch.no_grad()
    def code(model, n):
        return look(model.decode(_prior(model, n)))

    return code


def _grid(reach):
    def draw(model, n):
        side = torch.linspace(-reach, reach, round(n**0.5))
        return torch.cartesian_prod(side, side)

    return _from(draw)


def _seeded(model, n):
    return torch.randn(n, model.latent, generator=torch.Generator().manual_seed(0))


def _stretched(logits):
    return (logits - logits.min()) / (logits.max() - logits.min())


def _gradient_left(model, n):
    return model.decode(_prior(model, n)).sigmoid()


def _reshaped(*shape):
    return lambda model, n: model.sample(n).reshape(n, *shape)


def _reference(model, n):
    """The package's answer, VAE.sample, for any model that decodes."""
    return model.picture(torch.randn(n, model.latent))


MISTAKES = (
    Mistake(
        "q(z|x) in place of the prior",
        "z comes from the encoder, so this reconstructs an image. To generate one, draw z from the prior "
        "N(0, I), and decode it.",
        PUBLIC,
        (
            _encoded(lambda mu, log_var: mu),
            _encoded(lambda mu, log_var: mu + (log_var / 2).exp() * torch.randn_like(mu)),
        ),
    ),
    Mistake(
        "noise with an image's sigma",
        "the noise is scaled by a sigma of the encoder, which is that of one image's q(z|x). The prior has "
        "sigma 1.",
        NEAR,
        (_encoded(lambda mu, log_var: (log_var / 2).exp() * torch.randn_like(mu)),),
    ),
    Mistake(
        "uniform draws",
        "z is uniform, as from torch.rand. The prior is N(0, I): use torch.randn.",
        PUBLIC,
        (
            _from(lambda model, n: torch.rand(n, model.latent)),
            _from(lambda model, n: 6 * torch.rand(n, model.latent) - 3),
        ),
    ),
    Mistake(
        "15 standard deviations",
        "z is spread far wider than the prior, to where the decoder was never trained. Almost all draws of "
        "N(0, I) lie within 3.",
        "a widely read notebook, which draws its grid from -15 to 15",
        (
            _grid(15),
            _grid(10),
            _from(lambda model, n: 15 * torch.randn(n, model.latent)),
            _from(lambda model, n: 30 * torch.rand(n, model.latent) - 15),
        ),
    ),
    Mistake(
        "a grid",
        "z lies on a grid, which shows the latent space. To generate images, draw z from the prior.",
        PUBLIC,
        (_grid(3), _grid(1)),
    ),
    Mistake(
        "the same draws each time",
        "a second call draws the same z again, as with a seed inside the function.",
        PUBLIC,
        (_from(_seeded),),
    ),
    Mistake(
        "one z for all",
        "all images come from the same z. Draw one for each: torch.randn(n, model.latent).",
        PUBLIC,
        (
            _from(lambda model, n: torch.randn(1, model.latent).expand(n, -1)),
            _from(lambda model, n: torch.zeros(n, model.latent)),
        ),
    ),
    Mistake(
        "one number for all dimensions",
        "all dimensions of a z are the same number. Draw each independently.",
        NEAR,
        (_from(lambda model, n: torch.randn(n, 1).expand(n, model.latent)),),
    ),
    Mistake(
        "no decoder",
        "the images do not come from the decoder.",
        NEAR,
        (lambda model, n: torch.rand(n, 1, 28, 28),),
    ),
    Mistake(
        "logits for probabilities",
        "these are the decoder's logits. Return the pixels' probabilities, which are their sigmoid.",
        PUBLIC,
        (
            _shown(lambda logits: logits),
            _shown(lambda logits: logits.clamp(0, 1)),
            _shown(_stretched),
            _shown(torch.exp),
        ),
    ),
    Mistake(
        "sigmoid twice",
        "the sigmoid is applied twice, so that the background is grey. model.picture applies one already.",
        PUBLIC,
        (_shown(lambda logits: logits.sigmoid().sigmoid()),),
    ),
    Mistake(
        "black and white",
        "the pixels were rounded or sampled to black and white. Return their probabilities, in [0, 1].",
        PUBLIC,
        (
            _shown(lambda logits: logits.sigmoid().bernoulli()),
            _shown(lambda logits: logits.sigmoid().round()),
        ),
    ),
    Mistake(
        "gradient left on",
        "the images are right, but they require a gradient, which costs memory and makes .numpy() fail. Put "
        "@torch.no_grad() above the function.",
        PUBLIC,
        (_gradient_left,),
    ),
    Mistake(
        "flat pictures",
        "the pixels are right, but in another shape. Return (n, 1, 28, 28).",
        PUBLIC,
        (_reshaped(784), _reshaped(28, 28), _reshaped(28, 28, 1)),
    ),
    Mistake(
        "hard-coded sizes",
        "a size is hard-coded. There are n images, and z has model.latent dimensions.",
        PUBLIC,
        (
            _from(lambda model, n: torch.randn(n, 2)),
            _from(lambda model, n: torch.randn(16, model.latent)),
            _from(lambda model, n: torch.randn(64, model.latent)),
            _from(lambda model, n: torch.randn(10, model.latent)),
            _from(lambda model, n: torch.randn(100, model.latent)),
            _from(lambda model, n: torch.randn(1, model.latent)),
        ),
    ),
)

generate = Exercise(
    name="generate",
    parameters=("model", "n"),
    reference=_reference,
    solutions=(VAE.sample, VAE.picture),
    observe=_observe,
    verified="fresh draws of N(0, I), one for each image, decoded to probabilities, without the encoder and "
    "without a gradient.",
    mistakes=MISTAKES,
    hints=(
        "Two steps: where does z come from, and what turns it into images? Which half of the model is "
        "not needed?",
        "torch.randn(n, model.latent) draws from N(0, I). model.picture(z) decodes.",
        "One line: return model.picture(torch.randn(n, model.latent)).",
    ),
)
