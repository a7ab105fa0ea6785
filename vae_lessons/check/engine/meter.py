"""A learner's bound on the evidence meter -> more than log p(x), a bound with a gap, or right."""

from vae_lessons import evidence
from vae_lessons.check.engine import pictures
from vae_lessons.check.engine.exercise import Shown

PIXELS = evidence.Curve(evidence.thermometer, "bernoulli")  # 12 binary pixels from one latent dimension
OPEN = 0.15  # nats; a right ELBO ends below 0.05


def reading(claim, seed):
    """What the meter shows of claim(x, logits, mu, log_var), function, int -> evidence.Reading."""
    return evidence.measure(claim, PIXELS, steps=200, seed=seed, batch=48, images=400, samples=12)


def read(claim, seed):
    """Put a claimed bound on the meter, function, int -> Shown: the reading in words and drawn.

    Not fine where more is claimed than log p(x), or a gap stays open.
    """
    shown = reading(claim, seed)
    gap = "the gap closes" if shown.gap < OPEN else "the gap stays open"
    verdict = "more than there is, so it is no bound" if shown.too_much else gap
    numbers = f"{shown.claimed:.2f} nats where log p(x) is {shown.exact:.2f}"
    says = f"On the evidence meter it claims {numbers}: {verdict}."
    fine = not shown.too_much and shown.gap < OPEN
    alt = f"The evidence meter: claimed {numbers}, gap {shown.gap:.2f}, {verdict}."
    drawn = shown.claimed, shown.exact, shown.error, verdict
    return Shown(lambda: pictures.meter(*drawn, alt=alt), says, fine)
