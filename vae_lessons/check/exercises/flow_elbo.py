"""The exercise on the ELBO of a flow, lesson 15, on the evidence meter, and how it goes wrong."""

import torch
from torch import nn

from vae_lessons import evidence, flows
from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Exercise,
    Failed,
    Mistake,
    Probe,
    Shown,
    noise,
    numbers,
    pictures,
)

STEPS = 150
OPEN = 0.25  # nats; a right answer ends near 0.10, which is as near as this bend comes
log_n = flows.standard_log_density


class _Bent(nn.Module):
    """z_1 = m_1 + s_1 eps_1, z_2 = m_2 + s_2 eps_2 + b z_1^2: five parameters."""

    latent = 2

    def __init__(self):
        super().__init__()
        self.values = nn.Parameter(torch.zeros(5, dtype=torch.float64, device="cpu"))

    def forward(self, eps):
        """(B, 2) -> z (B, 2), log |det| (B,)."""
        m, log_s, b = self.values.split((2, 2, 1))
        z = m + eps * log_s.exp()
        z = torch.stack([z[:, 0], z[:, 1] + b * z[:, 0] ** 2], 1)
        return flows.Moved(z, log_s.sum().expand(len(z)))


def reading(call, seed):
    """What the learner's bound claims once a bend was trained by it, Call, int -> evidence.Reading."""
    world, x, flow = evidence.Plane(), torch.ones(1, dtype=torch.float64, device="cpu"), _Bent()
    generator = torch.Generator().manual_seed(seed)

    def claims(draws):
        eps = torch.randn(draws, 2, generator=generator, dtype=torch.float64, device="cpu")
        z, log_det = flow(eps)
        return call.tensor(world.nll(x, z), eps, z, log_det)

    adam = torch.optim.Adam(flow.parameters(), 0.1)
    schedule = torch.optim.lr_scheduler.LinearLR(adam, 1, 0, total_iters=STEPS)
    for _ in range(STEPS):
        adam.zero_grad()
        (-claims(64).mean()).backward()
        adam.step()
        schedule.step()
    with torch.no_grad():
        claimed = claims(4_000)
    error = claimed.std() / len(claimed) ** 0.5
    return evidence.Reading(claimed.mean().item(), world.log_evidence(x).item(), error.item())


def _show(call, seed):
    try:
        shown = reading(call, seed)
    except (Failed, TypeError, ValueError, RuntimeError) as error:
        said = error.args[0].sentence if isinstance(error, Failed) else error
        return Shown(says=f"The evidence meter cannot read it: {said}", fine=False)
    gap = "the gap closes as far as this bend can" if shown.gap < OPEN else "the gap stays open"
    verdict = "more than there is, so it is no bound" if shown.too_much else gap
    said = f"{shown.claimed:.2f} nats where log p(x) is {shown.exact:.2f}"
    alt = f"The evidence meter: claimed {said}, gap {shown.gap:.2f}, {verdict}."
    drawn = shown.claimed, shown.exact, shown.error, verdict
    return Shown(
        lambda: pictures.meter(*drawn, alt=alt),
        f"On the evidence meter, with a bend that was trained by it, it claims {said}: {verdict}.",
        not shown.too_much and shown.gap < OPEN,
    )


def _probes(seed):
    nll, eps, z, log_det = numbers(3, 0.5, 2, 0.25)
    yield Probe("nll = 3, eps = 0.5, z = 2, log_det = 0.25", (nll[0], eps, z, log_det[0]))
    for title, images, latent in (("one draw of three numbers", 1, 3), ("five draws of four numbers", 5, 4)):
        eps, z = noise(images, latent, seed=seed), 1.5 * noise(images, latent, seed=seed + 1) + 0.3
        sums = 5 + noise(images, seed=seed + 2), noise(images, seed=seed + 3) - 0.6
        yield Probe(title, (sums[0], eps, z, sums[1]))


def _of(combine):
    return lambda nll, eps, z, log_det: combine(nll, log_n(eps), log_n(z), log_det)


flow_elbo = Exercise(
    reference=flows.flow_elbo,
    probes=_probes,
    gradients=("nll", "z", "log_det"),
    show=_show,
    solutions=(flows.flow_elbo, flows.standard_log_density),
    verified="values and gradients agree on three inputs.",
    mistakes=(
        Mistake(
            "sign",
            "this is the loss, minus the ELBO.",
            PUBLIC,
            (_of(lambda nll, e, z, d: nll - z + e - d),),
        ),
        Mistake(
            "sign of log_det",
            "log_det is subtracted. Where space is stretched, q is thinner: log q = log N(eps) - log_det, "
            "and minus log q adds log_det.",
            PUBLIC,
            (_of(lambda nll, e, z, d: -nll + z - e - d),),
        ),
        Mistake(
            "log_det left out",
            "log_det is missing. Then log q(z|x) is that of the eps, as if space had not been stretched.",
            COURSE,
            (_of(lambda nll, e, z, d: -nll + z - e), _of(lambda nll, e, z, d: -nll + z - e + 0 * d)),
        ),
        Mistake(
            "half of log_det",
            "log_det counts half. It is the log of a determinant of standard deviations, not of variances.",
            NEAR,
            (_of(lambda nll, e, z, d: -nll + z - e + d / 2),),
        ),
        Mistake(
            "log_det counted twice",
            "log_det counts twice.",
            NEAR,
            (_of(lambda nll, e, z, d: -nll + z - e + 2 * d),),
        ),
        Mistake(
            "prior of eps, not of z",
            "the prior is that of eps, where the flow begins. The decoder sees z, so log p(z) is that of z.",
            COURSE,
            (
                _of(lambda nll, e, z, d: -nll + e - e + d),
                _of(lambda nll, e, z, d: -nll + d),
                lambda nll, eps, z, log_det: -nll + log_det + 0 * z.sum(1),
            ),
        ),
        Mistake(
            "q of z, not of eps",
            "log N(z; 0, I) stands where log N(eps; 0, I) should: q is a Gaussian of eps, before it is bent.",
            NEAR,
            (_of(lambda nll, e, z, d: -nll + e - z + d),),
        ),
        Mistake(
            "entropy left out",
            "log q(z|x) is missing: this is log p(x, z) alone, whose best q is a single point.",
            NEAR,
            (_of(lambda nll, e, z, d: -nll + z), _of(lambda nll, e, z, d: -nll + z + 0 * d)),
        ),
        Mistake(
            "prior left out",
            "log p(z) is missing. The joint is log p(x|z) + log p(z).",
            NEAR,
            (_of(lambda nll, e, z, d: -nll - e + d), _of(lambda nll, e, z, d: -nll - e + d + 0 * z)),
        ),
        Mistake(
            "nll added",
            "the nll is added. It is -log p(x|z), so it has to be subtracted.",
            PUBLIC,
            (_of(lambda nll, e, z, d: nll + z - e + d),),
        ),
        Mistake(
            "mean over numbers",
            "the log densities are averaged over the latent numbers. Densities multiply, so their logs are "
            "summed over L.",
            PUBLIC,
            (
                lambda nll, eps, z, log_det: (
                    -nll + (log_n(z) - log_n(eps)) / z.shape[1] + log_det
                    if z.shape[1] > 1
                    else -nll + log_n(z) - log_n(eps) + log_det
                ),
            ),
        ),
        Mistake(
            "one number for the batch",
            "this is one number. Each image has its own ELBO: sum over the latent numbers only, -> (B,).",
            PUBLIC,
            (
                _of(lambda nll, e, z, d: (-nll + z - e + d).mean()),
                _of(lambda nll, e, z, d: (-nll + z - e + d).sum()),
            ),
        ),
    ),
    hints=(
        "An ELBO is log p(x|z) + log p(z) - log q(z|x). The first is -nll.",
        "p(z) is N(0, I) at the z that the decoder sees. q(z|x) is not a Gaussian of z: use the change of "
        "variables.",
        "log q(z|x) = log N(eps; 0, I) - log_det, and both log N are sums over L of "
        "-(value**2 + log(2 pi)) / 2; their constants cancel.",
    ),
)
