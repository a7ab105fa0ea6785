"""The exercise on telling a network the class, lesson 13, and how it goes wrong."""

import torch
from torch.nn.functional import one_hot

from vae_lessons import model
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Mistake, Probe, noise


def _labels(*values):
    return torch.tensor(values, device="cpu")


def _probes(seed):
    yield Probe(
        "two rows of three numbers, y = [1, 0], 3 classes,", (noise(2, 3, seed=seed), _labels(1, 0), 3)
    )
    yield Probe(
        "four rows of two numbers, y = [2, 4, 0, 2], 5 classes,", (noise(4, 2), _labels(2, 4, 0, 2), 5)
    )
    many = torch.randint(0, 9, (7,), generator=torch.Generator().manual_seed(seed), device="cpu")
    yield Probe("seven rows, 10 classes, and no row of class 9,", (noise(7, 6, seed=seed), many, 10))


def _beside(word):
    """Right but for what stands beside h: word(y, classes) -> (B, any)."""
    return lambda h, y, classes: torch.cat([h, word(y, classes).to(h)], 1)


def _labels_as_places(h, y, classes):
    row = torch.zeros(len(h), classes)
    row[:, y] = 1  # all rows get the classes of all
    return torch.cat([h, row.to(h)], 1)


def _at_their_classes(h, y, classes):
    return torch.cat([h, torch.eye(classes).to(h)[: len(h)]], 1)


condition = Exercise(
    reference=model.condition,
    probes=_probes,
    verified="each row has its own numbers first, and then a 1 at the place of its class, also where a class "
    "is missing from the batch.",
    mistakes=(
        Mistake(
            "label as one number",
            "the class is one number here, so a 3 lies between a 2 and a 4, and class 9 is nine times class "
            "1. Classes have no order: give each a column of its own, with one_hot.",
            PUBLIC,
            (
                _beside(lambda y, classes: y[:, None]),
                _beside(lambda y, classes: y[:, None] / classes),
                _beside(lambda y, classes: y[:, None] / (classes - 1)),
                _beside(lambda y, classes: y[:, None].expand(-1, classes)),
            ),
        ),
        Mistake(
            "one_hot without num_classes",
            "the number of columns depends on the labels in the batch, since one_hot counts up to the "
            "largest. Tell it the number of classes: one_hot(y, classes).",
            PUBLIC,
            (_beside(lambda y, classes: one_hot(y)), _beside(lambda y, classes: one_hot(y, len(y.unique())))),
        ),
        Mistake(
            "one class for all",
            "every row gets the same class. Row i must get class y[i].",
            PUBLIC,
            (
                _beside(lambda y, classes: one_hot(torch.zeros_like(y), classes)),
                _beside(lambda y, classes: one_hot(y[:1], classes).expand(len(y), -1)),
            ),
        ),
        Mistake(
            "classes of the whole batch",
            "every row has a 1 for each class of the batch: row[:, y] = 1 sets these columns in all rows. "
            "Use one_hot(y, classes), or row[torch.arange(len(y)), y] = 1.",
            NEAR,
            (_labels_as_places,),
        ),
        Mistake(
            "place of the row",
            "row i gets a 1 at place i. It belongs at place y[i].",
            NEAR,
            (_at_their_classes,),
        ),
        Mistake(
            "class left out",
            "this is h alone. The class has to stand beside it.",
            COURSE,
            (
                lambda h, y, classes: h,
                _beside(lambda y, classes: torch.zeros(len(y), classes)),
                _beside(lambda y, classes: torch.ones(len(y), classes)),
            ),
        ),
        Mistake(
            "class alone",
            "this is the class alone. What the network got before, h, comes first.",
            NEAR,
            (lambda h, y, classes: one_hot(y, classes).to(h),),
        ),
        Mistake(
            "cat on dim 0",
            "the one-hot rows are put below h, as more rows. They belong beside it, as more columns: "
            "torch.cat([h, row], dim=1).",
            PUBLIC,
            (
                lambda h, y, classes: torch.cat([h, one_hot(y, classes).to(h)]),
                lambda h, y, classes: torch.vstack([h, one_hot(y, classes).to(h)]),
            ),
        ),
        Mistake(
            "class first",
            "the class comes before h. Both orders would do for a network, but this function returns h "
            "first.",
            NEAR,
            (lambda h, y, classes: torch.cat([one_hot(y, classes).to(h), h], 1),),
        ),
        Mistake(
            "added, not beside",
            "the one-hot row is added to the numbers of h, or multiplied with them, so that the two cannot "
            "be told apart. Put it beside them with torch.cat.",
            COURSE,
            (
                lambda h, y, classes: h + one_hot(y, classes).to(h),
                lambda h, y, classes: h * one_hot(y, classes).to(h),
                lambda h, y, classes: h + y[:, None],
            ),
        ),
    ),
    hints=(
        "Classes have no order. So each class gets a column: 1 for the class of the row, and 0 for the "
        "others.",
        "torch.nn.functional.one_hot(y, classes) makes these rows, (B, classes), of whole numbers.",
        "torch.cat([h, row], dim=1) puts them beside h.",
    ),
)
