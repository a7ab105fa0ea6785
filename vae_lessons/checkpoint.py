"""A training <-> a file, from which it goes on to the same numbers; never code."""

import os
import zlib
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from vae_lessons.files import written_whole
from vae_lessons.history import History, Scores
from vae_lessons.model.saved import different, is_plain, layers, read_whole
from vae_lessons.settings import plain, said

FORMAT = "vae_lessons checkpoint 1"


class Training(NamedTuple):
    """What changes while a model is trained."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator
    history: History


def resume(path, training, data, settings):
    """Bring a training to where its file has it, or begin the file -> save(), which writes it whole again.

    A file belongs to the data, settings, optimizer and layers of one training; code, as that of an objective,
    and what single groups of an optimizer have of their own are not compared. Random numbers go on, too:
    PyTorch's, from which dropout draws, and those of generators that parts of the model keep. Without a path
    nothing is read or written. Raises TypeError or ValueError, with the training unchanged, if the file is of
    another one, damaged or no checkpoint; OSError if it cannot be written.
    """
    if path is None:
        return lambda: None
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f'checkpoint must be the path of a file, such as "run.pt", not {said(path)}.')
    path, belongs, history = Path(path), _belongs(training, data, settings), training.history

    def save():
        content = {
            "format": FORMAT,
            "belongs": belongs,
            "model": training.model.state_dict(),
            "optimizer": _plain(training.optimizer.state_dict()),
            "schedule": _plain(training.schedule.state_dict()),
            "generators": [generator.get_state() for generator in _generators(training)],
            "history": [list(map(tuple, scores)) for scores in (history.train, history.test)],
            "seconds": history.seconds,
        }
        with written_whole(path) as file:
            torch.save(content, file)

    if path.exists():
        _restore(path, training, belongs)
    if len(history) < settings["epochs"]:
        save()  # what cannot be written is told before the first epoch, not after it
    return save


def _restore(path, training, belongs):
    """Put what a file holds into the training that it belongs to."""
    content = read_whole(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(
            f"{path} is no checkpoint that fit wrote, or it is damaged or cut off; name another file, or "
            "delete this one."
        )
    if differ := different(content["belongs"], belongs):
        raise ValueError(f"{path} is of another training: {differ}; name another file, or delete this one.")
    for name in ("model", "optimizer", "schedule"):
        getattr(training, name).load_state_dict(content[name])
    for generator, state in zip(_generators(training), content["generators"], strict=False):
        generator.set_state(state)
    history = training.history
    history.train, history.test = ([Scores(*scores) for scores in part] for part in content["history"])
    history.seconds = content["seconds"]


def _generators(training):
    """All from which a training draws random numbers: fit's own, those of the model's parts, PyTorch's."""
    values = [value for part in training.model.modules() for value in vars(part).values()]
    kept = [value for value in values if isinstance(value, torch.Generator)]
    return [training.generator, *kept, torch.default_generator, *torch.cuda.default_generators]


def _belongs(training, data, settings):
    """The training to which a file belongs, {name: words}."""
    model, optimizer = training.model, training.optimizer
    facts = settings | {"device": training.generator.device.type}
    for split in ("train", "test"):
        for part in ("pixels", "y"):
            facts[f"data.{split}.{part}"] = getattr(getattr(data, split), part)
    own = getattr(model, "settings", {})
    facts |= {f"model's {name}": value for name, value in own.items() if is_plain(value)}
    facts |= {f"model.{name}".rstrip("."): words for name, words in layers(model).items()}
    sizes = [len(group["params"]) for group in optimizer.param_groups]
    facts["optimizer"] = f"{type(optimizer).__name__} of {' + '.join(map(str, sizes))} tensors"
    facts |= {f"optimizer's {name}": value for name, value in optimizer.defaults.items()}
    return {name: _words(value) for name, value in facts.items()}


def _words(value):
    """A value as an error shows it, and as it is compared."""
    if isinstance(value, torch.Tensor) and value.ndim:
        content = value.detach().cpu().contiguous().view(torch.uint8).numpy()
        return f"{tuple(value.shape)} with the checksum {zlib.crc32(content):08x}"
    if isinstance(value, list) and len(set(value)) > 1:  # beta at each step
        return f"a schedule with the checksum {zlib.crc32(repr(value).encode()):08x}"
    if callable(value):  # importance(5): the function that it gave has kept the 5
        kept = [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
        name = getattr(value, "__qualname__", type(value).__name__).split(".<locals>")[0]
        return f"{name}({', '.join(map(str, filter(is_plain, kept)))})" if kept else name
    return str(value[0] if isinstance(value, list) else value)


def _plain(state):
    """A state with Python's numbers in place of NumPy's, which a file without code cannot hold."""
    if isinstance(state, dict):
        return {name: _plain(value) for name, value in state.items()}
    if type(state) in (list, tuple):
        return type(state)(map(_plain, state))
    return state if isinstance(state, torch.Tensor) else plain(state)
