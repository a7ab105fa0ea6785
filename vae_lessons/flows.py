"""A Gaussian bent by an invertible network: coupling layers, flows, and a q(z|x) that is one (lesson 15)."""

import math
from typing import NamedTuple

import torch
from torch import nn

from vae_lessons.losses import Terms
from vae_lessons.model.vae import VAE, Output
from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import positive_number, tensor, whole_number


class Moved(NamedTuple):
    """Where a flow moves points, and by how much it stretches space there."""

    z: torch.Tensor  # (B, L)
    log_det: torch.Tensor  # (B,) log |det dz/deps|


def coupling(z, net):
    """Move half of the numbers by what the other half says, (B, L), function -> Moved: (B, L), (B,).

    z_kept stays,  z_moved -> z_moved * exp(s) + t,  (s, t) = net(z_kept),  log |det| = sum of s

    The first L // 2 numbers are kept, and `net` takes them to (B, 2 M) for the other M: s first, then t.
    (Dinh et al. 2017, equations 4 and 5)
    """
    kept, moved = _halves(z)
    s, t = net(kept).chunk(2, 1)
    return Moved(torch.cat([kept, moved * s.exp() + t], 1), s.sum(1))


def uncoupling(z, net):
    """Undo a coupling, (B, L), function -> Moved: where z came from, and log |det| of the way back."""
    kept, moved = _halves(z)
    s, t = net(kept).chunk(2, 1)
    return Moved(torch.cat([kept, (moved - t) * (-s).exp()], 1), -s.sum(1))


def flow_elbo(nll, eps, z, log_det):
    """The ELBO when a flow has moved eps to z, (B,), (B, L), (B, L), (B,) -> (B,), in nats.

    elbo = log p(x|z) + log N(z; 0, I) - log q(z|x),  log q(z|x) = log N(eps; 0, I) - log_det

    From one draw eps ~ N(0, I) for each image; log_det = log |det dz/deps| of the whole way from eps to z.
    Raises ValueError if the shapes do not fit. (Rezende & Mohamed 2015, equation 15)
    """
    if tensor("eps", eps).shape != tensor("z", z).shape or not nll.shape == log_det.shape == z.shape[:1]:
        shapes = ", ".join(str(tuple(t.shape)) for t in (nll, eps, z, log_det))
        raise ValueError(f"nll, eps, z and log_det must be (B,), (B, L), (B, L) and (B,), not {shapes}.")
    return -nll + standard_log_density(z) - standard_log_density(eps) + log_det


def standard_log_density(z):
    """log N(z; 0, I), (B, L) -> (B,), in nats."""
    return -(z.square().sum(1) + z.shape[1] * math.log(2 * math.pi)) / 2


class Flow(nn.Module):
    """A Gaussian bent by couplings, eps ~ N(0, I) -> z (Rezende & Mohamed 2015).

    Each of `layers` couplings has a network of `hidden` units, and the order of the numbers is turned round
    after each, so that all are moved. At the end each number is stretched and shifted by parameters of its
    own; with 0 layers the flow is a Gaussian with a diagonal covariance. `context` numbers for each point, if
    there are any, are shown to all networks. A `blind` flow has the same parameters, but its networks see 0
    in place of z: it then moves and stretches each number by itself, and N(0, I) stays diagonal. It starts as
    the identity. `seed` None takes that of the lessons. Raises ValueError if a setting is invalid.
    """

    def __init__(self, latent, layers=4, hidden=32, context=0, blind=False, seed=None):
        super().__init__()
        self.latent, self.blind = whole_number("latent", latent, 2), bool(blind)
        layers, hidden = whole_number("layers", layers, 0), whole_number("hidden", hidden)
        self.context = whole_number("context", context, 0)
        kept = self.latent // 2
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(resolve_seed(seed))
            self.nets = nn.ModuleList(
                _Scales(kept + self.context, hidden, self.latent - kept) for _ in range(layers)
            )
        self.log_scale = nn.Parameter(torch.zeros(self.latent))
        self.shift = nn.Parameter(torch.zeros(self.latent))

    def forward(self, eps, context=None):
        """Where points go, (B, L), (B, context) -> Moved."""
        z, log_det = self._checked(eps), 0.0
        for net in self.nets:
            z, more = coupling(z, self._shown(net, context))
            z, log_det = z.flip(1), log_det + more
        return Moved(z * self.log_scale.exp() + self.shift, log_det + self.log_scale.sum().expand(len(z)))

    def inverse(self, z, context=None):
        """Where points come from, (B, L), (B, context) -> Moved; its log_det is that of the way back."""
        eps = (self._checked(z) - self.shift) * (-self.log_scale).exp()
        log_det = -self.log_scale.sum().expand(len(z))
        for net in reversed(self.nets):
            eps, more = uncoupling(eps.flip(1), self._shown(net, context))
            log_det = log_det + more
        return Moved(eps, log_det)

    def log_density(self, z, context=None):
        """log of the bent density at points, by the change of variables, (B, L) -> (B,), in nats.

        log q(z) = log N(eps; 0, I) + log |det deps/dz|
        """
        eps, log_det = self.inverse(z, context)
        return standard_log_density(eps) + log_det

    @torch.no_grad()
    def sample(self, n, generator=None):
        """n draws of a flow without context, int -> (n, L). ValueError if n is no count."""
        like = self.shift
        device = like.device if generator is None else generator.device
        eps = torch.randn(whole_number("n", n), self.latent, generator=generator, device=device)
        return self(eps.to(like)).z

    def _shown(self, net, context):
        """The coupling's network as a function of the numbers that are kept, (B, K) -> (B, 2 M)."""

        def shown(kept):
            kept = torch.zeros_like(kept) if self.blind else kept
            return net(kept if context is None else torch.cat([kept, context], 1))

        return shown

    def _checked(self, z):
        if tensor("z", z).shape[1:] != (self.latent,):
            raise ValueError(f"z must be (B, {self.latent}), but it is {tuple(z.shape)}.")
        return z


class _Scales(nn.Sequential):
    """The network of a coupling, (B, I) -> s and t, (B, 2 M); s between -2 and 2, and both 0 at first."""

    def __init__(self, inputs, hidden, moved):
        last = nn.Linear(hidden, 2 * moved)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        super().__init__(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), last)

    def forward(self, kept):
        """What a coupling does to the numbers that move, (B, I) -> s and t, (B, 2 M)."""
        s, t = super().forward(kept).chunk(2, 1)
        return torch.cat([2 * torch.tanh(s / 2), t], 1)


def fit_flow(flow, nll, steps=500, batch=256, lr=0.01, seed=None, elbo=flow_elbo):
    """Bend q(z) towards the posterior of one x, module, function (B, L) -> (B,) -> None.

    `nll` is -log p(x|z). Raises the mean of `elbo` over `batch` draws of the flow, for which any module with
    `latent` and forward, eps (B, L) -> Moved, will do. Adam, its rate falling to 0 in a straight line. Raises
    ValueError if a setting is invalid. (Rezende & Mohamed 2015)
    """
    steps, batch, lr = whole_number("steps", steps), whole_number("batch", batch), positive_number("lr", lr)
    generator = torch.Generator().manual_seed(resolve_seed(seed))
    adam = torch.optim.Adam(flow.parameters(), lr)
    schedule = torch.optim.lr_scheduler.LinearLR(adam, 1, 0, total_iters=steps)
    for _ in range(steps):
        eps = torch.randn(batch, flow.latent, generator=generator)
        z, log_det = flow(eps)
        loss = -elbo(nll(z), eps, z, log_det).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()


@torch.no_grad()
def mean_elbo(flow, nll, draws=20_000, seed=0):
    """The ELBO of a flow as q(z) of one x, module, function -> float, in nats: the mean of `flow_elbo`."""
    generator = torch.Generator().manual_seed(resolve_seed(seed))
    eps = torch.randn(whole_number("draws", draws), flow.latent, generator=generator)
    z, log_det = flow(eps)
    return flow_elbo(nll(z), eps, z, log_det).mean().item()


class FlowVAE(VAE):
    """A VAE whose q(z|x) is its encoder's Gaussian, bent by a flow that sees mu and log_var of the image.

    `layers`, `hidden_flow` and `blind` are the flow's. `code` is the moved mean. All else, and errors: as a
    VAE's. (Rezende & Mohamed 2015)
    """

    def __init__(self, latent=2, layers=4, hidden_flow=32, blind=False, **others):
        super().__init__(latent, **others)
        seed = self.settings["seed"]
        self.flow = Flow(latent, layers, hidden_flow, 2 * self.latent, blind, seed)
        self.settings |= {"layers": len(self.flow.nets), "hidden_flow": hidden_flow, "blind": bool(blind)}

    def bend(self, x, eps):
        """z of each image's own bent Gaussian and log q(z|x), (B, *shape), (B, L) -> z (B, L), (B,)."""
        mu, log_var = self.encode(x)
        z, log_det = self.flow(mu + (log_var / 2).exp() * eps, torch.cat([mu, log_var], 1))
        return z, standard_log_density(eps) - log_var.sum(1) / 2 - log_det

    def forward(self, x, eps=None, generator=None):
        """One sample z ~ q(z|x) and its decoding, (B, *shape) -> Output; mu and log_var are the encoder's."""
        mu, log_var = self.encode(x)
        if eps is None:
            eps = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
        z, _ = self.bend(x, eps)
        return Output(self.decode(z), mu, log_var, z)

    def terms(self, batch, generator=None):
        """-log p(x|z) and log q(z|x) - log p(z) of one sample z ~ q(z|x), Batch -> Terms of (B,), in nats.

        The mean of the second over samples is the KL, which has no closed form here.
        """
        shape = len(batch.x), self.latent
        eps = torch.randn(shape, generator=generator, device=batch.x.device, dtype=batch.x.dtype)
        z, log_q = self.bend(batch.x, eps)
        return Terms(self.likelihood.nll(batch.x, self.decode(z)), log_q - standard_log_density(z))

    @torch.no_grad()
    def code(self, x):
        """Where the mean of the encoder's Gaussian is moved to, (B, *shape) -> (B, L), no gradient."""
        x = tensor("x", x)
        zero = torch.zeros(len(x), self.latent, device=self.device, dtype=x.dtype)
        return self.bend(x.to(self.device), zero)[0].to(x.device)


def _halves(z):
    kept = tensor("z", z).shape[1] // 2
    return z[:, :kept], z[:, kept:]
