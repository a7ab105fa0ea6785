"""Models that the package does not have, each in a notebook cell of at most 15 lines, trained with `fit`."""

import pytest
import torch

from vae_lessons.data import Data, Split
from vae_lessons.data import digits as handwriting
from vae_lessons.train import evaluate

CONVOLUTIONAL = """
from torch import nn
from vae_lessons.model import VAE
from vae_lessons.train import fit

class Encoder(nn.Module):
    def __init__(self, latent):
        super().__init__()
        convs = nn.Conv2d(1, 8, 4, 2, 1), nn.SiLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.SiLU(), nn.Flatten()
        self.body, self.heads = nn.Sequential(*convs), nn.Linear(16 * 7 * 7, 2 * latent)
    def forward(self, x):
        return self.heads(self.body(x)).chunk(2, 1)

up = nn.ConvTranspose2d(16, 8, 4, 2, 1), nn.SiLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1)
decoder = nn.Sequential(nn.Linear(8, 784), nn.SiLU(), nn.Unflatten(1, (16, 7, 7)), *up)
model = VAE(latent=8, encoder=Encoder(8), decoder=decoder)
history = fit(model, data, epochs=12, batch=50, progress=False)
"""

CONDITIONAL = """
import torch
from torch import nn
from vae_lessons.gaussian import kl_standard_normal, reparameterize
from vae_lessons.losses import Terms
from vae_lessons.model import VAE
from vae_lessons.train import fit

class ConditionalVAE(VAE):
    def terms(self, batch, generator=None):
        mu, log_var = self.encode(batch.x)
        z = reparameterize(mu, log_var, generator=generator)
        z = torch.cat([z[:, :2], nn.functional.one_hot(batch.y, 10)], 1)  # ten numbers for the class
        kl = kl_standard_normal(mu[:, :2], log_var[:, :2])
        return Terms(self.likelihood.nll(batch.x, self.decode(z)), kl)

model = ConditionalVAE(latent=12, hidden=(64,))
history = fit(model, data, epochs=12, batch=50, progress=False)
"""

IMPORTANCE_WEIGHTED = """
from vae_lessons.likelihood import importance
from vae_lessons.model import VAE
from vae_lessons.train import fit

model = VAE(latent=4, hidden=(64,))
history = fit(model, data, epochs=12, batch=50, objective=importance(5), progress=False)
"""


@pytest.fixture(scope="module")
def data():
    pixels, y, _ = handwriting.draw(1200)
    return Data(Split(pixels[:1000], y[:1000]), Split(pixels[1000:], y[1000:]))


@pytest.mark.parametrize("cell", [CONVOLUTIONAL, CONDITIONAL, IMPORTANCE_WEIGHTED])
def test_a_new_model_is_a_cell_of_fifteen_lines_and_fit_trains_it(cell, data):
    assert len([line for line in cell.splitlines() if line]) <= 15
    names = {"data": data}
    exec(cell, names)
    history, model = names["history"], names["model"]
    assert history.test[-1].elbo > history.test[0].elbo + 20
    assert evaluate(model, data.test) == history.test[-1]
    assert model.picture(torch.zeros(2, model.latent)).shape == (2, 1, 28, 28)
