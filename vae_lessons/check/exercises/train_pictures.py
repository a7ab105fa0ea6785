"""The exercise on training a VAE on a folder of pictures, lesson 17: its model is sent to the clinic."""

import inspect
from functools import lru_cache

import numpy as np
import torch
from PIL import Image

from vae_lessons.check import clinic
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Failed, Hinted, Mistake, Verdict, Words, graded
from vae_lessons.check.engine import untouched as is_stub
from vae_lessons.check.engine.calling import Call, TooLong, guarded
from vae_lessons.data import Data, Split
from vae_lessons.data.postcards import postcards
from vae_lessons.losses import Terms
from vae_lessons.model import VAE, Autoencoder, ConvolutionalVAE, Posterior
from vae_lessons.train import fit

IMAGES, SIZE = 600, 16
SECONDS = 90.0


@lru_cache(2)
def probe(seed):
    """Postcards of 16 x 16 pixels in colour, drawn for the check, -> Data of 500 + 100."""
    side = {"resample": Image.Resampling.BOX, "box": (16, 0, 80, 64)}
    images = [np.asarray(image.resize((SIZE, SIZE), **side)) for image in postcards(IMAGES, seed)]
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    return Data(Split(pixels[: 5 * IMAGES // 6]), Split(pixels[5 * IMAGES // 6 :]), "postcards")


def _reference(data):
    """A VAE with few latent numbers and a wide sigma: about 1,200 steps, however many pictures there are."""
    model = ConvolutionalVAE(latent=6, sigma=0.15, shape=tuple(data.train.pixels.shape[1:]))
    steps_an_epoch = -(-len(data.train) // 32)
    fit(model, data, epochs=-(-1_200 // steps_an_epoch), batch=32, progress=False)
    return model


def _trained(kind=ConvolutionalVAE, latent=8, sigma="learned", steps=200, seen=lambda data: data, **settings):
    """A training with one of its pieces changed, in a quarter of the steps."""

    def train_pictures(data):
        shape = tuple(data.train.pixels.shape[1:])
        model = kind(latent=latent, sigma=sigma, shape=shape)
        used = seen(data)
        epochs = -(-steps // -(-len(used.train) // 32))
        fit(model, used, epochs, progress=False, **{"batch": 32} | settings)
        return model

    return train_pictures


def _mean_over_pixels(model, batch, generator):
    nll, kl = model.terms(batch, generator)
    return Terms(nll / batch.x[0].numel(), kl)


def _kl_subtracted(model, batch, generator):
    nll, kl = model.terms(batch, generator)
    return Terms(nll, -kl)


def _unscaled(data):
    return Data(*(Split(split.pixels.float()) for split in (data.train, data.test)))


class _Noiseless(ConvolutionalVAE):
    def forward(self, x, eps=None, generator=None):
        """z = mu, (B, *shape) -> Output."""
        mu = self.encode(x).mu
        return super().forward(x, torch.zeros_like(mu))


class _Tanh(ConvolutionalVAE):
    def encode(self, x):
        """No mu beyond 1, (B, *shape) -> Posterior of (B, L)."""
        mu, log_var = super().encode(x)
        return Posterior(torch.tanh(mu), log_var)


class _Relu(ConvolutionalVAE):
    def encode(self, x):
        """No negative mu, (B, *shape) -> Posterior of (B, L)."""
        mu, log_var = super().encode(x)
        return Posterior(torch.relu(mu), log_var)


class _Squeezed(ConvolutionalVAE):
    def picture(self, z):
        """The mean picture, and a sigmoid that does not belong there, (B, L) -> (B, *shape)."""
        return super().picture(z).sigmoid()


class _Wide(ConvolutionalVAE):
    def sample(self, n, generator=None):
        """Pictures of draws far wider than the prior, int -> (n, *shape)."""
        return self.picture(5 * torch.randn(n, self.latent, generator=generator))


def _history(data):
    model = ConvolutionalVAE(shape=tuple(data.train.pixels.shape[1:]))
    return fit(model, data, epochs=1, progress=False)


def _autoencoder(data):
    model = Autoencoder(8, (64,), "gaussian", 0.15, tuple(data.train.pixels.shape[1:]))
    fit(model, data, epochs=1, progress=False)
    return model


def _unlike(data):
    return ConvolutionalVAE(shape=(1, 28, 28))


def _by_heart(latent, sigma, shape):
    """A network with so many weights, and a sigma so small, that it learns its images by heart."""
    return VAE(latent, (512,), "gaussian", sigma, shape)


CODES = {  # by the clinic's steps: how one comes to show each
    "off the scale": (
        PUBLIC,
        (_trained(seen=_unscaled, sigma=30.0, steps=100), _trained(objective=_kl_subtracted, steps=300)),
    ),
    "collapse": (
        PUBLIC,
        (
            _trained(objective=_mean_over_pixels, steps=100),
            _trained(beta=1_000.0, steps=100),
            _trained(lr=1e-6, steps=30),
        ),
    ),
    "not learned": (PUBLIC, (_trained(_Squeezed),)),
    "KL not counted": (PUBLIC, (_trained(beta=0.0, latent=3, steps=400),)),
    "no noise": (PUBLIC, (_trained(_Noiseless),)),
    "hard edge": (PUBLIC, (_trained(_Tanh), _trained(_Relu))),
    "overfitting": (COURSE, (_trained(_by_heart, latent=64, sigma=0.02, steps=1_500, lr=2e-3),)),
    "test images seen": (
        PUBLIC,
        (_trained(_by_heart, 64, 0.02, 1_500, lambda data: Data(data.test, data.test), lr=2e-3),),
    ),
    "draws off the data": (NEAR, (_trained(_Wide, steps=400),)),
}
OWN = (  # mistakes that leave nothing for the clinic to look at
    Mistake(
        "the history returned",
        "it returns what fit returns, the history of the training. Return the model that fit has trained.",
        COURSE,
        (_history,),
    ),
    Mistake(
        "an autoencoder",
        "it returns an autoencoder, which has no q(z|x) and no sample. Use ConvolutionalVAE or VAE.",
        NEAR,
        (_autoencoder,),
    ),
    Mistake(
        "another shape",
        "the model takes images of another shape than the data's. Take the shape from the data: "
        "shape=tuple(data.train.pixels.shape[1:]).",
        PUBLIC,
        (_unlike,),
    ),
)


def _of_the_clinic(step):
    says = f"the clinic finds '{step.name}'. {step.means} What to change: {step.change}"
    return Mistake(step.name, says, *CODES[step.name])


class TrainPictures(Hinted):
    """The exercise that takes a function which trains a model: check, hint(), solution(), working()."""

    name = "train_pictures"
    last = "check.train_pictures.solution() shows one that passes."
    reference = staticmethod(_reference)
    mistakes = (*(_of_the_clinic(step) for step in clinic.STEPS if step.name in CODES), *OWN)
    hints = (
        "Three lines: make a ConvolutionalVAE of the data's shape, fit it, return it.",
        "shape=tuple(data.train.pixels.shape[1:]). What the chart names for draws off the data is fewer "
        "latent numbers and a larger sigma: try latent=6 and sigma=0.15.",
        "Count steps, not epochs: about 1,200 steps with batch=32. An epoch has len(data.train) / 32.",
    )

    def __call__(self, function=..., seed=0):
        """The verdict on a function, -> Verdict. In strict mode, raises Unsolved if it is not right."""
        return graded(self.name, function, self.judge(function, seed))

    def __repr__(self):
        return "The exercise train_pictures(data): check, hint(), solution(), working()"

    def working(self, function):
        """The learner's function if it is right, else the package's own: what the lesson goes on with."""
        return function if self.judge(function).status == "right" else self.reference

    def solution(self):
        """The source of a training that passes."""
        return Words(inspect.getsource(_reference))

    def judge(self, function, seed=0):
        """The verdict, -> Verdict, whatever VAE_LESSONS_STRICT says: it trains on 500 postcards."""
        if function is ... or is_stub(function):
            text = (
                "train_pictures is still to be written. Until then the lesson goes on with the package's own."
            )
            return Verdict("untouched", None, text)
        if not callable(function):
            text = "give the check your function itself, check.train_pictures(train_pictures)."
            return Verdict("wrong", None, f"Not yet: {text}")
        data = probe(seed)
        try:
            with guarded(seed, SECONDS):
                model = Call(function)(data)
        except Failed as failed:
            return Verdict("wrong", None, f"Not yet: {failed.args[0].sentence}")
        except TooLong:
            text = f"it takes more than {SECONDS:.0f} seconds for 500 small pictures, so it was stopped."
            return Verdict("wrong", None, f"Not yet: {text}")
        return self._seen(model, data)

    def _seen(self, model, data):
        """The clinic's verdict on what came back, -> Verdict."""
        named = {mistake.name: mistake for mistake in self.mistakes}
        if name := _no_patient(model, data):
            known = named.get(name)
            return Verdict("wrong", known and name, f"Not yet: {known.says if known else name}")
        visit = clinic.visit(model, data)
        if visit.name:
            return Verdict("wrong", visit.name, f"Not yet: {named[visit.name].says}\n{visit}")
        return Verdict("right", None, f"Right: the clinic finds nothing.\n{visit}")


def _no_patient(model, data):
    """Why the clinic cannot look at a model: the name of a known mistake or a sentence; None if it can."""
    if hasattr(model, "stopped"):
        return "the history returned"
    if not hasattr(model, "encode") or not hasattr(model, "picture"):
        return f"it must return the trained model, but it returned a {type(model).__name__}."
    if not hasattr(model, "sample"):
        return "an autoencoder"
    if tuple(model.shape) != tuple(data.train.pixels.shape[1:]):
        return "another shape"
    return None


train_pictures = TrainPictures()
