"""Draw the README's picture: python .github/draw_latent_plane.py"""

from pathlib import Path

import torch

from vae_lessons import plots
from vae_lessons.data import load
from vae_lessons.model import VAE
from vae_lessons.train import fit

model = VAE(latent=2, seed=0)
fit(model, load("digits"), epochs=30, seed=0)
down, across = (torch.special.ndtri(torch.linspace(0.03, 0.97, n)) for n in (12, 32))
grid = torch.cartesian_prod(down.flip(0), across).flip(1)
picture = plots.images(model.picture(grid), columns=32, tile=0.36)
Path(__file__).with_name("latent_plane.png").write_bytes(picture.png)
