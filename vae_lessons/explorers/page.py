"""What every explorer is made of: words, a still picture, and a script that holds all that it draws."""

import base64
import hashlib
import json
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vae_lessons.plots import COLOURS, INK, array, classes, make_room, scatter

HERE = Path(__file__).parent
IMAGES = 1_000  # real images that an explorer sends: the points of a plane, and where the nearest is found
AFTER = {nn.SiLU: "silu", nn.ReLU: "relu", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid"}


class Page:
    """An explorer that lives in the page: its script needs no kernel, no widget and no network.

    `data`, numbers, words and arrays, goes to the function `explore(stage, data)` of `NAME.js`. Until the
    script has drawn, and wherever scripts do not run, `still`, a Picture, stands in its place.
    """

    def __init__(self, name, still, data):
        self.name, self.still, self.data = name, still, data

    def html(self):
        """The explorer as a piece of a page, -> str."""
        sent = self.data | {"colours": COLOURS}
        data = json.dumps(sent, default=packed, separators=(",", ":")).replace("<", "\\u003c")
        script = "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in ("kit", self.name))
        key = hashlib.sha256((script + data).encode()).hexdigest()[:12]
        still = self.still._repr_mimebundle_()["text/html"]
        return (
            f'<div class="vae-explorer vae-explorer-{self.name}" data-vae="{key}">{still}</div>'
            f'<script type="module">{script}\nlaunch("{key}", explore, {data});</script>'
        )

    def __repr__(self):
        return self.still.caption

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": repr(self), "text/html": self.html()}


def packed(values):
    """An array as what `unpack` of kit.js reads: its type, its shape, its bytes, -> dict."""
    values = array(values)
    if values.ndim == 0:
        return values.item()
    raw = values.astype(values.dtype.newbyteorder("<")).tobytes()
    text = base64.b64encode(zlib.compress(raw, 9)).decode()
    return {"dtype": values.dtype.name, "shape": values.shape, "bytes": text}


def network(module, x, heads=1, precision="int8"):
    """A network of linear layers as `Network` of kit.js runs it, module, inputs (B, ...) -> list of layers.

    Its layers are run in the order in which they stand; the last two side by side if it has two heads.
    Weights are whole numbers from -127 to 127 with a scale for each row, or float32. Raises ValueError if
    that is not what the module does with `x`.
    """
    layers = []
    for leaf in (leaf for leaf in module.modules() if not list(leaf.children())):
        if isinstance(leaf, nn.Linear):
            weight = leaf.weight.detach().float().cpu()
            bias = torch.zeros(len(weight)) if leaf.bias is None else leaf.bias.detach().float().cpu()
            layers.append({"weight": weight, "bias": bias, "after": ""})
        elif type(leaf) in AFTER and layers:
            layers[-1]["after"] = AFTER[type(leaf)]
    if heads == 2:
        mu, log_var = layers[-2:]
        layers[-2:] = [mu | {key: torch.cat([mu[key], log_var[key]]) for key in ("weight", "bias")}]
    with torch.no_grad():
        wanted = module(x) if heads == 1 else torch.cat(tuple(module(x)), 1)
        if not _same(_run(layers, x.flatten(1).float().cpu()), wanted.flatten(1).float().cpu()):
            raise ValueError(
                "An explorer runs linear layers with SiLU, ReLU, tanh or sigmoid between them, one after the "
                f"other; {type(module).__name__} does something else."
            )
    return [layer | quantized(layer["weight"]) if precision == "int8" else layer for layer in layers]


def _run(layers, values):
    """What the page will compute, or None if the layers do not fit."""
    for layer in layers:
        if values.shape[1] != layer["weight"].shape[1]:
            return None
        values = nn.functional.linear(values, layer["weight"], layer["bias"])
        values = getattr(nn.functional, layer["after"])(values) if layer["after"] else values
    return values


def _same(found, wanted):
    return found is not None and found.shape == wanted.shape and torch.allclose(found, wanted, 1e-3, 1e-3)


def quantized(weight):
    """Whole numbers and a scale for each row, (O, I) -> dict of weight int8 (O, I), scale (O,)."""
    scale = (weight.abs().amax(1) / 127).clamp(min=1e-12)
    return {"weight": (weight / scale[:, None]).round().to(torch.int8), "scale": scale}


def decoder(model, box=None, precision="int8"):
    """What draws what a model decodes, Autoencoder or VAE -> dict.

    Only in a `box` of the plane (left, right, bottom, top), if it is given: pixels that are white all over it
    lose their weights, which a fifth of all bytes are.
    """
    if box is None:
        z = torch.randn(8, model.latent, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    else:
        z = torch.cartesian_prod(*(torch.linspace(*ends, 40) for ends in (box[:2], box[2:])))
    z = z.to(model.device, next(model.parameters()).dtype)
    layers = network(model.decoder, z, 1, precision)
    if box is not None:
        with torch.no_grad():
            out = model.decoder(z)
        white = (model.likelihood.mean(out).abs().flatten(1).amax(0) < 1 / 255).cpu()
        last = layers[-1]
        last["weight"] = last["weight"].masked_fill(white[:, None], 0)
        last["bias"] = torch.where(white, out.flatten(1).mean(0).cpu().float(), last["bias"])
    output = "sigmoid" if torch.equal(model.likelihood.mean(torch.zeros(1)), torch.tensor([0.5])) else ""
    return {"layers": layers, "output": output}


def encoder(model, images, precision="int8"):
    """What the page needs to encode an image as a model does, Autoencoder or VAE -> list of layers.

    The output is the code, or mu and log_var one after the other.
    """
    x = images[:8].to(model.device, next(model.parameters()).dtype)
    with torch.no_grad():
        heads = 2 if isinstance(model.encode(x), tuple) else 1
    return network(model.encoder, x, heads, precision)


def real_images(data, count=IMAGES):
    """The first test images, on the CPU, and their classes -> (N, *shape), int array (N,)."""
    images, y = data.test.batch(slice(count)).x.float().cpu(), data.test.y
    return images, classes([0] * len(images) if y is None else y[:count], len(images))


def as_bytes(images, shades=32):
    """Images as the page takes them, numbers 0 to 1 -> uint8, in few shades of grey, for less room."""
    return (255 / (shades - 1) * (array(images).clip(0, 1) * (shades - 1)).round()).round().astype(np.uint8)


def check_plane(model):
    """Raise ValueError unless a model's codes have 2 numbers."""
    latent = getattr(model, "latent", None)
    if latent != 2:
        raise ValueError(f"A plane needs codes of 2 numbers, but latent is {latent}.")


def box(codes, limit=None):
    """What part of the plane is shown, (N, 2) -> [left, right, bottom, top], a square."""
    if limit:
        return [-limit, limit, -limit, limit]
    low, high = codes.amin(0), codes.amax(0)
    half = float(0.53 * (high - low).max().clamp(min=1e-3))
    x, y = ((low + high) / 2).tolist()
    return [x - half, x + half, y - half, y + half]


def named(models):
    """A model, a list of models, or a dictionary -> [(name, model)]."""
    several = models if isinstance(models, list | tuple) else [models]
    return list(models.items()) if isinstance(models, dict) else [(type(m).__name__, m) for m in several]


def planes_of(models, images, limit=None):
    """Each model's plane of codes; models as for `named` -> list of dict: name, model, codes (N, 2), box.

    Raises ValueError unless latent is 2.
    """
    models = named(models)
    for _, model in models:
        check_plane(model)
    codes = [model.code(images).float() for _, model in models]
    return [
        {"name": name, "model": model, "codes": z, "box": box(z, limit)}
        for (name, model), z in zip(models, codes, strict=True)
    ]


def draw_plane(ax, codes, y, ends, at):
    """A plane of codes (N, 2) as a still shows it, coloured by class (N,), the handle at a place (2,)."""
    scatter(ax, array(codes), y)
    ax.plot(*array(at), "o", ms=11, mfc="white", mec=INK, mew=2, zorder=4)
    ax.set(xlim=ends[:2], ylim=ends[2:], aspect="equal")
    make_room(ax, 0.075)
