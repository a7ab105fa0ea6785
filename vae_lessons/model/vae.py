"""x -> q(z|x) -> z -> p(x|z): the autoencoder and the variational autoencoder."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_lessons.gaussian import kl_standard_normal, reparameterize
from vae_lessons.losses import Terms
from vae_lessons.model.mlp import Decoder, Encoder, Posterior, TwoHeads
from vae_lessons.observation import likelihood_named
from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import plain, said, tensor, whole_number


class Output(NamedTuple):
    """What a model makes of B images; an autoencoder has no log_var, and its mu is its code."""

    logits: Tensor  # (B, *shape), the decoder's output; under a Gaussian likelihood it is the mean
    mu: Tensor  # (B, L)
    log_var: Tensor | None  # (B, L)
    z: Tensor  # (B, L)


class Autoencoder(nn.Module):
    """An encoder to a code z of `latent` numbers and a decoder back (Hinton & Salakhutdinov 2006).

    `hidden` gives the sizes of the encoder's hidden layers; the decoder has the same in reverse. In place of
    these layers, `encoder` may be any module (B, *shape) -> (B, L), and `decoder` any (B, L) -> (B, *shape).
    `likelihood` says what the decoder's output means: "bernoulli", the logits of each pixel's probability,
    "gaussian", the mean of each pixel, with `sigma` a positive number or "learned", or a module like those of
    `observation`. `seed` None takes that of the lessons. The caller's random state is left as it was.
    Raises ValueError if a setting is invalid.
    """

    def __init__(
        self,
        latent=2,
        hidden=(512, 512),
        likelihood="bernoulli",
        sigma=1.0,
        shape=(1, 28, 28),
        seed=None,
        encoder=None,
        decoder=None,
    ):
        super().__init__()
        self.latent = whole_number("latent", latent)
        self.shape, hidden = sizes("shape", shape), sizes("hidden", hidden)
        self.likelihood = likelihood_named(likelihood, sigma)
        seed = resolve_seed(seed)
        self.settings = {
            "latent": self.latent,
            "hidden": hidden,
            "likelihood": likelihood,
            "sigma": plain(sigma),
            "shape": self.shape,
            "seed": seed,
        }
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # and not the GPU's
            self.encoder = self._default_encoder(hidden) if encoder is None else encoder
            self.decoder = self._default_decoder(hidden) if decoder is None else decoder

    def _default_encoder(self, hidden):
        return Encoder(self.shape, hidden, nn.Linear(hidden[-1], self.latent))

    def _default_decoder(self, hidden):
        return Decoder(self.latent, hidden, self.shape)

    def start_at(self, mean):
        """Let an untrained decoder begin at a mean image, (*shape); `fit` does, with the training images'.

        A trained decoder, or one that was passed in without a `start_at` of its own, stays as it is.
        Raises ValueError on another shape.
        """
        if tensor("mean", mean).shape != self.shape:
            raise ValueError(f"mean must be {self.shape}, but it is {tuple(mean.shape)}.")
        if hasattr(self.decoder, "start_at"):
            self.decoder.start_at(self.likelihood.output(mean.to(self.device)))

    @property
    def device(self):
        """Where the weights are, a torch.device."""
        return next(self.parameters()).device

    def encode(self, x):
        """The code of each image, (B, *shape) -> (B, L). ValueError on another shape, TypeError on a type."""
        return self.encoder(self._checked("x", x, self.shape))

    def decode(self, z):
        """The output for each code, logits or means, (B, L) -> (B, *shape).

        Raises ValueError on another shape, TypeError on another type.
        """
        return self.decoder(self._checked("z", z, (self.latent,)))

    def forward(self, x, eps=None, generator=None):
        """Code and reconstruction, (B, *shape) -> Output. Nothing is random; the noise is unused."""
        z = self.encode(x)
        return Output(self.decode(z), z, None, z)

    def terms(self, batch, generator=None):
        """The reconstruction error, and no KL, Batch -> Terms of (B,), in nats."""
        nll = self.likelihood.nll(batch.x, self.decode(self.encode(batch.x)))
        return Terms(nll, torch.zeros_like(nll))

    @torch.no_grad()
    def code(self, x):
        """The one point that stands for each image, (B, *shape) -> (B, L): z, or mu in a VAE.

        Like `picture` and `reconstruct`, for looking: no gradient, and the answer comes back on the
        device of what was passed in, wherever the model is.
        """
        return self.encode(tensor("x", x).to(self.device)).to(x.device)

    @torch.no_grad()
    def picture(self, z):
        """The mean picture that p(x|z) stands for, (B, L) -> (B, *shape), no gradient.

        In [0, 1] under a Bernoulli likelihood, in whatever range the data have under a Gaussian.
        """
        return self.likelihood.mean(self.decode(tensor("z", z).to(self.device))).to(z.device)

    def reconstruct(self, x):
        """The picture of each image's code, (B, *shape) -> (B, *shape), no gradient."""
        return self.picture(self.code(x))

    def morph(self, first, second, steps=10):
        """Pictures on the straight line between the codes of two images, (*shape) x 2 -> (steps, *shape).

        z_t = (1 - t) z_first + t z_second,  t = 0, ..., 1 in equal steps;  the codes are those of `code`

        Raises ValueError if steps is below 2, or on another shape.
        """
        steps = whole_number("steps", steps, 2)
        start, end = (self.code(x[None]) for x in (first, second))
        t = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device)[:, None]
        return self.picture((1 - t) * start + t * end)

    def _checked(self, name, value, shape):
        """The tensor itself, once the layers can take it; autocast makes all floating-point types one."""
        if tensor(name, value).shape[1:] != shape:
            wanted = ", ".join(["B", *map(str, shape)])
            raise ValueError(f"{name} must be ({wanted}), but it is {tuple(value.shape)}.")
        wanted, floating = next(self.parameters()).dtype, value.is_floating_point()
        if value.dtype != wanted and not (floating and torch.is_autocast_enabled(self.device.type)):
            how = f"; write {name}.to({wanted})" if floating else ""
            raise TypeError(
                f"{name} must be {wanted}, as the model's weights are, but it is {value.dtype}{how}."
            )
        return value


class VAE(Autoencoder):
    """The variational autoencoder (Kingma & Welling 2014; Rezende et al. 2014).

    Its encoder gives q(z|x) = N(mu, diag(exp(log_var))): one passed in gives mu and log_var, (B, L) each.
    Settings, errors: as an Autoencoder's.
    """

    def _default_encoder(self, hidden):
        return Encoder(self.shape, hidden, TwoHeads(hidden[-1], self.latent))

    def encode(self, x):
        """q(z|x) of each image, (B, *shape) -> Posterior of (B, L). ValueError on another shape."""
        return Posterior(*self.encoder(self._checked("x", x, self.shape)))

    def forward(self, x, eps=None, generator=None):
        """One sample z ~ q(z|x) and its decoding, (B, *shape) -> Output. `eps` (B, L) sets the noise."""
        mu, log_var = self.encode(x)
        z = reparameterize(mu, log_var, eps, generator)
        return Output(self.decode(z), mu, log_var, z)

    def terms(self, batch, generator=None):
        """-log p(x|z) from one sample z ~ q(z|x), and the KL, Batch -> Terms of (B,), in nats.

        The negative ELBO is their sum. (Kingma & Welling 2014, equation 10)
        """
        out = self(batch.x, generator=generator)
        mu, log_var = out.mu.to(batch.x.dtype), out.log_var.to(batch.x.dtype)  # sums not in 16 bits
        return Terms(self.likelihood.nll(batch.x, out.logits), kl_standard_normal(mu, log_var))

    @torch.no_grad()
    def code(self, x):
        """The mean of q(z|x), (B, *shape) -> (B, L), no gradient."""
        return self.encode(tensor("x", x).to(self.device)).mu.to(x.device)

    def sample(self, n, generator=None):
        """Pictures of n samples of the prior N(0, I), int -> (n, *shape), as `picture` gives them."""
        n = whole_number("n", n)
        device = self.device if generator is None else generator.device
        z = torch.randn(n, self.latent, generator=generator, device=device)
        return self.picture(z.to(next(self.parameters()).dtype))


def sizes(name, given):
    """A tuple or list of whole numbers, at least 1, -> tuple of int. Raises ValueError on anything else."""
    try:
        if not isinstance(given, (tuple, list)) or not given:
            raise ValueError
        return tuple(whole_number(name, size) for size in given)
    except ValueError:
        raise ValueError(f"{name} must be a tuple of whole numbers, at least 1, not {said(given)}.") from None
