"""Principal components on data whose answer is known, and against their promise of the least error."""

import pytest
import torch

from vae_lessons.pca import principal_components


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def cloud(n=300, shape=(6,), seed=0):
    """Images with a variance of their own in each direction, not along the pixels."""
    pixels = torch.Size(shape).numel()
    mix = torch.randn(pixels, pixels, generator=seeded(seed), dtype=torch.float64)
    noise = torch.randn(n, pixels, generator=seeded(seed + 1), dtype=torch.float64)
    return (noise @ mix + mix[0]).unflatten(1, shape)


def squared_error(x, x_hat):
    return (x - x_hat).flatten(1).square().sum(1).mean()


@pytest.mark.parametrize(("n", "shape"), [(300, (6,)), (300, (1, 3, 4)), (5, (1, 3, 4)), (2, (7,))])
def test_components_are_orthonormal_and_as_many_as_there_can_be(n, shape):
    x = cloud(n, shape)
    fitted = principal_components(x)
    count = min(n, x[0].numel())
    rows = fitted.components.flatten(1)
    assert fitted.components.shape == (count, *shape)
    assert fitted.mean.shape == shape
    torch.testing.assert_close(rows @ rows.T, torch.eye(count, dtype=x.dtype))


def test_variances_are_the_eigenvalues_of_the_covariance():
    x = cloud()
    fitted = principal_components(x)
    covariance = x.T.cov(correction=0)
    torch.testing.assert_close(fitted.variances, torch.linalg.eigvalsh(covariance).flip(0))
    torch.testing.assert_close(fitted.total, covariance.trace())
    torch.testing.assert_close(fitted.shares.sum(), torch.ones_like(fitted.total))
    rows = fitted.components
    torch.testing.assert_close(rows @ covariance, fitted.variances[:, None] * rows)


def test_codes_are_centred_uncorrelated_and_have_the_variances():
    x = cloud(shape=(2, 3))
    fitted = principal_components(x)
    z = fitted.encode(x)
    torch.testing.assert_close(z.mean(0), torch.zeros(6, dtype=x.dtype), atol=1e-9, rtol=0)
    torch.testing.assert_close(z.T.cov(correction=0), fitted.variances.diag(), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("latent", range(7))
def test_the_error_is_the_variance_left_out(latent):
    x = cloud(shape=(2, 3))
    fitted = principal_components(x)
    kept = fitted.first(latent)
    assert kept.encode(x).shape == (len(x), latent)
    left_out = fitted.variances[latent:].sum()
    torch.testing.assert_close(squared_error(x, kept.reconstruct(x)), left_out, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(1 - kept.shares.sum(), left_out / fitted.total)


@pytest.mark.parametrize("latent", [1, 2, 4])
def test_no_other_plane_has_a_smaller_error(latent):
    x = cloud()
    best = squared_error(x, principal_components(x).first(latent).reconstruct(x))
    for seed in range(10):
        noise = torch.randn(6, latent, generator=seeded(seed), dtype=x.dtype)
        basis, shift = torch.linalg.qr(noise)[0], x.mean(0) + 0.1 * noise[:, 0]
        assert squared_error(x, shift + (x - shift) @ basis @ basis.T) > best
    near = torch.linalg.qr(principal_components(x).components[:latent].T + 0.01)[0]
    centred = x - x.mean(0)
    assert squared_error(centred, centred @ near @ near.T) > best


def test_new_images_of_a_plane_are_rebuilt_exactly():
    plane = torch.randn(3, 2, 5, generator=seeded(), dtype=torch.float64)
    new = torch.einsum("bk,kij->bij", torch.randn(40, 3, generator=seeded(1), dtype=torch.float64), plane) + 2
    fitted = principal_components(new[:20]).first(3)
    torch.testing.assert_close(fitted.reconstruct(new[20:]), new[20:])
    assert squared_error(new[20:], fitted.first(2).reconstruct(new[20:])) > 0.01


def test_the_mean_image_is_the_picture_of_no_numbers():
    x = cloud(shape=(2, 3))
    none = principal_components(x).first(0)
    torch.testing.assert_close(none.reconstruct(x), x.mean(0).expand_as(x))


def test_decode_undoes_encode():
    fitted = principal_components(cloud(shape=(2, 3))).first(4)
    z = torch.randn(9, 4, generator=seeded(), dtype=torch.float64)
    torch.testing.assert_close(fitted.encode(fitted.decode(z)), z)


def test_a_component_points_the_same_way_whatever_the_svd_says():
    x = cloud()
    for components in (principal_components(x).components, principal_components(-x).components):
        assert (components.gather(1, components.abs().argmax(1, keepdim=True)) > 0).all()
    torch.testing.assert_close(principal_components(x).components, principal_components(-x).components)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_precision_of_the_images_is_kept(dtype):
    fitted = principal_components(cloud().to(dtype))
    assert {tensor.dtype for tensor in fitted} == {dtype}


BAD = {
    "one image": (lambda: principal_components(torch.zeros(1, 4)), ValueError, "two images"),
    "no batch": (lambda: principal_components(torch.zeros(4)), ValueError, "two images"),
    "bytes": (lambda: principal_components(torch.zeros(3, 4, dtype=torch.uint8)), TypeError, "uint8"),
    "no tensor": (lambda: principal_components([[0.0]]), TypeError, r"x must be a tensor, not a list"),
    "NumPy images": (lambda: FITTED.encode(FITTED.mean.numpy()), TypeError, r"torch.from_numpy\(x\)"),
    "nan": (lambda: principal_components(torch.full((3, 4), torch.nan)), ValueError, "NaN"),
    "infinity": (lambda: principal_components(torch.full((3, 4), torch.inf)), ValueError, "infinite"),
    "too many": (lambda: FITTED.first(5), ValueError, "latent must be a whole number from 0 to 4, not 5"),
    "images of another shape": (lambda: FITTED.encode(torch.zeros(3, 5)), ValueError, r"\(3, 5\)"),
    "flat images": (lambda: FITTED.encode(torch.zeros(3, 2, 2)), ValueError, r"\(3, 2, 2\)"),
    "codes of another length": (lambda: FITTED.decode(torch.zeros(3, 2)), ValueError, r"\(B, 4\)"),
    "one code": (lambda: FITTED.decode(torch.zeros(4)), ValueError, r"\(B, 4\)"),
}
FITTED = principal_components(torch.rand(9, 4, generator=seeded()))


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_one_sentence(name):
    call, error, words = BAD[name]
    with pytest.raises(error, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
