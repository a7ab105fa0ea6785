"""A learner's diagnosis of the clinic's patients -> verdict, with the evidence in the pictures."""

import difflib

from vae_lessons.check import clinic
from vae_lessons.check.clinic import CATALOGUE
from vae_lessons.check.engine import NEAR, Hinted, Mistake, Verdict, Words, graded

HINTS = (
    "Sort them first. Whose curves and codes are healthy, so that only the generation can be wrong? Whose "
    "KL is wrong, and whose nll?",
    "A KL near 0 means that all codes are alike, and then all draws must be. If the KL is low but the draws "
    "differ, look at how wide each q(z|x) is. If the KL climbs, look at how narrow.",
    "What do the shape of the codes and the grey of the background suggest? The number 784 log 2 = 543 is "
    "the nll of a model that gives every pixel probability 1/2.",
)


class BugClinic(Hinted):
    """The exercise that takes names, not a function: check, hint(), solution()."""

    name = "bug_clinic"
    hints, last = HINTS, "check.bug_clinic.solution() names them all."
    mistakes = (
        Mistake(
            "KL with the wrong sign",
            CATALOGUE["KL with the wrong sign"].else_seen,
            NEAR,
            (dict.fromkeys(clinic.LETTERS, "KL with the wrong sign"),),
        ),
    )

    @property
    def reference(self):
        """The right answers for the patients of the last `clinic.train`, dict: letter -> name."""
        return clinic.key()

    def __call__(self, answers=None):
        """The verdict on {letter: name of a bug, or None}, -> Verdict. Raises Unsolved as all checks do."""
        return graded(self.name, answers, self.judge(answers))

    def __repr__(self):
        return "The exercise bug_clinic(answers): check, hint(), solution()"

    def judge(self, answers=None):
        """The verdict, -> Verdict, whatever VAE_LESSONS_STRICT says."""
        key = clinic.key()
        if not key:
            return Verdict(
                "untouched", None, "bug_clinic has no patients yet: run check.clinic.train(data) first."
            )
        if answers in (None, ...):
            answers = {}
        if trouble := _unreadable(answers, key):
            return Verdict("wrong", None, f"Not yet: {trouble}")
        named = {letter: _known(answers.get(letter)) for letter in key}
        wrong = [letter for letter, name in named.items() if name not in (None, key[letter])]
        blank = [letter for letter, name in named.items() if name is None]
        if len(blank) == len(key):
            asked = f"name the bug of each patient, {_listed(key)}, from check.BUGS."
            return Verdict("untouched", None, f"bug_clinic is still to be answered: {asked}")
        status = "wrong" if wrong else "untouched" if blank else "right"
        text = "\n".join(
            [_summary(key, wrong, blank), *(_said(letter, named[letter], key) for letter in key)]
        )
        return Verdict(status, named[wrong[0]] if wrong else None, text.rstrip())

    def solution(self):
        """All names, each with the buggy code."""
        key = clinic.key()
        if not key:
            return Words("There are no patients yet: run check.clinic.train(data) first.")
        return Words("\n\n".join(f"{letter}: {name}\n{_code(name)}" for letter, name in key.items()))


def _unreadable(answers, key):
    """What is wrong with the form of the answers, or None."""
    if not isinstance(answers, dict):
        return f'give the answers as a dict, {{"A": "no KL", ...}}, not a {type(answers).__name__}.'
    for letter, name in answers.items():
        if letter not in key:
            return f"there is no patient {letter!r}; they are {_listed(key)}."
        if name not in (None, ...) and _known(name) is None:
            plain = {known.lower(): known for known in CATALOGUE}
            near = difflib.get_close_matches(str(name).lower(), plain, 1)
            end = f"; {plain[near[0]]!r} is." if near else "."
            return f"{name!r} for {letter} is not in check.BUGS{end}"
    return None


def _known(name):
    """The catalogue's spelling of a name, or None."""
    plain = " ".join(name.lower().split()) if isinstance(name, str) else None
    return next((known for known in CATALOGUE if known.lower() == plain), None)


def _summary(key, wrong, blank):
    if not wrong and not blank:
        return "Right: you named all six."
    if not wrong:
        return f"So far all right; {_listed(blank)} still to be named."
    right = [letter for letter in key if letter not in (*wrong, *blank)]
    return f"Not yet: {len(right)} of {len(key)} named rightly."


def _said(letter, name, key):
    """What the learner reads about one patient, -> str."""
    if name is None:
        return f"{letter}: no name yet."
    if name != key[letter]:
        return f"{letter} is not {name!r}. With that bug {CATALOGUE[name].else_seen}"
    patients = clinic.ward()
    numbers = patients[letter][1].numbers | {"h": _Numbers(patients["healthy"][1].numbers)}
    seen = CATALOGUE[name].seen.format(**numbers)
    return f"{letter} is {name!r}: {CATALOGUE[name].wrong}. What shows it: {seen}\n{_code(name)}"


def _code(name):
    return "\n".join(f"    {line}" for line in CATALOGUE[name].code.splitlines())


def _listed(letters):
    *most, last = letters
    return f"{', '.join(most)} and {last}" if most else last


class _Numbers:
    """A dict whose entries a format string reaches as {h.kl}."""

    def __init__(self, numbers):
        self.__dict__.update(numbers)


bug_clinic = BugClinic()
