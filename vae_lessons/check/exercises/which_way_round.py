"""The exercise that asks on which of the two KLs a Gaussian was fitted: five pictures."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch

from vae_lessons import plots
from vae_lessons.check.engine import COURSE, NEAR, Hinted, Mistake, Verdict, Words, graded

WAYS = SEEKING, COVERING = "q || p", "p || q"


class Fit(NamedTuple):
    """A density in the plane and the diagonal Gaussian q that has the smallest KL to it, one way round."""

    log_p: Callable  # x, y -> log p, up to a constant
    mean: tuple  # of q
    sigma: tuple  # of q
    way: str
    why: str  # what in the picture tells


def _leaning(x, y):
    return -(2 * x**2 - 3.5 * x * y + 2 * y**2) / (2 * (4 - 1.75**2))


def _falling(x, y):
    x, y = x - 0.3, y + 0.4
    return -(1.2 * x**2 + 2.8 * x * y + 2 * y**2) / (2 * (2.4 - 1.4**2))


def _ring(x, y):
    return -((torch.sqrt(x**2 + y**2) - 2.3) ** 2) / (2 * 0.4**2)


def _bent(x, y):
    return -(x**2) / (2 * 1.5**2) - (y - 0.55 * (x**2 - 2.25)) ** 2 / (2 * 0.45**2)


def _peaks(x, y):
    peaks = ((0.5, -1.5, 1.5, 1.0, 0.3), (0.3, 2.0, -1.5, 0.2, 0.9), (0.2, 2.2, 2.0, 0.2, 0.2))
    logs = [
        math.log(weight / (a * b) ** 0.5) - (x - mx) ** 2 / (2 * a) - (y - my) ** 2 / (2 * b)
        for weight, mx, my, a, b in peaks
    ]
    return torch.logsumexp(torch.stack(logs), 0)


# The fits are tested: no other mean or sigma has a smaller KL nearby.
FITS = {
    "A": Fit(
        _peaks,
        (-1.391, 1.504),
        (1.137, 0.552),
        SEEKING,
        "q sits on the largest of three peaks and leaves out the other two. KL(p || q) would not allow "
        "that: it averages over draws of p, and half of them lie on the other peaks.",
    ),
    "B": Fit(
        _leaning,
        (0.0, 0.0),
        (1.414, 1.414),
        COVERING,
        "q is as wide as p in each direction and fills two corners where p is not. KL(q || p) would punish "
        "the draws of q in those corners.",
    ),
    "C": Fit(
        _ring,
        (0.0, 0.0),
        (1.699, 1.699),
        COVERING,
        "q covers the whole ring, and most of its mass lies in the middle, where p is not. On KL(q || p) it "
        "would sit on one part of the ring.",
    ),
    "D": Fit(
        _bent,
        (0.0, -1.032),
        (0.611, 0.450),
        SEEKING,
        "q keeps to the lowest part of the bend and leaves out both arms. It goes nowhere where p is not.",
    ),
    "E": Fit(
        _falling,
        (0.3, -0.4),
        (0.606, 0.469),
        SEEKING,
        "q is too short along the long axis of p, because KL(q || p) punishes q for going where p is not, "
        "and an upright ellipse cannot lengthen without leaving p.",
    ),
}
AT = torch.linspace(-4, 4, 161, dtype=torch.float64)


class WhichWayRound(Hinted):
    """The exercise that takes answers, not a function: check, show(), hint(), solution()."""

    name = "which_way_round"
    last = "check.which_way_round.solution() tells them all."
    hints = (
        "KL(q || p) averages over draws of q. What would a draw of q cost that lies where p is almost 0?",
        "KL(p || q) averages over draws of p. What would a draw of p cost that lies where q is almost 0?",
        "Is a part of p left out, or is q spread over places where p is not?",
    )
    reference = {letter: fit.way for letter, fit in FITS.items()}  # noqa: RUF012
    mistakes = (
        Mistake(
            "exchanged",
            "each answer is the other way round. KL(q || p) averages over q, so it punishes q for going "
            "where p is not; KL(p || q) punishes q for leaving out a part of p.",
            COURSE,
            ({letter: WAYS[fit.way == SEEKING] for letter, fit in FITS.items()},),
        ),
        Mistake(
            "one answer for all",
            "you gave one answer for all five, but both kinds of fit are among them.",
            NEAR,
            tuple(dict.fromkeys(FITS, way) for way in WAYS),
        ),
    )

    def __call__(self, answers=None):
        """The verdict on {letter: "q || p" or "p || q"}, -> Verdict. Raises Unsolved as all checks do."""
        return graded(self.name, answers, self.judge(answers))

    def __repr__(self):
        return "The exercise which_way_round(answers): check, show(), hint(), solution()"

    def show(self):
        """The five densities with what was fitted to them, -> plots.Picture."""
        x, y = torch.meshgrid(AT, AT, indexing="ij")
        panels = {}
        for letter, fit in FITS.items():
            log_p = fit.log_p(x, y)
            density = (log_p - log_p.max()).exp()
            panels[letter] = (AT, AT, density, torch.tensor(fit.mean), torch.tensor(fit.sigma).diag())
        caption = (
            "Five densities p in grey: three peaks, a leaning ellipse, a ring, a bent band and another "
            "leaning ellipse. In rose, the Gaussian q fitted to each, at one and two standard deviations."
        )
        return plots.fits(panels, caption=caption)

    def judge(self, answers=None):
        """The verdict, -> Verdict, whatever VAE_LESSONS_STRICT says."""
        answers = {} if answers in (None, ...) else answers
        if trouble := _unreadable(answers):
            return Verdict("wrong", None, f"Not yet: {trouble}")
        given = {letter: _way(answers.get(letter)) for letter in FITS}
        blank = [letter for letter, way in given.items() if way is None]
        if len(blank) == len(FITS):
            text = 'which_way_round is still to be answered: write "q || p" or "p || q" for each picture.'
            return Verdict("untouched", None, text)
        wrong = [letter for letter, way in given.items() if way not in (None, FITS[letter].way)]
        known = next((m for m in self.mistakes if given in m.codes), None)
        if known:
            return Verdict("wrong", known.name, f"Not yet: {known.says}")
        lines = [_said(letter, way) for letter, way in given.items()]
        if wrong:
            start = f"Not yet: {len(FITS) - len(wrong) - len(blank)} of {len(FITS)} are right."
            return Verdict("wrong", f"way of {wrong[0]}", "\n".join([start, *lines]))
        start = "So far all right." if blank else "Right: you told all five."
        return Verdict("untouched" if blank else "right", None, "\n".join([start, *lines]))

    def solution(self):
        """All answers, and what shows them."""
        return Words("\n".join(f'{letter}: "{fit.way}". {fit.why}' for letter, fit in FITS.items()))


def _way(answer):
    """An answer without its spaces, as the key has it, or None where there is none."""
    if answer in (None, ...):
        return None
    return next((way for way in WAYS if _plain(way) == _plain(answer)), None)


def _plain(text):
    return "".join(text.lower().replace("kl", "").split()).strip("()") if isinstance(text, str) else None


def _said(letter, way):
    """What the learner reads about one picture; a wrong answer is asked about and not put right."""
    if way is None:
        return f"{letter}: no answer yet."
    if way == FITS[letter].way:
        return f'{letter}: "{way}" is right. {FITS[letter].why}'
    ask = {
        SEEKING: "Does q leave out a part of p? Would it be spread so far if going where p is not cost much?",
        COVERING: "Does q cover all of p? Which draws of p would be expensive?",
    }
    return f'{letter}: not "{way}". {ask[way]}'


def _unreadable(answers):
    """What is wrong with the answers before any is weighed, or None."""
    if not isinstance(answers, dict):
        return f'give the answers as a dict, {{"A": "q || p", ...}}, not a {type(answers).__name__}.'
    for letter, answer in answers.items():
        if letter not in FITS:
            return f"there is no picture {letter!r}; they are {', '.join(FITS)}."
        if answer not in (None, ...) and _way(answer) is None:
            return f'{answer!r} for {letter} is neither "q || p" nor "p || q".'
    return None


which_way_round = WhichWayRound()
