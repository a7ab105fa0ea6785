"""Call a learner's function -> its answer, or why there is none. No error in it stops a check."""

import contextlib
import dis
import inspect
import linecache
import os
import random
import signal
import threading
import types
import warnings
from typing import NamedTuple

import numpy as np
import torch

SECONDS = 10.0  # for all calls of one check
IDLE = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE", "POP_TOP"}
IDLE |= {"MAKE_CELL", "COPY_FREE_VARS"}
RAISING = {"LOAD_GLOBAL", "LOAD_COMMON_CONSTANT", "PUSH_NULL", "PRECALL", "CALL", "CALL_FUNCTION"}
RAISING |= {"RAISE_VARARGS"}
PARENTS = {"super", "__init__", "torch", "nn", "Module"}


NONE = inspect.Parameter.empty


class Failure(NamedTuple):
    """Why there is no answer: a sentence for the learner, and the kind by which failures are compared."""

    sentence: str
    kind: str


class Failed(Exception):
    """Raised by a Call, with a Failure, if there is no answer to judge."""


class TooLong(BaseException):
    """Raised in a learner's code when time is up. An `except Exception` in it does not catch this."""


def no_answer(sentence):
    """The Failed to raise if an answer cannot be judged, sentence -> Failed."""
    return Failed(Failure(sentence, sentence))


class Call:
    """A learner's function, called on copies of its arguments. Raises Failed if the answer has another type.

    `call(...)` gives the raw answer, `call.tensor(...)` a tensor, `call.tensors(2, ...)` a tuple of two,
    `call.number(...)` a float. What the function prints is shown at the first call only. `parameters`
    maps those of the exercise to their defaults, or to `NONE`; one with a default is optional.
    """

    def __init__(self, function, parameters=None):
        self.function, self.parameters, self.times = function, parameters or {}, 0
        self.own = _own(function)

    def arranged(self, *args, **kwargs):
        """The arguments to call it with, -> list, dict: optional ones by name, if it has them."""
        given = dict(zip(self.parameters, args, strict=False)) or dict(enumerate(args))
        options = {name: value for name, value in self.parameters.items() if value is not NONE}
        first = list(self.own)[: len(self.parameters) - len(options)]
        if any(name in options for name in first):  # an optional one comes first: pass all by name
            named = {name: value for name, value in given.items() if name in self.own}
        else:
            named = {name: given[name] for name in options if name in given and name in self.own}
        asked = {name for name in options if self.own.get(name) is NONE} - given.keys() - kwargs.keys()
        placed = [value for name, value in given.items() if name not in named]
        return placed, named | kwargs | {name: options[name] for name in asked}

    def __call__(self, *args, **kwargs):
        args, kwargs = self.arranged(*args, **kwargs)
        args = [_clone(value) for value in args]
        kwargs = {name: _clone(value) for name, value in kwargs.items()}
        self.times += 1
        try:
            with contextlib.nullcontext() if self.times == 1 else _silence():
                return self.function(*args, **kwargs)
        except (Exception, SystemExit) as error:
            kind = f"{type(error).__name__}: {error}"
            raise Failed(Failure(said_by(error, self.function), kind)) from None

    def tensor(self, *args, **kwargs):
        """Call the function and validate that its answer is one tensor of real numbers."""
        return _tensor(self(*args, **kwargs))

    def tensors(self, count, *args, **kwargs):
        """Call the function and validate that its answer is `count` tensors, -> tuple."""
        answer = self(*args, **kwargs)
        if answer is None or answer is ...:
            _tensor(answer)
        if not isinstance(answer, (tuple, list)) or len(answer) != count:
            came = f"{len(answer)} values" if isinstance(answer, (tuple, list)) else _kind(answer)
            raise no_answer(f"It must return {count} tensors, in this order, but it returned {came}.")
        return tuple(_tensor(part) for part in answer)

    def number(self, *args, **kwargs):
        """Call the function and validate that its answer is one number, -> float."""
        answer = self(*args, **kwargs)
        if isinstance(answer, (torch.Tensor, np.ndarray, np.generic)) and np.prod(answer.shape) == 1:
            answer = answer.item()
        if isinstance(answer, (int, float)):
            return float(answer)
        if answer is None or answer is ...:
            _tensor(answer)
        raise no_answer(f"It must return one number, but it returned {_kind(answer)}.")


@contextlib.contextmanager
def guarded(seed, seconds=SECONDS):
    """Run seeded and isolated: random states, settings and warnings are restored afterwards.

    Raises TooLong after `seconds`, unless it is None, in the main thread and not on Windows.
    """
    dtype, states = torch.get_default_dtype(), (random.getstate(), np.random.get_state())  # noqa: NPY002
    cuda = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=cuda))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.callback(torch.set_default_dtype, dtype)
        stack.callback(random.setstate, states[0])
        stack.callback(np.random.set_state, states[1])
        reseed(seed)
        stack.enter_context(_limit(seconds))
        yield


def untouched(function):
    """Whether a function's body is only a docstring and `...`, `pass` or `raise NotImplementedError`.

    A class is untouched if all its methods are; its __init__ may call its parent's.
    """
    if inspect.isclass(function):
        own = [f for f in vars(function).values() if inspect.isfunction(f)]
        return all(untouched(f) or _calls_parent(f) for f in own)
    code = getattr(function, "__code__", None)
    if code is None or not isinstance(function, types.FunctionType):
        return False
    steps = list(dis.get_instructions(code))
    loaded = [step.argrepr for step in steps if step.opname in ("LOAD_GLOBAL", "LOAD_COMMON_CONSTANT")]
    if loaded and all("NotImplementedError" in name for name in loaded):
        return all(step.opname in IDLE | RAISING for step in steps)
    values = [step.argval for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST")]
    return all(step.opname in IDLE for step in steps) and all(v is None or v is ... for v in values)


def _calls_parent(function):
    """Whether an __init__ does nothing but call its parent's."""
    return function.__name__ == "__init__" and set(function.__code__.co_names) <= PARENTS


def _own(function):
    """The parameters that a function can be given by name, with their defaults, -> dict."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some built-in functions have no signature
        return {}
    return {p.name: p.default for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def said_by(error, function):
    """The learner's exception in words: type, message, and the line of their code that raised it."""
    text = str(error).strip()
    said = f"Your code stopped with {type(error).__name__}{': ' if text else '.'}{text[:400]}"
    lines = [at for at in _frames(error.__traceback__) if at[0] in _files(function)]
    if not lines:
        return said
    file, number = lines[-1]
    source = linecache.getline(file, number).strip()
    return f"{said}\n    at line {number}{': ' + source if source else ''}"


def _frames(traceback):
    while traceback:
        yield traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next


def _files(function):
    """The files, or cells of a notebook, that contain the learner's function or a class's methods."""
    parts = vars(function).values() if inspect.isclass(function) else [inspect.unwrap(function)]
    return {part.__code__.co_filename for part in parts if hasattr(part, "__code__")}


def _clone(value):
    """A copy that may be changed in place and still passes gradients to the original."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_clone, value))
    return value


def _tensor(answer):
    """Validate that an answer is a tensor of real numbers, and return it."""
    if isinstance(answer, torch.Tensor) and not answer.is_complex():
        return answer
    if answer is None:
        raise no_answer("It returned nothing (None): end it with `return` and the result.")
    if answer is ...:
        raise no_answer("It still returns `...`: put the result in its place.")
    end = "; compute with torch, so that gradients can pass." if isinstance(answer, np.ndarray) else "."
    raise no_answer(f"It must return a tensor, but it returned {_kind(answer)}{end}")


def _kind(answer):
    if isinstance(answer, np.ndarray):
        return "a NumPy array"
    if isinstance(answer, types.GeneratorType):
        return "a generator (it has `yield` where `return` is meant)"
    if isinstance(answer, torch.Tensor):
        return f"a tensor of shape {tuple(answer.shape)}, {answer.dtype}"
    name = type(answer).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def reseed(seed):
    """Seed every generator that a function may use; only inside `guarded`."""
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would also queue one for a GPU not used yet
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


@contextlib.contextmanager
def _silence():
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


@contextlib.contextmanager
def _limit(seconds):
    main = threading.current_thread() is threading.main_thread()
    if seconds is None or not main or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_):
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)  # again, if their code swallows it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)
