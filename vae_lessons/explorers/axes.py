"""Turn two axes of a latent space: what they draw and hold changes, p(x) does not (lesson 12)."""

import torch

from vae_lessons import measures, plots
from vae_lessons.data import Split
from vae_lessons.explorers.page import Page, decoder, draw_plane
from vae_lessons.plots import COLOURS
from vae_lessons.settings import whole_number

IMAGES, SHOWN, REACH = 400, 10, 1.5
STEPS = torch.linspace(-REACH, REACH, 7)


def axes(model, data, labels=100, pair=None):
    """Turn two of a VAE's axes, VAE, Data with factors -> Page.

    A handle on the plane of the two axes is the dial. Beside it: what each of the turned axes draws, from
    -1.5 to 1.5; how much of each factor it holds, as R^2 on test images, and all axes together, which never
    changes; and KL(q' || turned q) of the best diagonal q', over the angle: what the ELBO loses where the
    posterior is q. A button turns the first two axes to the directions that ridge regression finds from
    `labels` images, for the slant and the thickness: a Split with factors, or how many of the first training
    images. `pair` numbers the axes, from 1 on; None takes the best one for the slant and, of the others, for
    the thickness. Raises ValueError if the data or the labelled images have no factors, the model has fewer
    than two axes, or `pair` is not two of them.
    """
    labelled = labels if isinstance(labels, Split) else data.train.first(labels)
    if labelled.factors is None or data.test.factors is None:
        raise ValueError("This explorer needs data whose factors are known, such as load('digits').")
    if getattr(model, "latent", 0) < 2:
        raise ValueError(f"Two axes are turned, but latent is {getattr(model, 'latent', None)}.")
    factors, names = torch.stack(data.test.factors, 1), data.test.factors._fields
    with torch.no_grad():
        mu, log_var = (part.cpu() for part in model.encode(data.test.x.to(model.device)))
    taught = _taught(model, labelled)
    scaled = ((factors - factors.mean(0)) / factors.std(0)).cpu()
    centred = mu - mu.mean(0)
    covariance, shared = centred.T @ centred / (len(mu) - 1), centred.T @ scaled / (len(mu) - 1)
    whole = (shared * torch.linalg.lstsq(covariance, shared).solution).sum(0)
    digit = [int((data.test.y == c).nonzero()[0]) for c in data.test.y.unique()][:SHOWN]
    caption = (
        "Explorer: the plane of two latent axes, A and B, with a handle (the ring) that turns them, the "
        "pictures along A and along B, how much of each factor A and B hold, and how the ELBO changes with "
        "the angle if q must be diagonal."
    )
    first = _pair(pair, shared**2 / covariance.diagonal()[:, None])
    return Page(
        "axes",
        _still(model, mu, log_var, data.test.y, digit[0], first, covariance, shared, whole, names, caption),
        {
            "decoder": decoder(model),
            "mu": mu[:IMAGES].float(),
            "precision": torch.exp(-log_var[:IMAGES]).float(),
            "labels": data.test.y[:IMAGES].tolist(),
            "starts": mu[digit].float(),
            "digits": data.test.y[digit].tolist(),
            "covariance": covariance.float(),
            "shared": shared.float(),
            "whole": whole.tolist(),
            "names": names,
            "taught": taught,
            "count": len(labelled),
            "pair": first,
            "steps": STEPS,
            "shape": data.test.pixels.shape[1:],
        },
    )


def _pair(pair, alone):
    """Two axes, from 0 on: those asked for, or the best for the first and the last factor, (L, F)."""
    if pair is None:
        slant, thickness = int(alone[:, 0].argmax()), alone[:, -1].clone()
        thickness[slant] = -1
        return [slant, int(thickness.argmax())]
    one, two = (whole_number("pair", axis, at_most=len(alone)) - 1 for axis in pair)
    if one == two:
        raise ValueError(f"pair must be two different axes, but both are {one + 1}.")
    return [one, two]


def _taught(model, labelled):
    """The rotation after which the first two axes lie along the slant and the thickness, (L, L)."""
    y = torch.stack([labelled.factors.slant, labelled.factors.thickness], 1)
    return measures.turn_to(measures.ridge(model.code(labelled.x), y, penalty=10.0).slope.T).cpu()


def _still(model, mu, log_var, y, start, pair, covariance, shared, whole, names, caption):
    figure, ((plane, walks), (nats, bars)) = plots.axes(2, 2, size=(4.2, 2.9), height_ratios=[1.2, 1])
    tints = [COLOURS[6], COLOURS[0]]
    draw_plane(plane, mu[:IMAGES, pair], plots.array(y[:IMAGES]), [-4, 4, -4, 4], (3, 0))
    plane.axhline(0, color=tints[0], zorder=1)
    plane.axvline(0, color=tints[1], zorder=1)
    walks.set_title(f"along A and B, from \N{MINUS SIGN}{REACH} to {REACH}", fontsize=10)
    for ax, spots in ((plane, [(3.6, 0.05), (0, 3.6)]), (walks, [(-12, 14), (-12, 42)])):
        for name, colour, spot in zip("AB", tints, spots, strict=True):
            ax.text(
                *spot, name, color=colour, weight="bold", ha="center", va="center", path_effects=plots.HALO
            )
    plane.set(xlabel=f"A: axis {pair[0] + 1}", ylabel=f"B: axis {pair[1] + 1}")
    z = mu[start].repeat(2, len(STEPS), 1)
    z[0, :, pair[0]] = z[1, :, pair[1]] = STEPS
    plots.tiles(walks, plots.drawable(model.picture(z.flatten(0, 1))), len(STEPS))
    degrees = torch.linspace(-90, 90, 61)
    nats.axhline(0, color=plots.INK, ls="--", label="log p(x)")
    change = [-_lost(mu[:IMAGES], log_var[:IMAGES], pair, angle) for angle in degrees]
    nats.plot(plots.array(degrees), change, color=COLOURS[4], label="ELBO with a diagonal q")
    deepest = max(0.25, -1.6 * min(change))
    nats.set(xlabel="turned by, degrees", ylabel="change, nats", xticks=[-90, -45, 0, 45, 90])
    nats.set_ylim(-deepest, 0.2 * deepest)
    nats.legend(frameon=False, fontsize=8, loc="lower left")
    alone = (shared**2 / covariance.diagonal()[:, None])[pair]
    for i, (name, colour) in enumerate(zip("AB", tints, strict=True)):
        at = [k + (i - 0.5) * 0.35 for k in range(len(names))]
        bars.barh(at, plots.array(alone[i]), 0.35, color=colour, label=name)
    bars.barh(range(len(names)), plots.array(whole), 0.8, fill=False, edgecolor=plots.FAINT, label="all axes")
    bars.set_yticks(range(len(names)), names)
    bars.invert_yaxis()
    bars.set(xlabel="R² on test images", xlim=(0, 1))
    bars.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return plots.Picture(figure, caption)


def _lost(mu, log_var, pair, degrees):
    """KL(q' || q turned by an angle in the plane of two axes), the mean over images, in nats."""
    turn, (cosine, sine) = (
        torch.eye(mu.shape[1]),
        (torch.cos(degrees.deg2rad()), torch.sin(degrees.deg2rad())),
    )
    turn[pair, pair] = cosine
    turn[pair[0], pair[1]], turn[pair[1], pair[0]] = sine, -sine
    return (log_var - measures.rotated(mu, log_var, turn).log_var).sum(1).mean().item() / 2
