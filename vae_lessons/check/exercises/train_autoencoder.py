"""The exercise on training an autoencoder, lesson 01, and how it goes wrong: judged by what it learns."""

import torch
from torch import nn

from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Call,
    Exercise,
    Fact,
    Mistake,
    no_answer,
    noise,
    placed,
)
from vae_lessons.check.engine.observed_networks import Layers, weights_of
from vae_lessons.pca import principal_components

ROWS, PIXELS = 400, 6
SHORT, LONG = 2, 250  # epochs
SMALL, GROWN = 0.9, 100  # times PCA's error, and times the total variance


def _bent(seed):
    """The lesson's bent cloud in six pixels from 0 to 1, in order from end to end, -> (ROWS, PIXELS)."""
    t = torch.linspace(-1.5, 1.5, ROWS, dtype=torch.float64, device="cpu")
    points = torch.stack([t - 0.3 * t**2, 0.5 * t + 0.6 * t**2], 1) + 0.05 * noise(ROWS, 2, seed=seed)
    x = points @ torch.linalg.qr(noise(PIXELS, 2, seed=seed + 1)).Q.T
    return placed((x - x.min()) / (x.max() - x.min()))


def _observe(call, seed):
    x = _bent(seed)
    with Layers() as layers:
        encoder, decoder = _networks(call(x, 3, SHORT))
    code, rows = _answers(encoder, decoder, x)
    fates = [layers.fate(weights_of(*used)) for used in ((encoder, x), (decoder, code))]
    yield Fact(f"the code of {ROWS} images, latent = 3, its shape", tuple(code.shape))
    yield Fact(f"what the decoder makes of {ROWS} codes, its shape", tuple(rows.shape))
    if code.shape != (ROWS, 3) or rows.shape != x.shape:
        return
    for name, fate in zip(("encoder", "decoder"), fates, strict=True):
        yield Fact(f"the weights of the {name} in training", fate)
    yield Fact("the gradient of each step", layers.gradients)
    yield Fact("what the decoder can draw", bends := _bends(decoder, code))
    if {*fates, layers.gradients, bends} != {"they change", "of one batch", "curves"}:
        return  # longer training would not mend that
    with Layers() as longer:
        encoder, decoder = _networks(call(x, 1, LONG))
    few = longer.steps <= layers.steps and layers.steps > 0
    yield Fact(f"the steps in {LONG} epochs", f"as many as in {SHORT}" if few else f"more than in {SHORT}")
    shown = longer.shown(PIXELS)
    yield Fact("the images that it learns from", "a part" if shown and shown < 0.9 * ROWS else "all")
    yield Fact(f"the error after {LONG} epochs, latent = 1", _error(x, _answers(encoder, decoder, x)[1]))


def _networks(answer):
    """The learner's encoder and decoder, ready to be used."""
    if answer is None or answer is ...:
        raise no_answer("It returned nothing: end it with `return encoder, decoder`.")
    if not isinstance(answer, (tuple, list)) or len(answer) != 2 or not all(map(callable, answer)):
        raise no_answer("It must return two networks, `return encoder, decoder`, and nothing else.")
    for network in answer:
        if isinstance(network, nn.Module):
            network.eval()
    return answer


@torch.no_grad()
def _answers(encoder, decoder, x):
    """The code of each image and the picture of each code, two tensors."""
    code = Call(encoder).tensor(x)
    return code, Call(decoder).tensor(code)


@torch.no_grad()
def _bends(decoder, code):
    """Whether what a decoder draws along a straight line of codes is a straight line, in words."""
    a, b = code[: ROWS // 2], code[ROWS // 2 :]
    ends, middle = (Call(decoder).tensor(z) for z in (torch.cat([a, b]), (a + b) / 2))
    off = (middle - (ends[: ROWS // 2] + ends[ROWS // 2 :]) / 2).abs().max()
    return "straight lines only" if off < 1e-4 * ends.abs().max() else "curves"


def _error(x, x_hat):
    """How large the error is, in words: beside PCA's with one component, and the total variance."""
    pca = principal_components(x.double())
    error = (x - x_hat).square().sum(1).mean() if x_hat.shape == x.shape else torch.inf
    if not error < GROWN * pca.total:
        return "far larger than at the start"
    return "below PCA's" if error < SMALL * pca.variances[1:].sum() else "not below PCA's"


def _train_autoencoder(x, latent, epochs):
    encoder = nn.Sequential(nn.Linear(x.shape[1], 128), nn.SiLU(), nn.Linear(128, latent))
    decoder = nn.Sequential(nn.Linear(latent, 128), nn.SiLU(), nn.Linear(128, x.shape[1]))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
    for _ in range(epochs):
        for index in torch.randperm(len(x)).split(100):
            x_hat = decoder(encoder(x[index]))
            loss = (x[index] - x_hat).square().sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return encoder, decoder


def _pair(i, latent, hidden=64, act=nn.SiLU):
    """A small encoder and decoder."""
    return (
        nn.Sequential(nn.Linear(i, hidden), act(), nn.Linear(hidden, latent)),
        nn.Sequential(nn.Linear(latent, hidden), act(), nn.Linear(hidden, i)),
    )


def _loop(
    pair=_pair,
    batches=lambda x: torch.randperm(len(x)).split(100),
    weights=lambda *both: both,
    cut=lambda z: z,
    steps=("zero_grad", "backward", "step"),
    lr=3e-3,
    sign=1,
    adam=torch.optim.Adam,
    stop=False,
):
    """The right answer with one of its pieces changed."""

    def code(x, latent, epochs):
        encoder, decoder = pair(x.shape[1], latent)
        optimizer = adam([p for part in weights(encoder, decoder) for p in part.parameters()], lr)
        for _ in range(epochs):
            for index in batches(x):
                loss = sign * (x[index] - decoder(cut(encoder(x[index])))).square().sum(1).mean()
                does = {"zero_grad": optimizer.zero_grad, "backward": loss.backward, "step": optimizer.step}
                for name in steps:
                    does[name]()
                if stop:
                    return encoder, decoder
        return encoder, decoder

    return code


def _swapped(x, latent, epochs):
    return _loop()(x, latent, epochs)[::-1]


def _copies(x, latent, epochs):
    encoder, decoder = _loop()(x, latent, epochs)
    return decoder(encoder(x))


def _no_bottleneck(i, latent):
    return _pair(i, i)


def _no_hidden_layer(i, latent):
    return nn.Linear(i, latent), nn.Linear(latent, i)


def _no_activation(i, latent):
    return _pair(i, latent, act=nn.Identity)


def _first_batch(x):
    return [torch.arange(100)]


def _failed_with(*words):
    """A trait: the learner's code stopped, and the message holds all of these words."""
    return lambda facts: all(word in str(facts[-1].value) for word in words)


MISTAKES = (
    Mistake(
        "zero_grad forgotten",
        "PyTorch adds each new gradient to the old one, so every step follows the sum of all batches so "
        "far. Call optimizer.zero_grad() once for each batch.",
        PUBLIC,
        (_loop(steps=("backward", "step")),),
    ),
    Mistake(
        "no step",
        "gradients are computed, but no weight changes. Either optimizer.step() is missing, or "
        "optimizer.zero_grad() stands between loss.backward() and the step, and wipes out the gradient "
        "that it needs.",
        PUBLIC,
        (_loop(steps=("zero_grad", "backward")), _loop(steps=("backward", "zero_grad", "step"))),
    ),
    Mistake(
        "backward forgotten",
        "no gradient reaches the weights of either network. loss.backward() computes it.",
        PUBLIC,
        (_loop(steps=("zero_grad", "step")),),
    ),
    Mistake(
        "only the decoder is trained",
        "the decoder learns, and the encoder stays as it was at random, though a gradient reaches it. Give"
        " the optimizer the weights of both: [*encoder.parameters(), *decoder.parameters()].",
        PUBLIC,
        (_loop(weights=lambda encoder, decoder: (decoder,)),),
    ),
    Mistake(
        "only the encoder is trained",
        "the encoder learns, and the decoder stays as it was at random. Give the optimizer the weights of "
        "both: [*encoder.parameters(), *decoder.parameters()].",
        PUBLIC,
        (_loop(weights=lambda encoder, decoder: (encoder,)),),
    ),
    Mistake(
        "the code is cut off",
        "no gradient reaches the encoder. Something between the two networks cuts it off: .detach(), "
        ".item() or torch.no_grad().",
        PUBLIC,
        (_loop(cut=torch.Tensor.detach),),
    ),
    Mistake(
        "no bottleneck",
        "the code is as long as the image, so nothing is compressed. The encoder's last layer must have "
        "`latent` outputs, and the decoder's first as many inputs.",
        NEAR,
        (_loop(_no_bottleneck),),
    ),
    Mistake(
        "a length of the code of its own",
        "the code has 2 numbers, whatever `latent` is. Use the argument: nn.Linear(..., latent).",
        COURSE,
        (_loop(lambda i, latent: _pair(i, 2)),),
    ),
    Mistake(
        "784 written into the layers",
        "the layers are made for images of 784 pixels. Ask the images how many they have: x.shape[1].",
        COURSE,
        (_loop(lambda i, latent: _pair(784, latent)),),
        _failed_with("shapes cannot be multiplied", "784"),
    ),
    Mistake(
        "the networks not returned",
        "it must return the two networks themselves, since the lesson goes on with them: return encoder, "
        "decoder.",
        NEAR,
        (_copies,),
    ),
    Mistake(
        "decoder before encoder",
        "the two networks come in the wrong order. Return the encoder first, then the decoder.",
        NEAR,
        (_swapped,),
        _failed_with("shapes cannot be multiplied", "and 3x"),
    ),
    Mistake(
        "no hidden layer, or no activation",
        "the decoder draws straight lines only, so no training can make its error smaller than PCA's. Put "
        "a hidden layer with an activation between, such as nn.SiLU() or nn.ReLU(): linear layers in a row"
        " are one.",
        PUBLIC,
        (_loop(_no_hidden_layer), _loop(_no_activation)),
    ),
    Mistake(
        "one step only",
        "it makes as few steps in 250 epochs as in 2. Is there a `return` inside the loop, or is `epochs` "
        "not used?",
        PUBLIC,
        (_loop(stop=True),),
    ),
    Mistake(
        "one batch only",
        "it learns from a part of the images, the same in every epoch. An epoch goes through all of them: "
        "torch.randperm(len(x)).split(100) gives the places of one batch after another.",
        PUBLIC,
        (_loop(batches=_first_batch),),
    ),
    Mistake(
        "uphill",
        "the error grows. Either the loss has the wrong sign, or the steps are too large: try a smaller lr.",
        NEAR,
        (_loop(sign=-1), _loop(lr=30.0, adam=torch.optim.SGD)),
    ),
    Mistake(
        "not below PCA's error",
        "all steps are made, but after 250 epochs on 400 images one number of your code still keeps less "
        "than one number of PCA does. Does the loss compare x with x_hat? Is lr large enough? Batches of "
        "about 100, Adam with lr=1e-3 and 64 hidden units are enough.",
        NEAR,
        (_loop(lr=1e-7), _loop(lr=1e-2, adam=torch.optim.SGD)),
    ),
)

train_autoencoder = Exercise(
    name="train_autoencoder",
    parameters=("x", "latent", "epochs"),
    seconds=60,  # a right answer may train for some of them on a busy machine
    reference=_train_autoencoder,
    observe=_observe,
    verified="both networks learn, each step from one batch, all images are used, and with one number for "
    "each point of a bent cloud the error falls below PCA's.",
    mistakes=MISTAKES,
    hints=(
        "Each network is nn.Sequential(nn.Linear(...), nn.SiLU(), nn.Linear(...)). x.shape[1] is the "
        "number of pixels; 100 hidden units will do.",
        "One optimizer for both: torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], "
        "lr=2e-3). In each epoch, `for index in torch.randperm(len(x)).split(100)` goes through all "
        "images, x[index], in batches.",
        "For each batch: x_hat = decoder(encoder(x[index])); loss, as in autoencoder_loss; "
        "optimizer.zero_grad(); loss.backward(); optimizer.step(). After the loops: return encoder, "
        "decoder.",
    ),
)
