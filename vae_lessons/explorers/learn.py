"""A small VAE that learns in the page itself, without Python: what the site's front page shows."""

from vae_lessons import plots
from vae_lessons.explorers.page import Page, as_bytes, real_images
from vae_lessons.settings import whole_number

SHOWN = 300  # test images whose codes are drawn
SIZES = {"hidden": 64, "latent": 2}
SETTINGS = {"batch": 32, "rate": 3e-3, "seed": 0}
CAPTION = (
    "Explorer: images to learn from; a button starts the training of a small VAE in this page, and the plane "
    "of its codes, its draws and its losses are shown while it learns."
)


def learn(data, steps=3_000, count=1_500):
    """Watch a small VAE learn in the page, Data -> Page: 784-64-2 and back, ReLU, Adam, no kernel.

    It learns from the first `count` training images, sent as bytes. The loss is nll + KL in nats, as in
    `fit`, for a Bernoulli likelihood. Raises ValueError if steps or count is no whole number, at least 1.
    """
    steps, count = whole_number("steps", steps), whole_number("count", count)
    shown, y = real_images(data, SHOWN)
    train = data.train.batch(slice(count)).x.float().cpu()
    return Page(
        "learn",
        plots.images(train[:40], columns=10, caption=CAPTION),
        {
            "images": as_bytes(train),
            "count": len(train),
            "shown": as_bytes(shown),
            "labels": y.tolist(),
            "shape": train.shape[1:],
            "sizes": SIZES | {"pixels": train[0].numel()},
            "settings": SETTINGS,
            "steps": steps,
            "pause": 150,
            "limit": 4,
        },
    )
