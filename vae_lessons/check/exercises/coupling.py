"""The exercise on a coupling layer, lesson 15, and how it goes wrong."""

import torch

from vae_lessons import flows
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Fact, Mistake, noise, placed


def _net(latent, seed):
    """A coupling's network: takes any number of columns, (B, K) -> (B, 2 M)."""
    weight, bias = noise(2, latent, seed=seed + 7)

    def net(h):
        at = torch.arange(1, h.shape[1] + 1, dtype=h.dtype, device=h.device)
        return torch.tanh((h * at).sum(1, keepdim=True) * weight.to(h) + bias.to(h))

    return net


def _observe(call, seed):
    for images, latent in ((1, 2), (4, 2), (3, 6)):
        z, net = noise(images, latent, seed=seed + latent + images), _net(latent, seed)
        moved, log_det = call.tensors(2, placed(z), net)
        asked = f"{images} point{'s' * (images > 1)} of {latent} numbers"
        for name, value in ((f"z after the coupling of {asked}", moved), (f"log_det of {asked}", log_det)):
            value = value.detach().cpu().double()
            yield Fact(name, value, 1e-4 * (1 + value.abs().nan_to_num(0, 0, 0)))


def _with(new=None, log_det=None, given=None, order=lambda kept, moved: (kept, moved)):
    """A coupling that differs in one thing."""

    def coupling(z, net):
        kept, moved = z[:, : z.shape[1] // 2], z[:, z.shape[1] // 2 :]
        s, t = net(kept if given is None else given(kept, moved)).chunk(2, 1)
        moved = moved * s.exp() + t if new is None else new(moved, s, t)
        return torch.cat(order(kept, moved), 1), s.sum(1) if log_det is None else log_det(s)

    return coupling


def _second_half_kept(z, net):
    moved, kept = z[:, : z.shape[1] // 2], z[:, z.shape[1] // 2 :]
    s, t = net(kept).chunk(2, 1)
    return torch.cat([moved * s.exp() + t, kept], 1), s.sum(1)


def _shift_first(z, net):
    kept, moved = z[:, : z.shape[1] // 2], z[:, z.shape[1] // 2 :]
    t, s = net(kept).chunk(2, 1)
    return torch.cat([kept, moved * s.exp() + t], 1), s.sum(1)


coupling = Exercise(
    reference=flows.coupling,
    observe=_observe,
    verified="z and log_det agree, for one point and for several, in 2 and in 6 dimensions.",
    mistakes=(
        Mistake(
            "sign of log_det",
            "log_det has the wrong sign. This is the log of |det deps/dz|, the way back.",
            PUBLIC,
            (_with(log_det=lambda s: -s.sum(1)),),
        ),
        Mistake(
            "log_det summed over the batch",
            "log_det is one number. Each point has its own: sum over its numbers only, -> (B,).",
            PUBLIC,
            (
                _with(log_det=lambda s: s.sum()),
                _with(log_det=lambda s: s.sum().expand(len(s))),
                _with(log_det=lambda s: s.sum(0)),
                _with(log_det=lambda s: s.mean()),
            ),
        ),
        Mistake(
            "log_det not summed",
            "log_det has one number for each number that moves. The determinant is their product, so its log "
            "is their sum, -> (B,).",
            NEAR,
            (_with(log_det=lambda s: s), _with(log_det=lambda s: s.sum(1, keepdim=True))),
        ),
        Mistake(
            "mean over numbers",
            "log_det is averaged over the numbers that move. The factors multiply, so their logs are summed.",
            PUBLIC,
            (_with(log_det=lambda s: s.mean(1)),),
        ),
        Mistake(
            "the determinant, not its log",
            "this is the determinant, the product of the factors exp(s). Its log is asked, the sum of s.",
            COURSE,
            (
                _with(log_det=lambda s: s.exp().prod(1)),
                _with(log_det=lambda s: s.exp().sum(1)),
                _with(log_det=lambda s: s.sum(1).exp()),
            ),
        ),
        Mistake(
            "log_det left out",
            "log_det is 0, but the moved numbers are stretched by exp(s).",
            NEAR,
            (_with(log_det=lambda s: 0 * s.sum(1)), _with(log_det=lambda s: torch.zeros(len(s)))),
        ),
        Mistake(
            "exp missing",
            "s multiplies as it is. Multiply by exp(s): the factor then is never 0, and its log is s.",
            PUBLIC,
            (
                _with(new=lambda moved, s, t: moved * s + t),
                _with(new=lambda moved, s, t: moved * s + t, log_det=lambda s: s.abs().log().sum(1)),
            ),
        ),
        Mistake(
            "divided by exp(s)",
            "this divides by exp(s). That is the way back; going forward it multiplies.",
            NEAR,
            (
                _with(new=lambda moved, s, t: moved * (-s).exp() + t),
                _with(new=lambda moved, s, t: (moved - t) * (-s).exp()),
                _with(new=lambda moved, s, t: (moved - t) * (-s).exp(), log_det=lambda s: -s.sum(1)),
                _with(new=lambda moved, s, t: moved * (-s).exp() + t, log_det=lambda s: -s.sum(1)),
            ),
        ),
        Mistake(
            "shifted before it is stretched",
            "t is added first and then stretched as well: it must be moved * exp(s) + t.",
            NEAR,
            (_with(new=lambda moved, s, t: (moved + t) * s.exp()),),
        ),
        Mistake(
            "shift left out",
            "t is not added.",
            NEAR,
            (_with(new=lambda moved, s, t: moved * s.exp()),),
        ),
        Mistake(
            "s and t from the half that moves",
            "net is given the half that moves. It must see the half that is kept, or the way back is unknown "
            "and the determinant is another.",
            COURSE,
            (_with(given=lambda kept, moved: moved),),
        ),
        Mistake(
            "net sees all numbers",
            "net is given all of z. It must see the half that is kept only.",
            NEAR,
            (_with(given=lambda kept, moved: torch.cat([kept, moved], 1)),),
        ),
        Mistake(
            "the second half kept",
            "the second half is kept and the first moves. Keep the first half.",
            NEAR,
            (_second_half_kept,),
        ),
        Mistake(
            "halves exchanged",
            "the halves come back in the other order. The answer begins with the half that was kept.",
            NEAR,
            (_with(order=lambda kept, moved: (moved, kept)),),
        ),
        Mistake(
            "s and t exchanged",
            "s and t are exchanged: the first half of what net returns is s, the second t.",
            NEAR,
            (_shift_first,),
        ),
    ),
    hints=(
        "Split z into its first and its second half. The first goes into net, and into the answer as it is.",
        "s, t = net(kept).chunk(2, 1), and the second half becomes moved * s.exp() + t.",
        "The Jacobian is triangular with 1s and exp(s) on its diagonal, so log_det is s.sum(1).",
    ),
)
