"""The exercise on choosing a beta for each purpose, judged by what the lesson measured."""

from collections.abc import Callable
from typing import NamedTuple

from vae_lessons.check.engine import NEAR, Hinted, Mistake, Verdict, Words, graded

NEEDED = ("nll", "kl", "coverage")  # rows of the sweep that the purposes are judged by


class Purpose(NamedTuple):
    """What a beta is for, what it must achieve, and what choosing it costs."""

    asked: str
    fine: Callable  # sweep, beta -> bool
    rule: str  # what it must achieve, with a number
    cost: Callable  # sweep, beta -> str


def _nll_above(sweep, beta):
    """By how many nats a beta's nll is worse than the best of the sweep."""
    return sweep["nll"][beta] - min(sweep["nll"].values())


def _rebuilds(sweep, beta):
    """Whether a beta's nll is nearer to the best than to the worst, which is that of a grey blot."""
    worst = max(sweep["nll"].values())
    return _nll_above(sweep, beta) <= 0.5 * (worst - min(sweep["nll"].values()))


def _best_coverage(sweep):
    return max(value for beta, value in sweep["coverage"].items() if _rebuilds(sweep, beta))


def _loss(sweep, beta):
    """The negative ELBO."""
    return sweep["nll"][beta] + sweep["kl"][beta]


def _draws(sweep, beta):
    return _rebuilds(sweep, beta) and sweep["coverage"][beta] >= _best_coverage(sweep) - 0.16


def _few_nats(sweep, beta):
    return _rebuilds(sweep, beta) and sweep["kl"][beta] <= max(sweep["kl"].values()) / 4


def _elbo(sweep, beta):
    return _loss(sweep, beta) <= min(_loss(sweep, b) for b in sweep["nll"]) + 0.5


def _lost_coverage(sweep, beta):
    lost, kl = _best_coverage(sweep) - sweep["coverage"][beta], sweep["kl"][beta]
    return f"its codes cost {kl:.1f} nats, and its draws cover {lost:.2f} less than the best do"


def _lost_nll(sweep, beta):
    return f"its nll is {_nll_above(sweep, beta):.1f} nats worse than the best"


def _lost_both(sweep, beta):
    return f"{_lost_nll(sweep, beta)}; {_lost_coverage(sweep, beta)}"


PURPOSES = {
    "rebuild": Purpose(
        "rebuild images well",
        lambda sweep, beta: _nll_above(sweep, beta) <= 1,
        "an nll within 1 nat of the best",
        _lost_coverage,
    ),
    "draw": Purpose(
        "draw new digits, all kinds of them",
        _draws,
        "draws that cover within 0.16 of the best, from a model that still reconstructs: its nll is nearer "
        "to the best than to the worst, which is that of one grey blot",
        _lost_nll,
    ),
    "compare": Purpose(
        "compare it with other models by its ELBO",
        _elbo,
        "an ELBO within 0.5 nats of the best",
        _lost_both,
    ),
    "few nats": Purpose(
        "say what matters about an image in few nats",
        _few_nats,
        "a quarter of the largest KL at most, from a model that still reconstructs: its nll is nearer to "
        "the best than to the worst",
        _lost_nll,
    ),
}
HINTS = (
    "Which number of the table belongs to each purpose? One is the distortion, one is the rate, one is "
    "their sum, and one is measured on draws.",
    "A model that draws one grey blot may have the best number measured on draws. Look at its nll too.",
    "There may be more than one good answer. Ask what each beta costs.",
)


class ChooseBeta(Hinted):
    """The exercise that takes betas, not a function: check, hint(), solution()."""

    name = "choose_beta"
    hints, last = HINTS, "check.choose_beta.solution() shows what each purpose needs."
    reference = {"rebuild": 0.1, "draw": 3, "compare": 1, "few nats": 3}  # noqa: RUF012
    mistakes = (
        Mistake(
            "judged by draws alone",
            "its draws cannot be distinguished from its reconstructions, since both are one grey blot",
            NEAR,
            (dict.fromkeys(PURPOSES, 784),),
        ),
    )

    def __call__(self, answers=None, sweep=None):
        """The verdict on {purpose: beta or None}, -> Verdict. Raises Unsolved as all checks do.

        `sweep` is what was measured, {"nll": {beta: nats}, "kl": {...}, "coverage": {...}}.
        """
        return graded(self.name, answers, self.judge(answers, sweep))

    def __repr__(self):
        return "The exercise choose_beta(answers, sweep): check, hint(), solution()"

    def judge(self, answers=None, sweep=None):
        """The verdict, -> Verdict, whatever VAE_LESSONS_STRICT says."""
        answers = {} if answers in (None, ...) else answers
        if trouble := _no_sweep(sweep) or _unreadable(answers, sweep):
            return Verdict("wrong", None, f"Not yet: {trouble}")
        chosen = {name: answers.get(name) for name in PURPOSES if answers.get(name) not in (None, ...)}
        if not chosen:
            asked = "; ".join(f"{name!r}, to {purpose.asked}" for name, purpose in PURPOSES.items())
            text = f"choose_beta is still to be answered: name a beta of the sweep for each purpose: {asked}."
            return Verdict("untouched", None, text)
        good = {name: PURPOSES[name].fine(sweep, beta) for name, beta in chosen.items()}
        blank = [name for name in PURPOSES if name not in chosen]
        status = "wrong" if not all(good.values()) else "untouched" if blank else "right"
        lines = [_said(name, beta, sweep, good[name]) for name, beta in chosen.items()]
        lines += [f"{name}: no beta yet." for name in blank]
        start = {
            "wrong": "Not yet.",
            "untouched": "So far all right.",
            "right": "Right: each does what it is for.",
        }
        blot = any(not ok and not _rebuilds(sweep, chosen[name]) for name, ok in good.items())
        mistake = None if status != "wrong" else self.mistakes[0].name if blot else f"beta for {_first(good)}"
        return Verdict(status, mistake, "\n".join([start[status], *lines]))

    def solution(self):
        """What a beta must achieve for each purpose, and one that did in the lesson's stored run."""
        lines = (f"{name}: {PURPOSES[name].rule}; {beta}, for one" for name, beta in self.reference.items())
        return Words("\n".join(lines))


def _said(name, beta, sweep, good):
    """What the learner reads about one choice, -> str."""
    purpose = PURPOSES[name]
    if good:
        cost = purpose.cost(sweep, beta)
        return f"{name}, beta = {beta}: right. It has {purpose.rule}. What it costs: {cost}."
    text = f"{name}, beta = {beta}: it needs {purpose.rule}. It has {_numbers(sweep, beta)}"
    if name != "rebuild" and not _rebuilds(sweep, beta):
        return f"{text}: {ChooseBeta.mistakes[0].says}."
    better = min(
        (b for b in sweep["nll"] if purpose.fine(sweep, b)), key=lambda b: abs(b - beta), default=None
    )
    return f"{text}." if better is None else f"{text}; another of the sweep has {_numbers(sweep, better)}."


def _numbers(sweep, beta):
    row = {name: sweep[name][beta] for name in NEEDED}
    return "nll {nll:.1f}, kl {kl:.1f}, coverage {coverage:.2f}".format(**row)


def _first(good):
    return next(name for name, ok in good.items() if not ok)


def _no_sweep(sweep):
    """What is wrong with the measurements, or None."""
    rows = [sweep.get(name) for name in NEEDED] if isinstance(sweep, dict) else [None]
    if all(isinstance(row, dict) and row and row.keys() == rows[0].keys() for row in rows):
        return None
    wanted = '{"nll": {beta: nats}, "kl": {...}, "coverage": {...}}'
    return f"the second argument must hold what was measured, {wanted}, each for the same betas."


def _unreadable(answers, sweep):
    """What is wrong with the form of the answers, or None."""
    if not isinstance(answers, dict):
        return f'give the answers as a dict, {{"rebuild": 10, ...}}, not a {type(answers).__name__}.'
    betas = ", ".join(map(str, sweep["nll"]))
    for name, beta in answers.items():
        if name not in PURPOSES:
            return f"there is no purpose {name!r}; they are {', '.join(map(repr, PURPOSES))}."
        number = isinstance(beta, (int, float)) and not isinstance(beta, bool)
        if beta is not None and beta is not ... and not (number and beta in sweep["nll"]):
            return f"{beta!r} for {name!r} is no beta of the sweep, which has {betas}."
    return None


choose_beta = ChooseBeta()
