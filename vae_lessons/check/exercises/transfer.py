"""The exercise on another digit in the same handwriting, lesson 13, and how it goes wrong."""

import torch

from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Fact, Mistake, noise, placed
from vae_lessons.model import ConditionalVAE

SHAPE, LATENT, CLASSES = (1, 5, 4), 3, 4


def _observe(call, seed):
    for images, shift in ((1, 1), (6, 1), (5, 2)):
        model, y = _model(seed), torch.arange(images) % CLASSES
        x, y_new = placed(noise(images, *SHAPE, seed=seed + images)).sigmoid(), (y + shift) % CLASSES
        what = f"{images} image{'s' * (images > 1)} of 5 x 4 pixels, each as another class"
        pictures = call.tensor(model, x, y, y_new)
        yield Fact(f"{what}, the shape", tuple(pictures.shape))
        again = call.tensor(model, x, y, y_new)
        steady = pictures.shape == again.shape and torch.equal(pictures, again)
        yield Fact("a second call with the same images", "the same pictures" if steady else "others")
        yield Fact(f"{what}, the pictures", pictures.detach().cpu().double(), 1e-4)
    yield Fact("an image as its own class", call.tensor(model, x, y, y).detach().cpu().double(), 1e-4)


@torch.no_grad()
def _model(seed):
    """A conditional VAE with weights unlike those of one just made: pictures vary with z and y."""
    model = ConditionalVAE(latent=LATENT, condition=CLASSES, hidden=(12,), shape=SHAPE, seed=seed)
    for i, weight in enumerate(model.parameters()):
        weight.copy_(placed(noise(*weight.shape, seed=seed + i)) * (2.0 / weight.shape[-1] ** 0.5))
    return model


def _decoded(z, y):
    """A code from z(model, x, y, y_new), drawn as y(y, y_new)."""
    return lambda model, x, old, new: model.picture(z(model, x, old, new), y(old, new))


def _old(y, y_new):
    return y


def _new(y, y_new):
    return y_new


def _code(model, x, y, y_new):
    return model.code(x, y)


def _code_of_new(model, x, y, y_new):
    return model.code(x, y_new)


def _prior(model, x, y, y_new):
    return torch.randn(len(x), model.latent)


def _sampled(model, x, y, y_new):
    return model(x, y).z.detach()


def _reference(model, x, y, y_new):
    """The package's answer: model.transfer."""
    return model.transfer(x, y, y_new)


def _drawn(facts):
    return len(facts) > 1 and facts[1].value == "others"


transfer = Exercise(
    name="transfer",
    parameters=("model", "x", "y", "y_new"),
    reference=_reference,
    solutions=(ConditionalVAE.transfer,),
    observe=_observe,
    verified="each image is encoded as what it is and decoded as what it is to become.",
    mistakes=(
        Mistake(
            "encoded as the new class",
            "the encoder is told the new class, although the image shows the old one. Encode with y: the "
            "code then holds what the class does not say.",
            PUBLIC,
            (_decoded(_code_of_new, _new),),
        ),
        Mistake(
            "decoded as the old class",
            "the decoder is told the old class, so this rebuilds the image. Decode with y_new.",
            COURSE,
            (_decoded(_code, _old),),
        ),
        Mistake(
            "classes swapped",
            "the two classes are swapped. The encoder needs the class that the image shows, y, and the "
            "decoder the one to draw, y_new.",
            NEAR,
            (_decoded(_code_of_new, _old),),
        ),
        Mistake(
            "z drawn at random",
            "a second call gives other pictures, so z is drawn at random. From the prior it would know "
            "nothing of the image; from q(z|x, y) it would be right but for the noise. model.code(x, y) "
            "gives the one point that stands for an image.",
            COURSE,
            (_decoded(_prior, _new), _decoded(_sampled, _new)),
            _drawn,
        ),
        Mistake(
            "mean of the prior",
            "z is 0 for every image, so its handwriting is lost. Take model.code(x, y).",
            NEAR,
            (_decoded(lambda model, x, y, y_new: torch.zeros(len(x), model.latent), _new),),
        ),
        Mistake(
            "logits for pictures",
            "these are the decoder's raw output. model.picture(z, y_new) gives what can be looked at, from 0 "
            "to 1.",
            PUBLIC,
            (lambda model, x, y, y_new: model.decode(model.code(x, y), y_new),),
        ),
        Mistake(
            "codes, not pictures",
            "these are the codes. model.picture(z, y_new) decodes them.",
            NEAR,
            (_code,),
        ),
    ),
    hints=(
        "Two steps: the code of each image, and its picture. Each of the two needs a class. Which one?",
        "The code is to hold all but the class. So tell the encoder the class that the image shows: "
        "model.code(x, y).",
        "model.picture(z, y_new) draws the code as another class.",
    ),
)
