"""The mixture of Gaussians that is fitted to codes, and draws new ones."""

import pytest
import torch
from torch import distributions

from vae_lessons.mixture import Mixture, fit_mixture, k_means, mixture_of

PAIR = Mixture(
    torch.tensor([0.8, 0.2]),
    torch.tensor([[-9.0, 0.0], [9.0, 3.0]]),
    torch.tensor([[[1.0, 0.9], [0.9, 1.0]], [[4.0, 0.0], [0.0, 0.25]]]),
)


def draws(n=60_000, seed=0):
    return PAIR.sample(n, torch.Generator().manual_seed(seed))


def test_draws_have_the_weights_means_and_covariances_of_their_components():
    z = draws()
    right = z[:, 0] > 0
    assert abs(right.float().mean() - 0.2) < 0.02
    for k, part in enumerate((z[~right], z[right])):
        torch.testing.assert_close(part.mean(0), PAIR.mean[k], atol=0.1, rtol=0)
        torch.testing.assert_close(part.T.cov(), PAIR.covariance[k], atol=0.25, rtol=0)


def test_each_draw_chooses_its_component_by_itself():
    right = (draws()[:, 0] > 0).float()
    assert abs(torch.stack([right[1:], right[:-1]]).corrcoef()[0, 1]) < 0.05


def test_the_generator_decides_what_is_drawn():
    assert torch.equal(draws(9, seed=1), draws(9, seed=1))
    assert not torch.equal(draws(9, seed=1), draws(9, seed=2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fitting_finds_the_components_that_codes_were_drawn_from(dtype):
    fitted = fit_mixture(draws().to(dtype), components=2, seed=0)
    order = fitted.mean[:, 0].argsort()
    for got, want, atol in zip(fitted, PAIR, (0.02, 0.1, 0.25), strict=True):
        torch.testing.assert_close(got[order], want.to(dtype), atol=atol, rtol=0)
    assert fitted.sample(3).dtype == dtype


def test_one_component_is_one_gaussian_fitted_to_all():
    z = draws(500)
    weight, mean, covariance = fit_mixture(z, components=1, seed=0)
    assert weight.tolist() == [1.0]
    torch.testing.assert_close(mean[0], z.mean(0))
    torch.testing.assert_close(covariance[0], z.T.cov(correction=0), atol=1e-3, rtol=1e-4)


def test_the_mean_and_covariance_of_a_fit_are_those_of_the_codes():
    z = draws(2_000)
    weight, mean, covariance = fit_mixture(z, components=7, seed=0)
    torch.testing.assert_close(weight @ mean, z.mean(0), atol=1e-4, rtol=0)
    between = torch.einsum("k,ki,kj->ij", weight, mean - z.mean(0), mean - z.mean(0))
    within = torch.einsum("k,kij->ij", weight, covariance)
    torch.testing.assert_close(within + between, z.T.cov(correction=0), atol=1e-2, rtol=1e-3)


def test_a_cluster_of_fewer_codes_than_dimensions_can_still_be_drawn_from():
    z = torch.cat([torch.randn(60, 8, generator=torch.Generator().manual_seed(0)), torch.full((1, 8), 99.0)])
    fitted = fit_mixture(z, components=5, seed=0)
    assert fitted.sample(1_000, torch.Generator().manual_seed(0)).isfinite().all()
    assert fitted.weight.amin() > 0


def test_the_same_seed_gives_the_same_fit_and_the_random_state_stays():
    z, state = draws(300), torch.random.get_rng_state()
    one, again, other = (fit_mixture(z, 6, seed).mean for seed in (3, 3, 4))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(state, torch.random.get_rng_state())


def test_every_code_is_in_the_cluster_whose_mean_is_nearest():
    z = draws(500)
    cluster = k_means(z, 6, seed=0)
    centre = torch.stack([z[cluster == k].mean(0) for k in range(6)])
    assert torch.equal(torch.cdist(z, centre).argmin(1), cluster)


def oracle(mixture):
    """The same mixture in torch.distributions."""
    return distributions.MixtureSameFamily(
        distributions.Categorical(mixture.weight),
        distributions.MultivariateNormal(mixture.mean, mixture.covariance),
    )


def overlapping(n=600):
    """Codes from three clouds that overlap, and one direction that is nearly flat, (n, 3)."""
    noise = torch.randn(n, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return noise * torch.tensor([1.0, 2.0, 0.01]) + 1.5 * (torch.arange(n) % 3)[:, None]


def test_the_log_density_is_that_of_torch():
    z = overlapping()
    mixture = fit_mixture(z, 5, 0)
    torch.testing.assert_close(mixture.log_density(z), oracle(mixture).log_prob(z))


def test_a_step_shares_codes_out_and_takes_the_moments_of_what_each_component_has():
    z = overlapping()
    start, after = fit_mixture(z, 3, seed=0), fit_mixture(z, 3, seed=0, steps=1)
    for k in range(3):
        density = distributions.MultivariateNormal(start.mean[k], start.covariance[k]).log_prob(z).exp()
        share = start.weight[k] * density / oracle(start).log_prob(z).exp()
        torch.testing.assert_close(start.shares(z)[:, k], share)
        torch.testing.assert_close(after.weight[k], share.mean())
        torch.testing.assert_close(after.mean[k], (share[:, None] * z).sum(0) / share.sum())
        want = torch.cov(z.T, correction=0, aweights=share)
        torch.testing.assert_close(after.covariance[k], want, atol=1e-5, rtol=0)


def test_each_step_raises_the_mean_log_density_of_the_codes():
    z = overlapping()
    found = torch.stack([fit_mixture(z, 4, 0, steps).log_density(z).mean() for steps in range(6)])
    assert (found.diff() > 0).all()


def test_the_log_density_does_not_depend_on_how_many_codes_are_asked_at_once(monkeypatch):
    z = overlapping()
    mixture = fit_mixture(z, 5, 0)
    whole = mixture.log_density(z)
    monkeypatch.setattr("vae_lessons.mixture.CHUNK", 30)
    torch.testing.assert_close(mixture.log_density(z), whole)


def test_steps_of_expectation_maximization_keep_a_cluster_of_one_code_drawable():
    z = torch.cat([overlapping().float(), torch.full((1, 3), 99.0)])
    fitted = fit_mixture(z, 4, 0, steps=10)
    assert torch.isfinite(fitted.log_density(z)).all()
    assert fitted.sample(100, torch.Generator().manual_seed(0)).isfinite().all()


def test_codes_of_another_width_and_steps_that_are_no_count_are_refused():
    z = overlapping()
    with pytest.raises(ValueError, match=r"z must be \(N, 2\)"):
        PAIR.log_density(z)
    with pytest.raises(ValueError, match="steps must be a whole number"):
        fit_mixture(z, 2, 0, steps=-1)
    assert mixture_of(z, torch.zeros(len(z), dtype=torch.int64)).weight.tolist() == [1.0]


@pytest.mark.parametrize(
    ("z", "components", "words"),
    [
        (torch.zeros(9), 2, r"z must be floating point \(N, L\)"),
        (torch.zeros(9, 2).long(), 2, r"z must be floating point \(N, L\)"),
        (torch.full((9, 2), float("nan")), 2, "z must be finite"),
        (torch.zeros(9, 2), 2, "z holds 1 different codes, which do not make 2 clusters"),
        (torch.eye(3), 4, "z holds 3 different codes, which do not make 4 clusters"),
        (torch.eye(3), 0, "the number of clusters must be a whole number, at least 1"),
    ],
)
def test_other_codes_are_refused_in_a_sentence(z, components, words):
    with pytest.raises(ValueError, match=words):
        fit_mixture(z, components)


def test_a_number_of_draws_that_is_no_count_is_refused():
    with pytest.raises(ValueError, match="n must be a whole number"):
        PAIR.sample(2.5)
