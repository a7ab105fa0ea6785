"""Measures of axes against numpy, torch.distributions and closed forms."""

import math

import numpy as np
import pytest
import torch
from torch import distributions as td

from vae_lessons import measures
from vae_lessons.gaussian import kl_diagonal, kl_full, kl_standard_normal, reparameterize


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_probe_is_least_squares_as_numpy_has_it():
    z, t, noisy = noise(200, 3), noise(80, 3, seed=1), noise(280, 2, seed=2)
    y = torch.cat([z, t]) @ noise(3, 2, seed=3) + 0.5 * noisy + 7
    design = np.c_[z.numpy(), np.ones(200)]
    slope = np.linalg.lstsq(design, y[:200].numpy(), rcond=None)[0]
    residual = y[200:].numpy() - np.c_[t.numpy(), np.ones(80)] @ slope
    wanted = 1 - (residual**2).sum(0) / ((y[200:] - y[200:].mean(0)).numpy() ** 2).sum(0)
    assert measures.probe(z, y[:200], t, y[200:]).numpy() == pytest.approx(wanted, abs=1e-5)
    assert measures.probe(z, y[:200, 0], t, y[200:, 0]).item() == pytest.approx(wanted[0], abs=1e-5)


def test_ridge_solves_its_equation_and_the_penalty_shrinks():
    z, y = noise(50, 4), noise(50, seed=1)
    line = measures.ridge(z, y, 3.0)
    centred = (z - z.mean(0)).double()
    gradient = centred.T @ (centred @ line.slope.double() - (y - y.mean())) + 3 * line.slope
    assert gradient.abs().max() < 1e-4
    assert line(z).mean().item() == pytest.approx(y.mean().item(), abs=1e-5)
    assert measures.ridge(z, y, 1e6).slope.norm() < 0.01 * line.slope.norm()


def test_an_axis_that_never_moves_explains_nothing():
    z, y = torch.cat([noise(90, 1), torch.zeros(90, 1)], 1), noise(90, seed=1)
    found = measures.best_axis(z, y, z, y)
    assert found.shape == (2,)
    assert found[1].item() == pytest.approx(0, abs=1e-6)


def test_neighbours_see_what_a_line_cannot():
    z, t = noise(3000, 1), noise(500, 1, seed=1)
    y, y_test = z[:, 0] ** 2, t[:, 0] ** 2
    assert abs(measures.probe(z, y, t, y_test)) < 0.05
    assert measures.probe(z, y, t, y_test, neighbours=5) > 0.9
    scaled = torch.tensor([[1.0, 1e-4]])  # the second axis counts as much as the first
    pair, pair_test = noise(3000, 2) * scaled, noise(500, 2, seed=1) * scaled
    assert measures.probe(pair, pair[:, 1], pair_test, pair_test[:, 1], neighbours=5) > 0.9


def test_mutual_information_of_gaussians_is_nearly_the_closed_form():
    """I = -1/2 log(1 - rho^2); bins lose a little of it."""
    z, other = noise(20_000, 2), noise(20_000, seed=1)
    y = 0.8 * z[:, 0] + 0.6 * other
    mi = measures.mutual_information(z, y)
    assert mi[0].item() == pytest.approx(-0.5 * math.log(1 - 0.64), abs=0.04)
    assert mi[1].item() == pytest.approx(0, abs=0.01)
    assert measures.entropy(y).item() == pytest.approx(math.log(20), abs=0.01)


def test_mutual_information_agrees_with_sklearn_but_for_miller_and_madow():
    metrics = pytest.importorskip("sklearn.metrics")
    z, y = noise(4000, 1), torch.arange(4000) % 7
    z[:, 0] += y % 3
    edges = torch.quantile(z[:, 0], torch.linspace(0, 1, 21)[1:-1])
    bins = torch.bucketize(z[:, 0], edges)
    cells = len(torch.unique(bins * 7 + y))
    wanted = metrics.mutual_info_score(y.numpy(), bins.numpy()) + (20 + 7 - cells - 1) / (2 * 4000)
    assert measures.mutual_information(z, y)[0].item() == pytest.approx(wanted, abs=1e-5)
    assert measures.entropy(y).item() == pytest.approx(math.log(7), abs=1e-3)


def test_the_gap_is_1_where_one_axis_is_the_factor_and_0_where_two_are():
    y = torch.arange(6000) % 5
    codes = torch.stack([y + 0.01 * noise(6000), noise(6000, seed=1)], 1)
    mi, h = measures.mutual_information(codes, y)[:, None], measures.entropy(y)[None]
    assert measures.mutual_information_gap(mi, h).item() == pytest.approx(1, abs=0.02)
    twice = measures.mutual_information(codes[:, [0, 0]], y)[:, None]
    assert measures.mutual_information_gap(twice, h).item() == 0


def test_the_three_parts_sum_to_the_kl_and_two_of_them_are_those_of_information():
    mu, log_var = noise(2000, 3), -2 + 0.3 * noise(2000, 3, seed=1)
    z = reparameterize(mu, log_var, generator=torch.Generator().manual_seed(2))
    parts = measures.kl_parts(z, mu, log_var)
    assert sum(parts).item() == pytest.approx(kl_standard_normal(mu, log_var).mean().item(), abs=0.1)
    sampled = measures.kl_parts(z[:700], mu, log_var)
    assert all(abs(a - b) < 0.15 for a, b in zip(parts, sampled, strict=True))


def test_the_parts_of_clouds_that_are_known():
    """One cloud: a product of normals. All clouds on a diagonal: tc is that of a Gaussian."""
    mu, log_var = torch.zeros(3000, 2), torch.zeros(3000, 2)
    parts = measures.kl_parts(noise(3000, 2), mu, log_var)
    assert all(abs(part) < 1e-6 for part in parts)
    line = noise(3000, 1).expand(3000, 2)
    log_var = torch.full((3000, 2), math.log(0.5))
    z = reparameterize(line, log_var, generator=torch.Generator().manual_seed(2))
    parts = measures.kl_parts(z, line, log_var)
    covariance = torch.tensor([[1.5, 1.0], [1.0, 1.5]])
    tc = kl_full(torch.zeros(2), covariance, torch.zeros(2), torch.diag(covariance.diagonal()))
    assert parts.tc.item() == pytest.approx(tc.item(), abs=0.05)


@pytest.mark.parametrize("sizes", [(0, 2, 2), (5, 4, 4), (3, 4, 2)])
def test_parts_of_shapes_that_do_not_fit_are_refused(sizes):
    m, n, k = sizes
    z = torch.zeros(m, 2) if m != 3 else torch.zeros(m, 3)
    if m == 0:
        z = torch.zeros(4)
    with pytest.raises(ValueError, match=r"^z, mu, log_var must be \(M, L\)"):
        measures.kl_parts(z, torch.zeros(n, 2), torch.zeros(k, 2))


def test_the_turned_q_is_the_diagonal_one_with_the_smallest_kl():
    mu, log_var = noise(1, 4).double(), noise(1, 4, seed=1).double()
    R = measures.random_rotation(4).double()
    q = measures.rotated(mu, log_var, R)
    turned = R @ torch.diag(log_var[0].exp()) @ R.T

    def kl(mean, variances):
        return kl_full(mean, torch.diag(variances), R @ mu[0], turned).item()

    best = kl(q.mu[0], q.log_var[0].exp())
    for seed in range(20):
        assert kl(q.mu[0], (q.log_var[0] + 0.1 * noise(4, seed=seed)).exp()) > best
        assert kl(q.mu[0] + 0.1 * noise(4, seed=seed), q.log_var[0].exp()) > best
    assert best == pytest.approx((log_var - q.log_var).sum().item() / 2, abs=1e-6)
    still = measures.rotated(mu, log_var, torch.eye(4).double())
    assert kl_diagonal(*still, mu, log_var).item() == pytest.approx(0, abs=1e-9)


def test_a_random_rotation_keeps_lengths_and_does_not_mirror():
    for latent in (1, 2, 10):
        R = measures.random_rotation(latent, seed=latent)
        assert torch.allclose(R @ R.T, torch.eye(latent), atol=1e-6)
        assert torch.linalg.det(R).item() == pytest.approx(1, abs=1e-5)
    z = noise(5, 10)
    standard = td.Normal(0.0, 1.0)
    assert torch.allclose(
        standard.log_prob(z).sum(1), standard.log_prob(z @ R.T).sum(1), atol=1e-4
    )  # p(z) does not change


def test_turn_to_lays_the_first_axes_along_the_directions():
    d = noise(2, 5)
    R = measures.turn_to(d)
    assert torch.allclose(R @ R.T, torch.eye(5), atol=1e-6)
    assert torch.linalg.det(R).item() == pytest.approx(1, abs=1e-5)
    z = noise(7, 5, seed=1)
    assert torch.allclose((z @ R.T)[:, 0], z @ d[0] / d[0].norm(), atol=1e-5)
    assert (R[2:] @ d.T).abs().max() < 1e-6
    assert (R[1] @ d[1]) > 0


def test_what_does_not_fit_is_refused_in_a_sentence():
    z, y = noise(30, 2), noise(30, seed=1)
    with pytest.raises(ValueError, match=r"codes and factor must be .+ \(30, 2\) and \(20,\)\.$"):
        measures.probe(z, y[:20], z, y)
    with pytest.raises(ValueError, match=r"^A factor that is the same for all images"):
        measures.probe(z, y, z, torch.ones(30))
    with pytest.raises(ValueError, match=r"^neighbours must be a whole number from 1 to 30, not 31\.$"):
        measures.probe(z, y, z, y, neighbours=31)
    with pytest.raises(ValueError, match=r"as many images as bins, 50 at least, but there are 30\.$"):
        measures.mutual_information(z, y, bins=50)
    with pytest.raises(ValueError, match=r"^directions must be \(K, L\)"):
        measures.turn_to(torch.tensor([[1.0, 2.0], [2.0, 4.0]]))
    with pytest.raises(ValueError, match="NaN"):
        measures.mutual_information(z * math.nan, y)
