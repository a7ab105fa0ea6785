"""x -> mu, log_var -> z -> logits: the autoencoder and the variational autoencoder."""

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

LIKELIHOODS = ("bernoulli", "gaussian")


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
        _check_settings(latent, hidden, likelihood, sigma, shape)
        self.settings = {
            "latent": latent, "hidden": tuple(hidden), "likelihood": likelihood,
            "sigma": sigma if sigma == "learned" else float(sigma),  # a NumPy float could not be loaded
            "shape": tuple(shape), "seed": resolve_seed(seed),
        }  # fmt: skip
        self.latent, self.likelihood, self.shape = latent, likelihood, tuple(shape)
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
        """Set the output bias so that decoding starts at a mean image, (*shape) in [0, 1].

        `fit` does it with the mean of the training images where the bias is still zero; it saves
        the first epoch, which otherwise goes into learning that most pixels are white. Raises
        ValueError on another shape.
        """
        if mean.shape != self.shape:
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
        """The code of each image, (B, *shape) -> (B, L). Raises ValueError on another shape."""
        return self.mu_head(self.encoder(self._flat(x)))

    @torch.no_grad()
    def code(self, x):
        """The one point that stands for each image, (B, *shape) -> (B, L): z, or mu in a VAE.

        Like `picture` and `reconstruct`, for looking: no gradient, and the answer comes back on the
        device of what was passed in, wherever the model is.
        """
        return self.encode(x.to(self.device)).to(x.device)

    def decode(self, z):
        """Logits, or the means of a Gaussian, (B, L) -> (B, *shape). ValueError on another shape."""
        if z.ndim != 2 or z.shape[1] != self.latent:
            raise ValueError(f"z must be (B, {self.latent}), but it is {tuple(z.shape)}.")
        return self.logits_head(self.decoder(z)).view(len(z), *self.shape)

    def forward(self, x, eps=None, generator=None):
        """Code and reconstruction, (B, *shape) -> Output. Nothing is random; the noise is unused."""
        z = self.encode(x)
        return Output(self.decode(z), z, None, z)

    @torch.no_grad()
    def picture(self, z):
        """The mean picture that p(x|z) stands for, (B, L) -> (B, *shape) in [0, 1], no gradient."""
        logits = self.decode(z.to(self.device)).to(z.device)
        return logits.sigmoid() if self.likelihood == "bernoulli" else logits.clamp(0, 1)

    def reconstruct(self, x):
        """The picture of each image's code, (B, *shape) -> (B, *shape) in [0, 1], no gradient."""
        return self.picture(self.code(x))

    def _flat(self, x):
        if x.shape[1:] != self.shape:
            wanted = ", ".join(["B", *map(str, self.shape)])
            raise ValueError(f"x must be ({wanted}), but it is {tuple(x.shape)}.")
        weight = self.logits_head.weight
        if x.dtype != weight.dtype:
            raise TypeError(f"x must be {weight.dtype}, as the model's weights are, but it is {x.dtype}.")
        return x.flatten(1)


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
        return self.encode(x.to(self.device)).mu.to(x.device)

    def forward(self, x, eps=None, generator=None):
        """One sample z ~ q(z|x) and its decoding, (B, *shape) -> Output. `eps` (B, L) sets the noise."""
        mu, log_var = self.encode(x)
        z = reparameterize(mu, log_var, eps, generator)
        return Output(self.decode(z), mu, log_var, z)

    def sample(self, n, generator=None):
        """Pictures of n samples of the prior N(0, I), int -> (n, *shape) in [0, 1]."""
        if not isinstance(n, int) or n < 1:
            raise ValueError(f"n must be a whole number of samples, at least 1, not {n!r}.")
        device = self.device if generator is None else generator.device
        z = torch.randn(n, self.latent, generator=generator, device=device)
        return self.picture(z.to(self.logits_head.weight.dtype))


def _check_settings(latent, hidden, likelihood, sigma, shape):
    if type(latent) is not int or latent < 1:
        raise ValueError(f"latent must be a whole number, at least 1, not {latent!r}.")
    for name, sizes in (("hidden", hidden), ("shape", shape)):
        good = isinstance(sizes, (tuple, list)) and sizes
        if not good or not all(type(size) is int and size > 0 for size in sizes):
            raise ValueError(f"{name} must be a tuple of whole numbers, at least 1, not {sizes!r}.")
    if likelihood not in LIKELIHOODS:
        raise ValueError(f"likelihood must be one of {LIKELIHOODS}, not {likelihood!r}.")
    if sigma != "learned" and not (isinstance(sigma, (int, float)) and 0 < sigma < math.inf):
        raise ValueError(f'sigma must be a positive number or "learned", not {sigma!r}.')
    if likelihood == "bernoulli" and sigma != 1.0:
        raise ValueError("A Bernoulli likelihood has no sigma; leave it out.")


FORMAT, VERSION = "vae_lessons model", 1


def save_model(model, path):
    """Write a model's settings and weights to a file, whole or not at all; never code.

    Raises TypeError if it is not a model of this package, OSError where it cannot be written.
    """
    if type(model) not in (Autoencoder, VAE):
        raise TypeError(f"Only an Autoencoder or a VAE is saved, not a {type(model).__name__}.")
    state = {name: value.cpu() for name, value in model.state_dict().items()}
    content = {
        "format": FORMAT, "version": VERSION, "kind": type(model).__name__,
        "settings": model.settings, "state": state,
    }  # fmt: skip
    with written_whole(path) as file:
        torch.save(content, file)


def load_model(path, device="auto"):
    """Read a model that `save_model` wrote, onto a device. No code in the file is run.

    Raises FileNotFoundError, or ValueError if the file is damaged, not ours, or of a later version.
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
    try:
        model = {"Autoencoder": Autoencoder, "VAE": VAE}[content["kind"]](**content["settings"])
        model.load_state_dict(content["state"])
    except Exception:  # whatever is missing or does not fit, the answer is the same
        raise ValueError(f"{path} is damaged: its weights do not fit its settings.") from None
    return model.to(resolve_device(device))
