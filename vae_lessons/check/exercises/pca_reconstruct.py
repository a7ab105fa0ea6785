"""The exercise on PCA's reconstruction, and how it goes wrong."""

import torch

from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Exercise,
    Fact,
    Mistake,
    Probe,
    Shown,
    no_answer,
    noise,
    pictures,
    placed,
    tensor_facts,
)
from vae_lessons.pca import PCA

NAMES = ("x", "mean", "components")
IN_PLANE = "whether the pictures lie in the plane of the components"


def _flat_world(images, pixels, latent, seed):
    """Images, a mean and orthonormal components, (B, D), (D,), (L, D)."""
    components = torch.linalg.qr(noise(pixels, latent, seed=seed)).Q.T
    return 2 * noise(images, pixels, seed=seed + 1), 1 + noise(pixels, seed=seed + 2), components


def _probes(seed):
    numbers = ([[3.0, 4.0]], [1.0, 1.0], [[1.0, 0.0]])
    smallest = tuple(torch.tensor(value, dtype=torch.float64, device="cpu") for value in numbers)
    yield Probe("x = [[3, 4]], mean = [1, 1], components = [[1, 0]]", smallest)
    for images, pixels, latent in ((1, 6, 1), (4, 6, 2), (7, 9, 3)):
        title = (
            f"{images} image{'s' * (images > 1)} of {pixels} pixels, {latent} component{'s' * (latent > 1)}"
        )
        yield Probe(title, _flat_world(images, pixels, latent, seed))


def _observe(call, seed):
    for probe in _probes(seed):
        answer, *_ = tensor_facts(call, probe, NAMES)
        yield answer
    yield Fact(IN_PLANE, _in_plane(answer.value, *probe.args))


def _in_plane(x_hat, x, mean, components):
    """Whether pictures lie in the plane through the mean that the components span."""
    if x_hat.shape != x.shape:
        return False
    deviation = x_hat - mean
    return bool((deviation - deviation @ components.T @ components).abs().max() < 1e-3)


def _not_nearest(facts):
    """Whether any linear autoencoder's weights were used: the right plane, but not its nearest points."""
    return facts[-1] == Fact(IN_PLANE, True) and facts[-2].value.std(0).max() > 1e-3


def reconstructed(x, mean, components):
    """The package's reconstruction from a mean and components, (B, D), (D,), (L, D) -> (B, D)."""
    return PCA(mean, components, None, None).reconstruct(x)


def _show(call, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(40, 2, generator=generator, dtype=torch.float64, device="cpu")
    x = placed(x @ torch.tensor([[1.6, 0.9], [0.0, 0.4]], dtype=torch.float64, device="cpu") + 2)
    mean, components = x.mean(0), torch.linalg.svd(x - x.mean(0)).Vh[:1]
    yours, target = call.tensor(x, mean, components), reconstructed(x, mean, components)
    if yours.shape != target.shape:
        raise no_answer("no points")
    alt = "Points in the plane, their target on the line of the first component, and your answers."
    return Shown(lambda: pictures.points(x, target, yours, alt=alt))


def _mixed(x, mean, components):
    """Weights as a linear autoencoder has them: the same plane, spanned by other vectors."""
    latent = len(components)
    weights = (torch.eye(latent) + torch.ones(latent, latent) / 2).to(components) @ components
    return mean + (x - mean) @ weights.T @ weights


def _doubled(x, mean, components):
    """Orthogonal weights that are not of length 1."""
    return mean + (x - mean) @ (2 * components).T @ (2 * components)


def _own_fit(x, mean, components):
    """Fits a PCA to the images that it reconstructs."""
    centre = x.mean(0)
    rows = torch.linalg.svd(x - centre, full_matrices=False).Vh[: len(components)]
    return centre + (x - centre) @ rows.T @ rows


def _decoded(z, mean, components):
    return mean + z @ components


pca_reconstruct = Exercise(
    name="pca_reconstruct",
    parameters=NAMES,
    reference=reconstructed,
    solutions=(PCA.encode, PCA.decode, PCA.reconstruct),
    observe=_observe,
    show=_show,
    verified=(
        "the reconstructions agree for four sets of one to seven images, with one to three components."
    ),
    mistakes=(
        Mistake(
            "mean not subtracted",
            "the mean is added at the end but not subtracted at the start. Encode x - mean: z = (x - mean) "
            "components^T.",
            COURSE,
            (lambda x, mean, c: _decoded(x @ c.T, mean, c),),
        ),
        Mistake(
            "mean not added",
            "the mean is subtracted at the start but not added at the end: x_hat = mean + z components.",
            COURSE,
            (lambda x, mean, c: (x - mean) @ c.T @ c,),
        ),
        Mistake(
            "mean left out",
            "the mean is not used. The components describe deviations from it: subtract it, encode, decode, "
            "add it.",
            COURSE,
            (lambda x, mean, c: x @ c.T @ c,),
        ),
        Mistake(
            "the batch's own mean",
            "this uses the mean of the batch. PCA was fitted to the training images: use the mean that is "
            "given.",
            NEAR,
            (
                lambda x, mean, c: x.mean(0) + (x - x.mean(0)) @ c.T @ c,
                lambda x, mean, c: mean + (x - x.mean(0)) @ c.T @ c,
            ),
        ),
        Mistake(
            "fitted to the batch",
            "this fits a new PCA to the batch. Use the given mean and components, which come from the "
            "training images.",
            PUBLIC,
            (_own_fit,),
        ),
        Mistake(
            "the code, not the picture",
            "this is the code z, (B, L). Decode it: x_hat = mean + z components.",
            NEAR,
            (lambda x, mean, c: (x - mean) @ c.T,),
        ),
        Mistake(
            "components not transposed",
            "components is (L, D), one component in each row. To encode, multiply by its transpose: (x - "
            "mean) @ components.T.",
            COURSE,
            (lambda x, mean, c: (x - mean) @ c, lambda x, mean, c: mean + (x - mean) @ c @ c.T),
        ),
        Mistake(
            "one component only",
            "only the first component is used. Use all L of them: z @ components.",
            NEAR,
            (lambda x, mean, c: mean + (x - mean) @ c[:1].T @ c[:1],),
        ),
        Mistake(
            "nothing was compressed",
            "this returns x itself, which was not encoded as L numbers.",
            NEAR,
            (lambda x, mean, c: x,),
        ),
        Mistake(
            "linear-AE weights taken for principal components",
            "the reconstructions lie in the right plane, but are not its nearest points. The weights of a "
            "linear autoencoder span PCA's plane but are not orthonormal, so that the transpose does not "
            "invert them. Use the components unchanged.",
            COURSE,
            (_mixed, _doubled),
            _not_nearest,
        ),
    ),
    hints=(
        "Two steps: encode, z = (x - mean) components^T, then decode, x_hat = mean + z components.",
        "Shapes: (B, D) @ (D, L) gives the codes (B, L), and (B, L) @ (L, D) gives the reconstructions (B, "
        "D).",
        "No inverse is needed: the components are orthonormal, so their transpose inverts them.",
    ),
)
