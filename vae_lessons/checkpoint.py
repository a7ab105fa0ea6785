"""A training <-> a file, from which it goes on to the same numbers; never code."""

import os
import zlib
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from vae_lessons.files import written_whole
from vae_lessons.history import History, Scores
from vae_lessons.model.saved import is_plain, layers, read_whole
from vae_lessons.settings import plain, said

FORMAT = "vae_lessons checkpoint 1"
WITH_STATE = ("model", "optimizer", "schedule")


class Training(NamedTuple):
    """What changes while a model is trained."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator
    history: History


def resume(path, training, data, settings):
    """Bring a training to where its file has it, or begin the file -> save(), which writes the file again.

    Without a path nothing is read or written. A file belongs to the data, the settings, the optimizer and the
    layers of one training. Raises TypeError or ValueError, with nothing changed, if the file is of another, is
    no checkpoint or damaged; OSError if it cannot be written.
    """
    if path is None:
        return lambda: None
    path, belongs, began = _file(path), _belongs(training, data, settings), _random(training)
    if path.exists():
        began = _restore(path, training, belongs)

    def save():
        state = {name: _plain(getattr(training, name).state_dict()) for name in WITH_STATE}
        state["generator"], state["random"] = training.generator.get_state(), [began, _random(training)]
        history = [list(map(list, scores)) for scores in (training.history.train, training.history.test)]
        state |= {"history": history, "seconds": training.history.seconds}
        with written_whole(path) as file:
            torch.save({"format": FORMAT, "belongs": belongs} | state, file)

    if not path.exists():
        save()  # what cannot be written is told before the first epoch, not after it
    return save


def _restore(path, training, belongs):
    """Put the file's numbers into a training -> PyTorch's random state when it began."""
    state = read_whole(path)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ValueError(
            f"{path} is no checkpoint that `fit` wrote, or it is damaged or cut off; name another file, or "
            "delete it if nothing in it is needed."
        )
    theirs = state["belongs"]
    others = [name for name in belongs | theirs if belongs.get(name) != theirs.get(name)]
    if others:
        what = (
            f"{name} is {theirs.get(name)} in the file and {belongs.get(name)} here" for name in others[:3]
        )
        raise ValueError(
            f"{path} belongs to another training: {', '.join(what)}; name another file, or delete it to begin anew."
        )
    for name in WITH_STATE:
        getattr(training, name).load_state_dict(state[name])
    training.generator.set_state(state["generator"])
    history = training.history
    history.train, history.test = ([Scores(*scores) for scores in part] for part in state["history"])
    history.seconds, (began, now) = state["seconds"], state["random"]
    if not all(map(torch.equal, began, now)):  # the model draws from it, as dropout does
        for put, random in zip((torch.set_rng_state, torch.cuda.set_rng_state), now, strict=False):
            put(random)
    return began


def _random(training):
    """The states of PyTorch's own generators, from which layers such as dropout draw."""
    on_cuda = training.generator.device.type == "cuda"
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if on_cuda else [])]


def _file(path):
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise TypeError(f'checkpoint must be the path of a file, such as "run.pt", not {said(path)}.')
    if os.path.isdir(path):
        raise ValueError(
            f'checkpoint must be a file, such as "{Path(path, "run.pt")}", but {path} is a folder.'
        )
    return Path(path)


def _belongs(training, data, settings):
    """What a file belongs to, {name: words}. The code of functions and layers is not among it."""
    model, optimizer = training.model, training.optimizer
    facts = settings | {"device": training.generator.device.type}
    for split in ("train", "test"):
        for part in ("pixels", "y"):
            facts[f"data.{split}.{part}"] = getattr(getattr(data, split), part, None)
    facts |= {name: value for name, value in _plain(optimizer.defaults).items() if is_plain(value)}
    facts["optimizer"] = type(optimizer).__name__
    facts["optimizer's groups"] = tuple(len(group["params"]) for group in optimizer.param_groups)
    for name, value in getattr(model, "settings", {}).items():
        facts |= {f"model's {name}": value} if is_plain(value) else {}
    for name, words in layers(model).items():
        facts[f"model.{name}".rstrip(".")] = words
    return {name: _words(value) for name, value in facts.items()}


def _words(value):
    """A value as an error shows it, and as it is compared."""
    if isinstance(value, torch.Tensor):
        bytes_ = value.detach().cpu().contiguous().view(torch.uint8).numpy()
        return f"{tuple(value.shape)} with the checksum {zlib.crc32(bytes_):08x}"
    if isinstance(value, list) and len(set(value)) > 1:
        return f"a schedule with the checksum {zlib.crc32(repr(value).encode()):08x}"
    if callable(value):  # importance(5), of which 5 is what its objective has kept
        kept = [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
        name = getattr(value, "__qualname__", type(value).__name__).split(".<locals>")[0]
        return name + (f"({', '.join(map(str, filter(is_plain, kept)))})" if kept else "")
    return str(value[0] if isinstance(value, list) else value)


def _plain(state):
    """A state with Python's numbers in place of NumPy's, which a file that holds no code cannot have."""
    if isinstance(state, dict):
        return {name: _plain(value) for name, value in state.items()}
    if type(state) in (list, tuple):
        return type(state)(map(_plain, state))
    return state if isinstance(state, torch.Tensor) else plain(state)
