"""The exercise on the classifier two-sample test, lesson 02, and how it goes wrong."""

import math

import torch

from vae_lessons import measures
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Fact, Mistake, noise, placed

SIZE = 60  # pictures in each set


class Spy:
    """A `train` whose guesses are wrong for every tenth picture, and which sees what it is used for."""

    def __init__(self, pictures, own):
        self.pool = torch.cat([own, pictures]).flatten(1).cpu().double()  # the first SIZE are own
        self.trained, self.labels, self.asked, self.answers = [], [], [], []
        self.shape = self.found = None

    def train(self, x, y):
        """Pretend to learn, (R, D), (R,) -> guess (M, D) -> (M,)."""
        seen = self._which(x)
        self.trained.append(seen)
        self.labels += zip(seen, y.flatten().tolist(), strict=False)
        own_is_one = (1.0, True) in [(label, 0 <= i < SIZE) for i, label in self.labels]  # will do as well

        def guess(rows):
            asked = self._which(rows)
            self.asked.append((seen, asked))
            right = [i % 10 != 3 for i in asked]
            ones = [(i >= SIZE) == r for i, r in zip(asked, right, strict=True)]
            answer = torch.tensor([float(one != own_is_one) for one in ones], device=rows.device)
            return placed(answer)

        return guess

    def _which(self, x):
        """The place of each row in the pool, or -1; the shape of rows that are none is kept."""
        if x.ndim != 2 or x.shape[1] != self.pool.shape[1]:
            self.shape = tuple(x.shape)
            return [-1] * len(x)
        distance, index = torch.cdist(x.detach().cpu().double(), self.pool).min(1)
        return torch.where(distance < 1e-3, index, -1).tolist()


def _observe(call, seed):
    for shape in ((6,), (1, 3, 2)):
        pictures, own = (placed(noise(SIZE, *shape, seed=seed + i)) for i in (1, 2))
        spy = Spy(pictures, own)
        answer = call.number(pictures, own, spy.train)
        for asked, value in _facts(spy, answer):
            yield Fact(f"{asked}, for {SIZE} pictures of each set, {(SIZE, *shape)}", value)


def _facts(spy, answer):
    yield "whether train is called and guess is asked", "yes" if spy.asked else "no"
    if not spy.asked:
        return
    yield "what train and guess are given", f"rows of shape {spy.shape}" if spy.shape else "rows, (R, D)"
    if spy.shape:
        return
    yield "which pictures train gets", _kinds(i for seen in spy.trained for i in seen)
    yield "the labels that train gets", _labels(spy.labels)
    yield "which pictures guess is asked about", _kinds(i for _, asked in spy.asked for i in asked)
    trained = sum(i in set(seen) for seen, asked in spy.asked for i in asked)
    total = sum(len(asked) for _, asked in spy.asked)
    share = "none" if not trained else "all" if trained == total else "some"
    yield "how many of the pictures that guess is asked about train was given", share
    part = total / len(spy.trained) / len(spy.pool)  # a loop over parts asks each classifier about its own
    yield "how many guess is asked about", "a part" if 0.05 < part < 0.6 else f"{part:.0%} of all"
    yield "what comes back", _answer(answer, [i for _, asked in spy.asked for i in asked])


def _kinds(places):
    own, pictures, unknown = 0, 0, 0
    for i in places:
        own, pictures, unknown = own + (0 <= i < SIZE), pictures + (i >= SIZE), unknown + (i < 0)
    if unknown:
        return "rows that are in neither set"
    smaller = min(own, pictures) / max(own + pictures, 1)
    if smaller == 0:
        return "one set only"
    return "about as many of both sets" if smaller > 0.3 else "far more of one set than of the other"


def _labels(labels):
    of_own = {label for i, label in labels if 0 <= i < SIZE}
    of_pictures = {label for i, label in labels if i >= SIZE}
    if (of_own, of_pictures) in (({0.0}, {1.0}), ({1.0}, {0.0})):
        return "0 for one set and 1 for the other"
    return "all the same" if of_own == of_pictures and len(of_own) == 1 else "labels of other pictures"


def _answer(answer, asked):
    right = [i % 10 != 3 for i in asked]
    share = sum(right) / len(right)
    parts = [[r for i, r in zip(asked, right, strict=True) if (i < SIZE) == own] for own in (True, False)]
    balanced = sum(sum(part) / max(len(part), 1) for part in parts) / 2
    known = {
        "the share of right guesses": (share, balanced),
        "the share of wrong guesses": (1 - share, 1 - balanced),
        "the number of right guesses": (sum(right),),
        "the number of wrong guesses": (len(right) - sum(right),),
        "the share in per cent": (100 * share,),
        "twice the share, less 1": (2 * share - 1,),
    }
    for words, values in known.items():
        if any(math.isclose(answer, value, abs_tol=1e-5) for value in values):
            return words
    return "another number"


def _sets(pictures, own):
    """Rows and labels of both sets, (2N, D), (2N,)."""
    x = torch.cat([own, pictures]).flatten(1)
    return x, torch.arange(len(x), device=x.device).ge(len(own)).to(x.dtype)


def _split(pictures, own):
    """x and y of two thirds and of one, shuffled alike."""
    x, y = _sets(pictures, own)
    first, last = torch.randperm(len(x)).tensor_split([2 * len(x) // 3])
    return x[first], y[first], x[last], y[last]


def _share(guess, y):
    return (guess == y).float().mean()


def _by(score):
    """Right but for what is made of the guesses: score(guess, y) -> number."""

    def code(pictures, own, train):
        x, y, x_new, y_new = _split(pictures, own)
        return score(train(x, y)(x_new), y_new)

    return code


def _all_for_both(pictures, own, train):
    x, y = _sets(pictures, own)
    return _share(train(x, y)(x), y)


def _same_part(pictures, own, train):
    x, y, _, _ = _split(pictures, own)
    return _share(train(x, y)(x), y)


def _tested_on_all(pictures, own, train):
    x, y, _, _ = _split(pictures, own)
    everything, labels = _sets(pictures, own)
    return _share(train(x, y)(everything), labels)


def _trained_on_all(pictures, own, train):
    x, y = _sets(pictures, own)
    _, _, x_new, y_new = _split(pictures, own)
    return _share(train(x, y)(x_new), y_new)


def _two_shuffles(pictures, own, train):
    x, y, _, _ = _split(pictures, own)
    _, _, x_new, y_new = _split(pictures, own)
    return _share(train(x, y)(x_new), y_new)


def _not_shuffled(pictures, own, train):
    x, y = _sets(pictures, own)
    first = 2 * len(x) // 3
    return _share(train(x[:first], y[:first])(x[first:]), y[first:])


def _labels_apart(pictures, own, train):
    x, y = _sets(pictures, own)
    x, first = x[torch.randperm(len(x))], 2 * len(x) // 3
    return _share(train(x[:first], y[:first])(x[first:]), y[first:])


def _one_label(pictures, own, train):
    x, y, x_new, y_new = _split(pictures, own)
    return _share(train(x, torch.ones_like(y))(x_new), y_new)


def _only(label):
    """Accuracy on the held-out pictures of one set."""

    def code(pictures, own, train):
        x, y, x_new, y_new = _split(pictures, own)
        return _share(train(x, y)(x_new[y_new == label]), y_new[y_new == label])

    return code


def _other_labels(pictures, own, train):
    x, y, x_new, _ = _split(pictures, own)
    return _share(train(x, y)(x_new), _sets(pictures, own)[1][-len(x_new) :])


def _square(pictures, own, train):
    x = torch.cat([own, pictures])
    first, last = torch.randperm(len(x)).tensor_split([2 * len(x) // 3])
    y = (torch.arange(len(x)) >= len(own)).float()
    return _share(train(x[first], y[first])(x[last]), y[last])


two_sample_accuracy = Exercise(
    name="two_sample_accuracy",
    parameters=("pictures", "own", "train"),
    reference=measures.two_sample_accuracy,
    observe=_observe,
    verified=(
        "train got a shuffled part of both sets as rows, with one label for each set, guess was asked about "
        "pictures that train did not get, and the share of right guesses came back."
    ),
    mistakes=(
        Mistake(
            "tested on the training pictures",
            "the classifier is asked about the pictures it was trained on, and may know them by heart. Keep "
            "a third out of the training, and ask about those.",
            COURSE,
            (_all_for_both, _same_part, _trained_on_all),
        ),
        Mistake(
            "some training pictures in the test",
            "some of the pictures that the classifier is asked about were in its training. Divide one "
            "shuffled order into two parts, and test on the second alone.",
            PUBLIC,
            (_tested_on_all, _two_shuffles),
        ),
        Mistake(
            "not shuffled",
            "the two sets stand one behind the other, so that the last third holds one of them only. "
            "Shuffle first, pictures and labels alike: order = torch.randperm(len(x)).",
            COURSE,
            (_not_shuffled,),
        ),
        Mistake(
            "labels not shuffled along",
            "the pictures are shuffled and the labels are not, so most labels belong to another picture. Use "
            "the same order for both: x[order], y[order].",
            PUBLIC,
            (_labels_apart,),
        ),
        Mistake(
            "one label for all",
            "all pictures have the same label, so there is nothing to tell apart: 0 for own, 1 for pictures.",
            NEAR,
            (_one_label,),
        ),
        Mistake(
            "tested on one set",
            "the classifier is asked about one of the sets only. One that always gives the same answer would "
            "then reach 0 or 1; ask about held-out pictures of both.",
            NEAR,
            (_only(1), _only(0)),
        ),
        Mistake(
            "compared with other labels",
            "the guesses are compared with the labels of other pictures. Use those of the held-out ones, in "
            "the same order.",
            NEAR,
            (_other_labels,),
        ),
        Mistake(
            "share of wrong guesses",
            "this is the share of wrong guesses. The accuracy is the share of right ones.",
            NEAR,
            (
                _by(lambda guess, y: (guess != y).float().mean()),
                _by(lambda guess, y: (guess - y).square().mean()),
            ),
        ),
        Mistake(
            "count, not share",
            "this counts guesses. The share is asked: divide by how many there are.",
            NEAR,
            (_by(lambda guess, y: (guess == y).sum()), _by(lambda guess, y: (guess != y).sum())),
        ),
        Mistake(
            "per cent",
            "this is in per cent. A share from 0 to 1 is asked.",
            NEAR,
            (_by(lambda guess, y: 100 * _share(guess, y)),),
        ),
        Mistake(
            "twice the accuracy, less 1",
            "this is 0 where the sets are alike. The accuracy itself is asked, which is 0.5 there.",
            NEAR,
            (_by(lambda guess, y: 2 * _share(guess, y) - 1),),
        ),
        Mistake(
            "not flattened",
            "train is given pictures (R, 1, H, W). It takes rows of pixels: .flatten(1).",
            PUBLIC,
            (_square,),
        ),
        Mistake(
            "train is not used",
            "train is never called, or what it returns is never asked. guess = train(x, y) trains the "
            "classifier, guess(x_new) gives a guess for each row.",
            NEAR,
            (lambda pictures, own, train: 0.5,),
        ),
    ),
    hints=(
        "Put both sets into one tensor of rows, with y = 0 for own and y = 1 for pictures.",
        "One shuffled order for both, torch.randperm(len(x)); its first two thirds are for train.",
        "guess = train(x[learned], y[learned]). Then the share of guess(x[held_out]) == y[held_out].",
    ),
)
