"""What training saw: scores in nats, epoch by epoch."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Scores(NamedTuple):
    """Averages over images, in nats per image."""

    nll: float
    kl: float

    @property
    def elbo(self):
        """-(nll + kl), whatever beta the model was trained with."""
        return -(self.nll + self.kl)

    def __str__(self):
        nll, kl = round(self.nll, 1), round(self.kl, 1)  # so that the three numbers that are read add up
        return f"nll {nll:.1f}, kl {kl:.1f}, elbo {-(nll + kl):.1f} nats per image"


@dataclass
class History:
    """What `fit` saw: the Scores of each finished epoch.

    Those on `train` are means over the epoch of what the objective gave, while the model changed; those on
    `test` are taken after it, of the model's own terms. `stopped` says why training ended early, or is None.
    """

    train: list[Scores] = field(default_factory=list)
    test: list[Scores] = field(default_factory=list)
    seconds: float = 0.0
    stopped: str | None = None

    def __len__(self):
        return len(self.train)


class Diverged(ArithmeticError):
    """The loss is no longer finite. `history` holds the finished epochs."""

    def __init__(self, message, history):
        super().__init__(message)
        self.history = history
