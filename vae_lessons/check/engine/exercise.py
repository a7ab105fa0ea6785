"""A learner's function -> verdict: right, or which of the known mistakes it is, or where it differs."""

import contextlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, product
from typing import NamedTuple

import torch

from vae_lessons.check.engine.calling import NONE, SECONDS, Call, Failure, TooLong, guarded, reseed, untouched
from vae_lessons.check.engine.facts import Fact, agree, compared, first_difference, tensor_facts, whole
from vae_lessons.check.engine.multiples import MULTIPLES, SIMPLE, fitting, times
from vae_lessons.check.engine.probes import Probe
from vae_lessons.check.engine.verdict import Hinted, Verdict, Words, graded

# Where mistakes were seen, if no more is known of it than that.
PUBLIC = "public VAE code and the issues filed on it"
COURSE = "course material and its forums"
NEAR = "added here, because it is close to one that was seen"


class Mistake(NamedTuple):
    """One known mistake."""

    name: str
    says: str  # what the learner reads: what is wrong, and what would be right
    seen: str  # where it was seen
    codes: tuple  # functions that make the mistake, each in a way that a check can tell from the others
    trait: Callable | None = None  # facts -> bool: recognises it where no fixed code does


class Shown(NamedTuple):
    """What is added to a verdict by a picture of the answer, or by putting it on a meter."""

    draw: Callable | None = None  # () -> plots.Picture, called when the verdict is displayed
    says: str = ""  # a sentence added to the message
    fine: bool = True  # False makes a right answer wrong


def nothing(call, seed):
    """No picture, and nothing more to say."""
    return Shown()


def no_remark(call, seed):
    """Nothing to add to a right answer."""
    return ""


@dataclass(kw_only=True)
class Exercise(Hinted):
    """A function for the learner to write: its check, its hints and its solution. Call it with the function.

    An answer is right if its facts agree with those of `reference`; if not, it is the first of `mistakes`
    with the same facts. For a function from tensors to one tensor, `probes(seed)` gives the inputs,
    smallest first, and `gradients` names the parameters that a gradient must reach. For any other function,
    `observe(call, seed)` yields the Facts itself.
    """

    reference: Callable  # the package's function, or a thin wrapper of it
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, ...]
    name: str = ""  # the reference's, if left out
    parameters: tuple[str, ...] = ()  # the reference's, if left out
    probes: Callable[[int], Iterable[Probe]] | None = None
    gradients: tuple[str, ...] = ()
    observe: Callable[[Call, int], Iterator[Fact]] | None = None
    verified: str = "its values and gradients agree with the package's on every input."  # after "Right: "
    solutions: tuple = ()  # the package's functions to show, if not `reference` itself
    pairs: tuple[Mistake, ...] = ()  # two mistakes at once, looked for after `mistakes`
    remark: Callable[[Call, int], str] = no_remark  # a sentence added to a right answer, or ""
    show: Callable[[Call, int], Shown] = nothing
    seconds: float = SECONDS  # for all calls of one check
    given: int = field(default=0, repr=False)  # hints so far
    seen: dict = field(default_factory=dict, repr=False)  # facts of the reference and of mistakes, kept

    def __post_init__(self):
        self.name = self.name or self.reference.__name__
        self.parameters = self.parameters or tuple(inspect.signature(self.reference).parameters)

    def facts(self, call, seed):
        """What a function does on the probes of a seed, Call, int -> Facts."""
        if self.observe:
            yield from self.observe(call, seed)
            return
        for probe in self.probes(seed):
            yield from tensor_facts(call, probe, self.parameters, self.gradients)

    def __call__(self, function=..., seed=0):
        """The verdict on a function, -> Verdict. In strict mode, raises Unsolved if it is not right."""
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

    def working(self, function):
        """The learner's function if it is right, else the package's own: what a lesson goes on with."""
        return function if self.judge(function).status == "right" else self.reference

    def judge(self, function, seed=0):
        """The verdict on a function, -> Verdict, whatever VAE_LESSONS_STRICT says."""
        if function is ... or untouched(function):
            return self._untouched()
        if trouble := self._unfit(function):
            return Verdict("wrong", None, f"Not yet: {trouble}")
        try:
            with guarded(seed, self.seconds):
                call = self._call(function)
                facts = list(whole(self.facts(call, seed)))
                shown = self._shown(facts, call, seed)
            right = self._right(facts, seed)
            remark = self._remarked(call, seed) if right and shown.fine else ""
        except TooLong:
            text = "Not yet: it takes too long, so it was stopped. Is there an infinite loop?"
            return Verdict("wrong", None, text)
        if right and shown.fine:
            return Verdict("right", None, _joined(f"Right: {self.verified}", shown.says, remark), shown.draw)
        return self._refused(facts, right, shown, seed)

    def _call(self, function):
        """A function, to be called with the reference's defaults, -> Call."""
        own = inspect.signature(self.reference).parameters
        return Call(function, {name: own[name].default if name in own else NONE for name in self.parameters})

    def _remarked(self, call, seed):
        with guarded(seed), contextlib.suppress(Exception):  # a remark must not fail a check
            return self.remark(call, seed)
        return ""

    def _shown(self, facts, call, seed):
        if not isinstance(facts[-1].value, Failure):
            with contextlib.suppress(Exception):  # a picture must not fail a check
                return self.show(call, seed)
        return Shown()

    def _right(self, facts, seed):
        """Whether these facts agree with the reference's."""
        wanted = self._wanted(seed)
        return len(facts) == len(wanted) and all(map(agree, facts, wanted))

    def _refused(self, facts, right, shown, seed):
        """The verdict on an answer with a mistake, or with right facts that `show` does not accept."""
        mistake = None if right else self.named(facts, seed)
        told = mistake.says if mistake else "" if right else first_difference(facts, self._wanted(seed))
        text = _joined("Not yet:", told, shown.says)
        return Verdict("wrong", mistake and mistake.name, text, shown.draw)

    def _wanted(self, seed):
        """The facts of the reference."""
        key = self._key(self.reference, seed)
        if key not in self.seen:
            with guarded(seed, None):
                self.seen[key] = list(
                    self.facts(self._call(self.reference), seed)
                )  # an error here is the exercise's
        return self.seen[key]

    def named(self, facts, seed=0):
        """The first known mistake with these facts, or two of them at once, -> Mistake or None."""
        with guarded(seed, None):
            for mistake in chain(self.mistakes, self._multiples, self.pairs, self._doubles):
                if any(self._does(code, facts, seed) for code in mistake.codes):
                    return mistake
                if mistake.trait and mistake.trait(facts):
                    return mistake
        return None

    @cached_property
    def _multiples(self):
        """The right answer times a known constant, -> Mistakes."""
        if not isinstance(self._wanted(0)[-1].value, (torch.Tensor, float)):
            return ()  # an answer of another kind, such as pictures or layers
        return tuple(
            Mistake(
                words := f"the right answer {multiple.words}",
                f"this is {words}. Nothing else is wrong.",
                PUBLIC,
                (times(self.reference, self.parameters, multiple),),
            )
            for multiple in fitting(MULTIPLES, self.parameters)
        )

    @cached_property
    def _doubles(self):
        """Known mistakes, the answer then times a known constant, -> Mistakes."""
        if not isinstance(self._wanted(0)[0].value, (torch.Tensor, float)):
            return ()  # draws: a wrong sampler times a constant is another wrong sampler
        return tuple(
            Mistake(
                f"{mistake.name}, {multiple.words}",
                f"two mistakes at once. First: {mistake.says} Second: the whole is {multiple.words}.",
                NEAR,
                tuple(times(code, self.parameters, multiple) for code in mistake.codes),
            )
            for mistake, multiple in product(self.mistakes, fitting(SIMPLE, self.parameters))
        )

    def _does(self, code, facts, seed):
        """Whether a code has these facts. Its own are kept, up to the first that differs."""
        key = self._key(code, seed)
        if not all(map(agree, facts, self.seen.get(key, ()))):
            return False
        reseed(seed)
        same, self.seen[key] = compared(facts, self.facts(self._call(code), seed))
        return same

    def _key(self, code, seed):
        return code, seed, torch.get_default_dtype(), torch.get_default_device()

    def _untouched(self):
        text = f"{self.name} is still to be written. Until then the lesson goes on with the package's own."
        return Verdict("untouched", None, text)

    def _unfit(self, function):
        """What is wrong with a function before it is called, or None."""
        wanted = f"{self.name}({', '.join(self.parameters)})"
        if not callable(function):
            return f"give the check your function itself, check.{self.name}({self.name}), without calling it."
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):  # some built-in functions have none
            return None
        call = self._call(function)
        own = f"{self.name}({', '.join(signature.parameters)})"
        needed = [name for name in self.parameters if call.parameters[name] is NONE]
        names = [name for name in signature.parameters if name not in self.parameters or name in needed]
        if sorted(names) == sorted(needed) and names != needed:
            return f"the arguments come in the order {wanted}, but yours is {own}."
        try:
            args, kwargs = call.arranged(*self.parameters)
            signature.bind(*args, **kwargs)
        except TypeError:
            return f"it is called as {wanted}, but yours is {own}."
        return None


def _joined(*parts):
    return " ".join(part for part in parts if part)
