"""The exercise on completeness, and how it goes wrong."""

import torch

from vae_lessons import measures
from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Exercise,
    Fact,
    Mistake,
    Shown,
    no_answer,
    noise,
    placed,
)
from vae_lessons.check.engine.pictures import bars


def _yardstick(pixels, seed):
    """60 own pictures around three centres, and 40 held-out ones around two of them, -> Yardstick."""
    corners = 4 * noise(3, *pixels, seed=seed).flatten(1)
    own = corners.repeat(20, 1) + 0.3 * noise(60, corners.shape[1], seed=seed + 1)
    held_out = corners[:2].repeat(20, 1) + 0.5 * noise(40, corners.shape[1], seed=seed + 2)
    own, held_out = placed(0.4 * own), placed(0.4 * held_out)
    limit = measures.nearest(held_out, own).distance.quantile(0.95).item()
    return measures.Yardstick(own, held_out, limit)


def _pictures(ruler, shape, seed):
    """Fifty pictures at various distances from the data: some within a tenth of the limit, none at it."""
    rows = ruler.own.repeat(3, 1)
    steps = noise(len(rows), rows.shape[1], seed=seed + 3)
    away = placed(ruler.limit * torch.arange(len(rows), dtype=torch.float64, device="cpu") / 70)
    rows = rows + away[:, None] * placed(steps / steps.norm(dim=1, keepdim=True))
    beyond = measures.nearest(rows, ruler.own).distance / ruler.limit - 1
    close = [rows[(low < beyond) & (beyond < high)][:3] for low, high in ((-0.08, -0.01), (0.01, 0.08))]
    return torch.cat([rows[beyond.abs() > 0.01][::4], *close]).reshape(-1, *shape)


def _observe(call, seed):
    two = placed(torch.tensor([[0.0], [1.0]], dtype=torch.float64, device="cpu"))
    small = measures.Yardstick(
        two, placed(torch.tensor([[0.1], [9.0]], dtype=torch.float64, device="cpu")), 0.5
    )
    four = placed(torch.tensor([[0.2], [1.3], [9.1], [4.0]], dtype=torch.float64, device="cpu"))
    asked = "pictures = [[0.2], [1.3], [9.1], [4]], measure.own = [[0], [1]], measure.limit = 0.5"
    yield Fact(asked, *_share(call.number(four, small)))
    for shape in ((6,), (1, 3, 2)):
        ruler = _yardstick(shape, seed)
        pictures = _pictures(ruler, shape, seed)
        yield Fact(f"pictures {tuple(pictures.shape)}", *_share(call.number(pictures, ruler)))
    for one in pictures.split(1):
        far = measures.nearest(one.flatten(1), ruler.own).distance.item() / ruler.limit
        asked = f"one picture, {far:.2f} times measure.limit away from the nearest of measure.own"
        yield Fact(asked, *_share(call.number(one, ruler)))


def _share(value):
    return torch.tensor(value, dtype=torch.float64, device="cpu"), 1e-5


def _distance(pictures, images):
    return measures.nearest(pictures.flatten(1), images).distance


def _within(distance, limit):
    return (distance <= limit).float().mean().item()


def _limit_of_training(pictures, measure):
    limit = _distance(measure.own, measure.own).quantile(0.95)
    return _within(_distance(pictures, measure.own), limit)


def _limit_of_pictures(pictures, measure):
    distance = _distance(pictures, measure.own)
    return _within(distance, distance.quantile(0.95))


def _farthest(pictures, measure):
    return _within(torch.cdist(pictures.flatten(1), measure.own).amax(1), measure.limit)


def _any_pair(pictures, measure):
    return _within(torch.cdist(pictures.flatten(1), measure.own), measure.limit)


def _show(call, seed):
    ruler = _yardstick((6,), seed)
    everything = _pictures(ruler, (6,), seed)
    sets = {
        "on the data": ruler.own,
        "held-out": ruler.held_out,
        "mixed": everything,
        "empty": 0 * ruler.own + 99,
    }
    yours = {name: call.number(pictures, ruler) for name, pictures in sets.items()}
    target = {name: measures.completeness(pictures, ruler) for name, pictures in sets.items()}
    if not all(abs(value) < 1e6 for value in yours.values()):
        raise no_answer("no bars")
    alt = "Bars of completeness for four sets of pictures, the target beside yours."
    groups = {"the target": target, "yours": yours}
    return Shown(lambda: bars(groups, ylabel="completeness", alt=alt))


completeness = Exercise(
    name="completeness",
    parameters=("pictures", "measure"),
    reference=measures.completeness,
    observe=_observe,
    show=_show,
    verified="the fraction agrees for all sets of pictures, as rows and as (N, 1, H, W).",
    mistakes=(
        Mistake(
            "the share that is off the data",
            "this is the fraction beyond the limit. Completeness is the fraction within it: distance <= "
            "measure.limit.",
            COURSE,
            (lambda *a: 1 - measures.completeness(*a),),
        ),
        Mistake(
            "held-out pictures in place of own",
            "the pictures are compared with measure.held_out, which only sets the limit. Compare them with "
            "the model's pictures of training images, measure.own.",
            COURSE,
            (lambda pictures, m: _within(_distance(pictures, m.held_out), m.limit),),
        ),
        Mistake(
            "coverage",
            "this is coverage: the fraction of held-out pictures with a draw nearby. Completeness is a "
            "fraction of the draws.",
            COURSE,
            (measures.coverage, lambda pictures, m: _within(_distance(m.own, pictures.flatten(1)), m.limit)),
        ),
        Mistake(
            "count, not share",
            "this counts the pictures. Return the fraction: divide by their number.",
            NEAR,
            (lambda pictures, m: measures.completeness(pictures, m) * len(pictures),),
        ),
        Mistake(
            "per cent",
            "this is in per cent. Return a fraction from 0 to 1.",
            NEAR,
            (lambda *a: 100 * measures.completeness(*a),),
        ),
        Mistake(
            "mean distance",
            "this uses the mean distance, which a single distant picture can dominate. Count how many lie "
            "within measure.limit.",
            NEAR,
            (
                lambda pictures, m: _distance(pictures, m.own).mean().item(),
                lambda pictures, m: float(_distance(pictures, m.own).mean() <= m.limit),
            ),
        ),
        Mistake(
            "squared distance",
            "squared distances are compared with the limit, which is a distance. Take the square root.",
            PUBLIC,
            (lambda pictures, m: _within(_distance(pictures, m.own) ** 2, m.limit),),
        ),
        Mistake(
            "the limit from the training images",
            "the limit comes from the training images. Each is its own nearest picture, at distance 0, so "
            "no new picture would be accepted. Use measure.limit, which comes from held-out images.",
            COURSE,
            (_limit_of_training,),
        ),
        Mistake(
            "the limit from the draws",
            "the limit comes from the draws themselves, so that all draws reach 0.95. Use measure.limit.",
            NEAR,
            (_limit_of_pictures,),
        ),
        Mistake(
            "the farthest neighbour",
            "this requires all own pictures to be near. One is enough: use the minimum, not the maximum.",
            NEAR,
            (_farthest,),
        ),
        Mistake(
            "every pair counted",
            "this is the fraction of pairs that are near. For each picture only its nearest own picture "
            "counts: take the minimum first.",
            NEAR,
            (_any_pair,),
        ),
    ),
    hints=(
        "There are two sets: the pictures, and the model's pictures of training images, measure.own.",
        "measures.nearest returns, for each picture, the distance to its nearest own picture.",
        "Return the fraction of these distances that are at most measure.limit.",
    ),
)
