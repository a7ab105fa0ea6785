"""A model <-> a file: its settings and weights, never code."""

import re
import zipfile
from pathlib import Path

import torch
from torch import nn

from vae_lessons.files import written_whole
from vae_lessons.model.conditional import ConditionalVAE
from vae_lessons.model.convolutional import ConvolutionalVAE
from vae_lessons.model.vae import VAE, Autoencoder
from vae_lessons.model.vq import WordVAE
from vae_lessons.runtime import resolve_device
from vae_lessons.settings import said

FORMAT, VERSION = "vae_lessons model", 2
KINDS = {kind.__name__: kind for kind in (Autoencoder, VAE, ConditionalVAE, ConvolutionalVAE, WordVAE)}
PLAIN = (bool, int, float, str, type(None))  # what a file may hold that is read without running code


def save_model(model, path):
    """Write a model's settings, layers and weights to a file, whole or not at all; never code.

    Any module will do. `load_model` builds an Autoencoder or a VAE of this package again; a model with a
    class or layers of its own has to be built and passed to it. Raises TypeError if it is no module, OSError
    where the file cannot be written.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a module, such as a VAE, not {said(model)}.")
    settings = getattr(model, "settings", {})
    content = {
        "format": FORMAT,
        "version": VERSION,
        "kind": _name(type(model)),
        "settings": settings if is_plain(list(settings.values())) else {},
        "layers": layers(model),
        "state": {name: value.cpu() for name, value in model.state_dict().items()},
    }
    with written_whole(path) as file:
        torch.save(content, file)


def load_model(path, device="auto", into=None):
    """Read a model that `save_model` wrote, onto a device. No code in the file is run.

    `into` is a model built as the saved one was, which takes the weights: it is needed where the class or the
    layers are not the package's own, load_model(path, into=MyVAE(latent=8)). Raises FileNotFoundError, or
    ValueError if the file is damaged, not ours or of a later version, if it needs `into`, or does not fit it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    content = _read(path)
    if content["version"] == 1:
        content = _from_version_1(content)
    kind = content["kind"].rpartition(".")[2]
    model = _built(content) if into is None else into
    if model is None:
        raise ValueError(
            f"{path} holds a {kind} with a class or layers of its own; build one alike and pass it: "
            f"load_model(path, into={kind}(...))."
        )
    if differ := different(content["layers"], layers(model)):
        raise ValueError(f"{path} holds a {kind} that is not like the model passed in: {differ}.")
    try:
        model.load_state_dict(content["state"])
    except RuntimeError:
        raise ValueError(f"{path} is damaged: its weights do not fit its settings.") from None
    return model.to(resolve_device(device))


def read_whole(path):
    """What torch.save wrote into a file, no code in it run; None if it did not or the file is damaged."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        with zipfile.ZipFile(path) as file:
            return content if file.testzip() is None else None  # torch.load leaves the checksums unread
    except Exception:  # torch.load fails in many ways on a file that is not its own
        return None


def _read(path):
    """The content of a file, once it is whole, ours and of a version that is known."""
    content = read_whole(path)
    ours = isinstance(content, dict) and content.get("format") == FORMAT
    version = content.get("version") if ours else None
    if version is None:
        raise ValueError(f"{path} is not a model saved by vae_lessons, or it is damaged or cut off.")
    if version not in (1, VERSION):
        raise ValueError(f"{path} is of version {version}, this vae_lessons reads {VERSION}; upgrade it.")
    parts = {"kind": str, "settings": dict, "state": dict} | ({"layers": dict} if version > 1 else {})
    if not all(isinstance(content.get(name), part) for name, part in parts.items()):
        raise ValueError(f"{path} is damaged: its weights do not fit its settings.")
    return content


def _from_version_1(content):
    """A file of the first edition as one of today: other names for the same weights."""
    head = {"VAE": "encoder.head.", "Autoencoder": "encoder."}[content["kind"]]
    names = {
        r"encoder\.(\d)": r"encoder.hidden.\1",
        r"(log_var_head|mu_head)\.": head + r"\1.",
        r"decoder\.(\d)": r"decoder.hidden.\1",
        r"logits_head": "decoder.out",
        "log_sigma": "likelihood.log_sigma",
    }
    state = {}
    for name, value in content["state"].items():
        old, new = next((old, new) for old, new in names.items() if re.match(old, name))
        state[re.sub(old, new, name).replace("encoder.mu_head", "encoder.head")] = value
    if content["settings"]["likelihood"] == "bernoulli":
        state.pop("likelihood.log_sigma", None)
    model = _built(content | {"layers": None})
    return content | {"state": state, "layers": layers(model)}


def _built(content):
    """A model of this package from its settings, or None where those do not give the layers in the file."""
    kind, dtypes = KINDS.get(content["kind"]), {value.dtype for value in content["state"].values()}
    try:
        model = kind(**content["settings"]).to(*dtypes)
    except (TypeError, ValueError):
        return None
    return model if content["layers"] in (None, layers(model)) else None


def _name(kind):
    """A class of this package by its name alone, another with its module."""
    return kind.__name__ if kind in KINDS.values() else f"{kind.__module__}.{kind.__qualname__}"


def is_plain(value):
    """Whether it is a number, words or None, or a tuple or list of such."""
    return all(map(is_plain, value)) if type(value) in (tuple, list) else type(value) in PLAIN


def layers(model):
    """What a model is made of, {name: words}: class and settings of each part, shape of each weight."""
    rows = {name: f"{type(part).__name__}({part.extra_repr()})" for name, part in model.named_modules()}
    learned = dict(model.named_parameters())
    for name, value in model.state_dict().items():
        rows[name] = f"{'weights' if name in learned else 'a buffer'} of shape {tuple(value.shape)}"
    return rows


def different(file, here):
    """The first row in which what a file was written for and what is here differ, in words, or None."""
    for name in file | here:
        if file.get(name) != here.get(name):
            saved, built = (rows.get(name, "missing") for rows in (file, here))
            return f"{name or 'the class'} is {saved} in the file and {built} here"
    return None
