"""A learner's function -> verdict: right, or which of the known mistakes it is, or where it differs."""

import contextlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from vae_lessons.check.calling import Call, Failure, TooLong, guarded, reseed, untouched
from vae_lessons.check.facts import Fact, agree, compared, first_difference, whole
from vae_lessons.check.verdict import Hinted, Verdict, Words, graded

# Where mistakes were seen, if no more is known of it than that.
PUBLIC = "public VAE code and the issues filed on it"
COURSE = "course material and its forums"
NEAR = "added here, as a near neighbour of one that was seen"


class Mistake(NamedTuple):
    """One way in which people get it wrong."""

    name: str
    says: str  # what the learner reads: what it is, and what is right
    seen: str  # where it was seen
    codes: tuple  # the mistake as functions, each a spelling of it that a check can tell from the others
    trait: Callable | None = None  # facts -> bool: what gives it away where its numbers may vary


class Shown(NamedTuple):
    """What is added to a verdict by putting the answer on a meter or into a picture."""

    draw: Callable | None = None  # () -> plots.Picture, called when the verdict is looked at
    says: str = ""  # a sentence added to the message
    fine: bool = True  # False makes a right answer wrong


def nothing(call, seed):
    """No picture, and nothing more to say."""
    return Shown()


@dataclass
class Exercise(Hinted):
    """A stub to fill, its check, its hints and its solution. Call it with the learner's function.

    `observe(call, seed)` yields Facts, the smallest input first; the answer is right where they agree with
    those of `reference`, and it is the first of `mistakes` that they agree with.
    """

    name: str
    parameters: tuple[str, ...]
    reference: Callable  # the package's own, or a thin bridge to it
    observe: Callable[[Call, int], Iterator[Fact]]
    verified: str  # completes "Right: ..."
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, ...]
    solutions: tuple = ()  # the package's functions to show, if not `reference` itself
    show: Callable[[Call, int], Shown] = nothing
    given: int = field(default=0, repr=False)  # hints so far
    seen: dict = field(default_factory=dict, repr=False)  # the facts of the package's own and of mistakes

    def __call__(self, function=..., seed=0):
        """The verdict on a function, -> Verdict. Raises Unsolved if it is not right and all must be."""
        return graded(self.name, function, self.judge(function, seed))

    def __repr__(self):
        return f"The exercise {self.name}({', '.join(self.parameters)}): check, hint(), solution()"

    @property
    def last(self):
        """Where to look after the last hint."""
        return f"check.{self.name}.solution() shows the package's own."

    def solution(self):
        """The source of the package's own function."""
        parts = self.solutions or (self.reference,)
        return Words("\n".join(textwrap.dedent(inspect.getsource(part)) for part in parts))

    def judge(self, function, seed=0):
        """The verdict on a function, -> Verdict, whatever VAE_LESSONS_STRICT says."""
        if function is ... or untouched(function):
            return self._untouched()
        if trouble := self._unfit(function):
            return Verdict("wrong", None, f"Not yet: {trouble}")
        try:
            with guarded(seed):
                call = Call(function)
                facts = list(whole(self.observe(call, seed)))
                shown = self._shown(facts, call, seed)
        except TooLong:
            text = "Not yet: it takes too long, so it was stopped. Is there a loop without an end?"
            return Verdict("wrong", None, text)
        end = facts[-1].value
        if isinstance(end, Failure) and end.kind.startswith("NotImplementedError"):
            return self._untouched()
        return self._weigh(facts, shown, seed)

    def _shown(self, facts, call, seed):
        if not isinstance(facts[-1].value, Failure):
            with contextlib.suppress(Exception):  # a picture is no reason to stop
                return self.show(call, seed)
        return Shown()

    def _weigh(self, facts, shown, seed):
        wanted = self._wanted(seed)
        right = len(facts) == len(wanted) and all(map(agree, facts, wanted))
        if right and shown.fine:
            return Verdict("right", None, _joined(f"Right: {self.verified}", shown.says), shown.draw)
        mistake = None if right else self.named(facts, seed)
        told = mistake.says if mistake else "" if right else first_difference(facts, wanted)
        text = _joined("Not yet:", told, shown.says)
        return Verdict("wrong", mistake and mistake.name, text, shown.draw)

    def _wanted(self, seed):
        """The facts of the package's own."""
        key = self._key(self.reference, seed)
        if key not in self.seen:
            with guarded(seed, None):
                self.seen[key] = list(whole(self.observe(Call(self.reference), seed)))
        return self.seen[key]

    def named(self, facts, seed=0):
        """The first known mistake with these facts, -> Mistake or None."""
        with guarded(seed, None):
            for mistake in self.mistakes:
                if any(self._does(code, facts, seed) for code in mistake.codes):
                    return mistake
                if mistake.trait and mistake.trait(facts):
                    return mistake
        return None

    def _does(self, code, facts, seed):
        """Whether a mistake has these facts; those of it that were looked at before are kept."""
        key = self._key(code, seed)
        if not all(map(agree, facts, self.seen.get(key, ()))):
            return False
        reseed(seed)
        same, self.seen[key] = compared(facts, self.observe(Call(code), seed))
        return same

    def _key(self, code, seed):
        return code, seed, torch.get_default_dtype(), torch.get_default_device()

    def _untouched(self):
        text = f"{self.name} is still to be written. Until then the lesson goes on with the package's own."
        return Verdict("untouched", None, text)

    def _unfit(self, function):
        """What is wrong with it before it is called at all, or None."""
        wanted = f"{self.name}({', '.join(self.parameters)})"
        if not callable(function):
            return f"give the check your function itself, check.{self.name}({self.name}), without calling it."
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):  # some built-in functions have none
            return None
        names = [name for name in signature.parameters if name != "self"]
        own = f"{self.name}({', '.join(names)})"
        if sorted(names) == sorted(self.parameters) and names != list(self.parameters):
            return f"the arguments come in the order {wanted}, but yours is {own}."
        try:
            signature.bind(*self.parameters)
        except TypeError:
            return f"it is called as {wanted}, but yours is {own}."
        return None


def _joined(*parts):
    return " ".join(part for part in parts if part)
