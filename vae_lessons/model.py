"""x -> mu, log_var -> z -> logits: the autoencoder and the variational autoencoder."""

import inspect
import math
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_lessons.files import written_whole
from vae_lessons.gaussian import reparameterize
from vae_lessons.runtime import resolve_device, resolve_seed
from vae_lessons.settings import positive_number, said, tensor, whole_number

LIKELIHOODS = ("bernoulli", "gaussian")
CASTS = (torch.float32, torch.bfloat16, torch.float16)  # what autocast makes one type


class Posterior(NamedTuple):
    """q(z|x) of B images, each (B, L)."""

    mu: Tensor
    log_var: Tensor


class Output(NamedTuple):
    """What a model makes of B images; an autoencoder has no log_var, and its mu is its code."""

    logits: Tensor  # (B, *shape)
    mu: Tensor  # (B, L)
    log_var: Tensor | None  # (B, L)
    z: Tensor  # (B, L)


def mlp(*sizes):
    """Linear layers of these sizes, each followed by SiLU (Hendrycks & Gimpel 2016).

    The weights start as in He et al. 2015, the biases at zero.
    """
    layers = []
    for i, o in pairwise(sizes):
        layers += [nn.Linear(i, o), nn.SiLU()]
        nn.init.kaiming_normal_(layers[-2].weight, nonlinearity="relu")
        nn.init.zeros_(layers[-2].bias)
    return nn.Sequential(*layers)


class TwoHeads(nn.Module):
    """What the hidden layers make of x -> q(z|x), (B, hidden) -> Posterior of (B, latent).

    Both heads are plain linear layers: mu and log_var may be any number. (Kingma & Welling 2014, appendix C)
    """

    def __init__(self, hidden, latent):
        super().__init__()
        self.mu_head = nn.Linear(hidden, latent)
        self.log_var_head = nn.Linear(hidden, latent)

    def forward(self, h):
        """The two parameters of q(z|x), (B, hidden) -> Posterior of (B, latent)."""
        return Posterior(self.mu_head(h), self.log_var_head(h))


class Autoencoder(nn.Module):
    """An encoder to a code z of `latent` numbers and a decoder back (Hinton & Salakhutdinov 2006).

    `hidden` gives the sizes of the encoder's hidden layers; the decoder has the same in reverse.
    `likelihood` says what the decoder's output means: "bernoulli", the logits of each pixel's
    probability, or "gaussian", the mean of each pixel, with `sigma` a positive number or "learned".
    `seed` None takes that of the lessons. The caller's random state is left as it was. Raises
    ValueError on any setting that cannot be.
    """

    def __init__(
        self, latent=2, hidden=(512, 512), likelihood="bernoulli", sigma=1.0,
        shape=(1, 28, 28), seed=None,
    ):  # fmt: skip
        super().__init__()
        latent, sigma = whole_number("latent", latent), _sigma(sigma, likelihood)
        hidden, shape = _sizes("hidden", hidden), _sizes("shape", shape)
        self.settings = {
            "latent": latent, "hidden": hidden, "likelihood": likelihood, "sigma": sigma,
            "shape": shape, "seed": resolve_seed(seed),
        }  # fmt: skip
        self.latent, self.likelihood, self.shape = latent, likelihood, shape
        start = torch.tensor(0.0 if sigma == "learned" else math.log(sigma))
        self.log_sigma = nn.Parameter(start) if sigma == "learned" else nn.Buffer(start)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.settings["seed"])  # and not the GPU's
            self._build(math.prod(shape), hidden)

    def _build(self, pixels, hidden):
        self.encoder = mlp(pixels, *hidden)
        self.mu_head = nn.Linear(hidden[-1], self.latent)
        self.decoder = mlp(self.latent, *reversed(hidden))
        self.logits_head = nn.Linear(hidden[0], pixels)
        nn.init.zeros_(self.logits_head.bias)

    @torch.no_grad()
    def start_at(self, mean):
        """Set the output bias so that decoding starts at a mean image, (*shape), in [0, 1] if Bernoulli.

        `fit` does it with the mean of the training images where the bias is still zero; it saves
        the first epoch, which otherwise goes into learning that most pixels are white. Raises
        ValueError on another shape.
        """
        if tensor("mean", mean).shape != self.shape:
            raise ValueError(f"mean must be {self.shape}, but it is {tuple(mean.shape)}.")
        mean = mean.flatten().to(self.device)
        bias = mean.clamp(1e-3, 1 - 1e-3).logit() if self.likelihood == "bernoulli" else mean
        self.logits_head.bias.copy_(bias)

    @property
    def sigma(self):
        """The standard deviation of a Gaussian decoder, a scalar tensor."""
        return self.log_sigma.exp()

    @property
    def device(self):
        """Where the weights are, a torch.device."""
        return self.logits_head.weight.device

    def encode(self, x):
        """The code of each image, (B, *shape) -> (B, L). ValueError on another shape, TypeError on a type."""
        return self.mu_head(self.encoder(self._flat(x)))

    @torch.no_grad()
    def code(self, x):
        """The one point that stands for each image, (B, *shape) -> (B, L): z, or mu in a VAE.

        Like `picture` and `reconstruct`, for looking: no gradient, and the answer comes back on the
        device of what was passed in, wherever the model is.
        """
        return self.encode(tensor("x", x).to(self.device)).to(x.device)

    def decode(self, z):
        """Logits, or the means of a Gaussian, (B, L) -> (B, *shape).

        Raises ValueError on another shape, TypeError on another type.
        """
        if self._same_type("z", z).ndim != 2 or z.shape[1] != self.latent:
            raise ValueError(f"z must be (B, {self.latent}), but it is {tuple(z.shape)}.")
        return self.logits_head(self.decoder(z)).view(len(z), *self.shape)

    def forward(self, x, eps=None, generator=None):
        """Code and reconstruction, (B, *shape) -> Output. Nothing is random; the noise is unused."""
        z = self.encode(x)
        return Output(self.decode(z), z, None, z)

    @torch.no_grad()
    def picture(self, z):
        """The mean of p(x|z), (B, L) -> (B, *shape), no gradient.

        In [0, 1] under a Bernoulli likelihood; under a Gaussian in the range of the data, or a little beyond.
        """
        logits = self.decode(tensor("z", z).to(self.device)).to(z.device)
        return logits.sigmoid() if self.likelihood == "bernoulli" else logits

    def reconstruct(self, x):
        """The picture of each image's code, (B, *shape) -> (B, *shape), no gradient."""
        return self.picture(self.code(x))

    def _same_type(self, name, value):
        """The tensor itself, once the weights can be applied to it; autocast makes all types one."""
        wanted, casts = self.logits_head.weight.dtype, torch.is_autocast_enabled(self.device.type)
        if tensor(name, value).dtype != wanted and not (casts and value.is_floating_point()):
            how = f"; write {name}.to({wanted})" if value.is_floating_point() else ""
            raise TypeError(
                f"{name} must be {wanted}, as the model's weights are, but it is {value.dtype}{how}."
            )
        return value

    def _flat(self, x):
        if tensor("x", x).shape[1:] != self.shape:
            wanted = ", ".join(["B", *map(str, self.shape)])
            raise ValueError(f"x must be ({wanted}), but it is {tuple(x.shape)}.")
        return self._same_type("x", x).flatten(1)


class VAE(Autoencoder):
    """The variational autoencoder (Kingma & Welling 2014; Rezende et al. 2014).

    Its encoder's two heads give q(z|x) = N(mu, diag(exp(log_var))). Settings, errors: as an Autoencoder's.
    """

    def _build(self, pixels, hidden):
        super()._build(pixels, hidden)
        self.log_var_head = nn.Linear(hidden[-1], self.latent)

    def encode(self, x):
        """q(z|x) of each image, (B, *shape) -> Posterior of (B, L). ValueError on another shape."""
        h = self.encoder(self._flat(x))
        return Posterior(self.mu_head(h), self.log_var_head(h))

    @torch.no_grad()
    def code(self, x):
        """The mean of q(z|x), (B, *shape) -> (B, L), no gradient."""
        return self.encode(tensor("x", x).to(self.device)).mu.to(x.device)

    def forward(self, x, eps=None, generator=None):
        """One sample z ~ q(z|x) and its decoding, (B, *shape) -> Output. `eps` (B, L) sets the noise."""
        mu, log_var = self.encode(x)
        z = reparameterize(mu, log_var, eps, generator)
        return Output(self.decode(z), mu, log_var, z)

    def sample(self, n, generator=None):
        """Pictures of n samples of the prior N(0, I), int -> (n, *shape), as `picture` gives them."""
        n = whole_number("n", n)
        device = self.device if generator is None else generator.device
        z = torch.randn(n, self.latent, generator=generator, device=device)
        return self.picture(z.to(self.logits_head.weight.dtype))


def _sizes(name, sizes):
    try:
        if not isinstance(sizes, (tuple, list)) or not sizes:
            raise ValueError
        return tuple(whole_number(name, size) for size in sizes)
    except ValueError:
        raise ValueError(f"{name} must be a tuple of whole numbers, at least 1, not {said(sizes)}.") from None


def _sigma(sigma, likelihood):
    if likelihood not in LIKELIHOODS:
        raise ValueError(f"likelihood must be one of {LIKELIHOODS}, not {said(likelihood)}.")
    if not isinstance(sigma, str) or sigma != "learned":
        sigma = float(positive_number("sigma", sigma, 'a positive number or "learned"'))
    if likelihood == "bernoulli" and sigma != 1.0:
        raise ValueError("A Bernoulli likelihood has no sigma; leave it out.")
    return sigma


FORMAT, VERSION = "vae_lessons model", 1
PLAIN = (bool, int, float, str, type(None))  # what a file holds that is read without running code


def save_model(model, path):
    """Write a model's settings and weights to a file, whole or not at all; never code.

    A model of a class made from an Autoencoder or a VAE is saved where the class builds it from
    `model.settings`, in which it has to put the arguments that it adds. Raises TypeError if it is no such
    model, ValueError if its settings do not build its layers, OSError where it cannot be written.
    """
    if not isinstance(model, Autoencoder):
        raise TypeError(f"Only an Autoencoder or a VAE is saved, not a {type(model).__name__}.")
    _check_rebuilt(model)
    content = {
        "format": FORMAT, "version": VERSION, "kind": _name_of(type(model)), "settings": model.settings,
        "state": {name: value.cpu() for name, value in model.state_dict().items()},
    }  # fmt: skip
    with written_whole(path) as file:
        torch.save(content, file)


def load_model(path, device="auto", kind=None):
    """Read a model that `save_model` wrote, onto a device. No code in the file is run.

    `kind` is the model's class where it is not of this package: load_model(path, kind=MyVAE). Raises
    FileNotFoundError, or ValueError if the file is damaged, not ours, of a later version or another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        version = content["version"] if content["format"] == FORMAT else None
        with zipfile.ZipFile(path) as file:
            whole = file.testzip() is None  # torch.load leaves the checksums unread
    except Exception:  # torch.load fails in many ways on a file that is not its own
        version = None
    if version is None or not whole:
        raise ValueError(f"{path} is not a model saved by vae_lessons, or it is damaged or cut off.")
    if version != VERSION:
        raise ValueError(f"{path} is of version {version}, this vae_lessons reads {VERSION}; upgrade it.")
    kind = _kind_of(str(content.get("kind")), kind, path)
    try:
        model = _built(kind, content["settings"])
        model.to(content["state"]["logits_head.weight"].dtype).load_state_dict(content["state"])
    except Exception:  # whatever is missing or does not fit, the answer is the same
        raise ValueError(
            f"{path} is damaged, or its class has changed: its weights do not fit its settings."
        ) from None
    return model.to(resolve_device(device))


def _name_of(kind):
    """A class of this package by its name, which files have always had; another with its module."""
    return kind.__name__ if kind in (Autoencoder, VAE) else f"{kind.__module__}.{kind.__qualname__}"


def _kind_of(name, given, path):
    """The class of the model in a file: ours by its name, another one's if it is given and called so."""
    if given is not None and not (isinstance(given, type) and issubclass(given, Autoencoder)):
        raise TypeError(f"kind must be a class made from an Autoencoder or a VAE, not {said(given)}.")
    ours = {"Autoencoder": Autoencoder, "VAE": VAE}.get(name)
    short = name.rpartition(".")[2]
    if given is None and ours is None and short != name:
        raise ValueError(f"{path} holds a {short}; pass its class, load_model(path, kind={short}).")
    if given not in (None, ours) and (ours or given.__name__ != short):
        raise ValueError(f"{path} holds a {short}, not a {given.__name__}; pass the class that was saved.")
    return given or ours


def _built(kind, settings):
    with torch.random.fork_rng(devices=[]):
        return kind(**settings)


def _check_rebuilt(model):
    """Refuse a model whose class and settings would build another one."""
    kind = type(model).__name__
    taken = inspect.signature(type(model)).parameters.values()
    for name in (arg.name for arg in taken if arg.kind not in (arg.VAR_POSITIONAL, arg.VAR_KEYWORD)):
        if name not in model.settings:
            raise ValueError(
                f"The settings of this {kind} lack {name}, so that it could not be built again; "
                f"write self.settings[{name!r}] = {name} in its __init__."
            )
    for name, value in model.settings.items():
        if not _is_plain(value):
            raise ValueError(
                f"settings[{name!r}] of this {kind} must be a number, text or a tuple of these, "
                f"not {said(value)}: a file holds no code."
            )
    try:
        twin = _built(type(model), model.settings)
    except Exception as error:
        raise ValueError(f"A {kind} cannot be built from its settings ({error}).") from None
    mine, theirs = _layers(model), _layers(twin)
    for name in theirs | mine:
        if mine.get(name) != theirs.get(name):
            has, would = (rows.get(name, (None, "missing"))[1] for rows in (mine, theirs))
            raise ValueError(
                f"{name} of this {kind} is {has}, but would be {would} after loading; save "
                f"model.state_dict() instead, or a class made from {kind} that builds what you changed."
            )


def _is_plain(value):
    return all(map(_is_plain, value)) if type(value) in (tuple, list) else type(value) in PLAIN


def _layers(model):
    """All that a class and its settings determine of a model: name -> what compares it, and what tells it."""
    rows = {name: (repr(value), repr(value)) for name, value in vars(model).items() if name in model.settings}
    for name, part in model.named_modules():
        if name:
            rows[name] = (type(part), part.extra_repr()), f"{type(part).__name__}({part.extra_repr()})"
    learned = dict(model.named_parameters())
    for name, value in model.state_dict().items():
        row = f"{'weights' if name in learned else 'a buffer'} of shape {tuple(value.shape)}"
        rows[name] = row, row
    return rows
