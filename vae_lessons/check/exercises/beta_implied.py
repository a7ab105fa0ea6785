"""The exercise on the beta that a program's loss implies, and how it goes wrong."""

import inspect

import torch

from vae_lessons import losses
from vae_lessons.check.engine import NEAR, PUBLIC, Exercise, Fact, Mistake

SIZES = {"pixels": 12, "latent": 5}
SETTINGS = (
    ("a summed cross-entropy and a summed KL", {}),
    ("the cross-entropy averaged over 12 pixels", {"over_pixels": "mean"}),
    ("the KL averaged over 5 latent dimensions", {"over_latent": "mean"}),
    ("a weight of 500 on the reconstruction", {"weight": 500}),
    ("a weight of 0.1 on the KL", {"kl_weight": 0.1}),
    ("the summed squared error", {"reconstruction": "squared error"}),
    ("half the summed squared error", {"reconstruction": "half squared error"}),
    ("the Gaussian's own -log p", {"reconstruction": "gaussian"}),
    ("the summed squared error, read with sigma = 0.2", {"reconstruction": "squared error", "sigma": 0.2}),
    (
        "the squared error averaged over 784 pixels, 0.1 times the KL averaged over 5 latent dimensions",
        {
            "pixels": 784,
            "reconstruction": "squared error",
            "over_pixels": "mean",
            "over_latent": "mean",
            "kl_weight": 0.1,
        },
    ),
    (
        "500 times the cross-entropy averaged over 1024 pixels",
        {"pixels": 1024, "latent": 2, "over_pixels": "mean", "weight": 500},
    ),
)


def _observe_beta(call, seed):
    for title, settings in SETTINGS:
        beta = torch.tensor(call.number(**SIZES | settings), dtype=torch.float64)
        yield Fact(f"beta of {title}", beta, 1e-5 * beta.abs())


class _ByName(Exercise):
    """An exercise whose function is called with keyword arguments, and may require them."""

    def _unfit(self, function):
        if not callable(function):
            return super()._unfit(function)
        try:
            inspect.signature(function).bind(**dict.fromkeys(self.parameters))
        except TypeError as error:
            return f"it is called by name, with {', '.join(self.parameters)}: {error}."
        except ValueError:  # some built-in functions have no signature
            return None


def _read(**changes):
    """The package's beta of misread settings: `changes` maps a setting to f(settings)."""
    return lambda **given: losses.beta_implied(
        **given | {name: change(given) for name, change in changes.items()}
    )


def _times(factor):
    """The right beta times factor(settings)."""
    return lambda **given: losses.beta_implied(**given) * factor(_Settings(given))


class _Settings(dict):
    """Settings with their defaults, as attributes."""

    def __getattr__(self, name):
        default = inspect.signature(losses.beta_implied).parameters[name].default
        return self.get(name, default)

    @property
    def squared(self):
        """Whether the reconstruction is a squared error, half or whole."""
        return "squared" in self.reconstruction

    @property
    def whole(self):
        """Whether the reconstruction is a whole squared error."""
        return self.reconstruction == "squared error"

    def mean(self, over):
        """The number of terms in a mean, or 1 for a sum."""
        how, size = (self.over_pixels, self.pixels) if over == "pixels" else (self.over_latent, self.latent)
        return size if how == "mean" else 1


def _half(given):
    return (
        "half squared error"
        if given.get("reconstruction") == "squared error"
        else given.get("reconstruction", "bernoulli")
    )


BETA_MISTAKES = (
    Mistake(
        "upside down",
        "this is 1/beta. beta is the factor of the KL over that of the nll: kl_weight k / (weight r).",
        NEAR,
        (lambda **given: 1 / losses.beta_implied(**given),),
    ),
    Mistake(
        "pixel mean inverted",
        "a mean over pixels makes the reconstruction smaller, r = 1/D, so beta becomes larger, by D. Yours "
        "becomes smaller.",
        PUBLIC,
        (_times(lambda s: s.mean("pixels") ** -2),),
    ),
    Mistake(
        "pixel mean forgotten",
        "a mean over pixels is not taken into account: it makes r = 1/D, and beta D times as large.",
        PUBLIC,
        (_times(lambda s: 1 / s.mean("pixels")),),
    ),
    Mistake(
        "latent mean inverted",
        "a mean over latent dimensions makes the KL smaller, k = 1/L, and beta too. Yours becomes larger.",
        NEAR,
        (_times(lambda s: s.mean("latent") ** 2),),
    ),
    Mistake(
        "latent mean forgotten",
        "a mean over latent dimensions is not taken into account: it makes k = 1/L, and beta smaller by L.",
        "ARENA's KL is a mean, which its text does not count",
        (_times(lambda s: s.mean("latent")),),
    ),
    Mistake(
        "both means inverted",
        "both means have the opposite effect: a mean over pixels raises beta, one over latent dimensions "
        "lowers it.",
        NEAR,
        (_times(lambda s: s.mean("latent") ** 2 / s.mean("pixels") ** 2),),
    ),
    Mistake(
        "both means forgotten",
        "neither mean is taken into account: r = 1/D for pixels, k = 1/L for latent dimensions.",
        NEAR,
        (_times(lambda s: s.mean("latent") / s.mean("pixels")),),
    ),
    Mistake(
        "sizes swapped",
        "pixels and latent are swapped: r is divided by pixels, k by latent.",
        NEAR,
        (
            lambda **given: losses.beta_implied(
                **given | {"pixels": given["latent"], "latent": given["pixels"]}
            ),
        ),
    ),
    Mistake(
        "the 2 of a squared error forgotten",
        "a squared error is 2 sigma^2 times the nll, since the nll has a 1/2. For half a squared error it "
        "is sigma^2.",
        PUBLIC,
        (
            _read(reconstruction=_half),
            _times(lambda s: 2 if s.squared else 1),
            _times(lambda s: (2 * s.sigma**2 if s.whole else s.sigma**2) if s.squared else 1),
        ),
    ),
    Mistake(
        "half taken for whole",
        "half a squared error has r = sigma^2. The factor 2 belongs to a whole squared error.",
        NEAR,
        (_times(lambda s: 0.5 if s.reconstruction == "half squared error" else 1),),
    ),
    Mistake(
        "the 2 on the wrong side",
        "the 2 of a squared error belongs in the denominator: r = 2 sigma^2.",
        NEAR,
        (_times(lambda s: 4 if s.reconstruction == "squared error" else 1),),
    ),
    Mistake(
        "sigma forgotten",
        "sigma is not used. A squared error read as a Gaussian has r = 2 sigma^2.",
        PUBLIC,
        (_times(lambda s: s.sigma**2),),
    ),
    Mistake("sigma not squared", "sigma must be squared: r = 2 sigma^2.", NEAR, (_times(lambda s: s.sigma),)),
    Mistake(
        "sigma on the wrong side",
        "r = 2 sigma^2: a smaller sigma makes the nll count more, and beta larger, not smaller.",
        NEAR,
        (_times(lambda s: s.sigma**4),),
    ),
    Mistake(
        "weight on the wrong side",
        "the weight of the reconstruction belongs in the denominator: a larger weight makes beta smaller.",
        "Generative Deep Learning, which calls it BETA",
        (_times(lambda s: s.weight**2),),
    ),
    Mistake(
        "weight forgotten",
        "the weight of the reconstruction is not used.",
        NEAR,
        (_times(lambda s: s.weight),),
    ),
    Mistake(
        "KL weight on the wrong side",
        "the weight of the KL belongs in the numerator: a larger weight makes beta larger.",
        NEAR,
        (_times(lambda s: s.kl_weight**-2),),
    ),
    Mistake(
        "KL weight taken for beta",
        "this is the weight in the program, or the ratio of the two weights. The terms have factors of "
        "their own, r and k.",
        PUBLIC,
        (
            lambda **given: _Settings(given).kl_weight,
            lambda **given: _Settings(given).kl_weight / _Settings(given).weight,
        ),
    ),
    Mistake(
        "KL weight forgotten", "the weight of the KL is not used.", NEAR, (_times(lambda s: 1 / s.kl_weight),)
    ),
    Mistake(
        "784 pixels written in",
        "784 is hard-coded. The number of pixels is an argument.",
        PUBLIC,
        (lambda **given: losses.beta_implied(**given | {"pixels": 784}),),
    ),
)

beta_implied = _ByName(
    name="beta_implied",
    parameters=(
        "pixels",
        "latent",
        "reconstruction",
        "over_pixels",
        "over_latent",
        "weight",
        "kl_weight",
        "sigma",
    ),
    reference=losses.beta_implied,
    observe=_observe_beta,
    verified="eleven losses: each reduction, weight and kind by itself, and two from public code, 7.84 and "
    "2.05.",
    mistakes=BETA_MISTAKES,
    hints=(
        "Write the program's loss as weight * r * nll + kl_weight * k * kl, and divide by the factor of nll.",
        "k is 1 or 1/L. r is 1 or 1/D for a cross-entropy; a squared error multiplies it by 2 sigma^2, half "
        "a squared error by sigma^2.",
        'The "gaussian" is -log p itself, so it needs no sigma; its r is that of a cross-entropy.',
    ),
)
