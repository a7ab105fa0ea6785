"""Mistakes that many exercises share, each made from the right function."""

import torch

from vae_lessons.check.engine.exercise import NEAR, PUBLIC, Mistake


def no_gradient(reference, *others):
    """Right values without a gradient: the reference detached, and other codes, -> Mistake."""
    return Mistake(
        "no gradient",
        "the values are right, but no gradient comes back. .item(), .detach(), torch.tensor(...) or no_grad "
        "cuts it off.",
        NEAR,
        (lambda *given: reference(*given).detach(), *others),
    )


def same_noise(reference, *others):
    """The same draws at each call: the reference with a seed inside, and other codes, -> Mistake."""

    def seeded(*given):
        torch.manual_seed(0)
        return reference(*given)

    return Mistake(
        "the same eps at each call",
        "each call uses the same noise, as with a seed inside the function. It must be fresh at each call.",
        PUBLIC,
        (seeded, *others),
    )
