"""Coupling layers, flows and a VAE whose q is bent by one, against autograd and against sums over grids."""

import pytest
import torch

from vae_lessons.data.splits import Batch
from vae_lessons.flows import Flow, FlowVAE, coupling, fit_flow, flow_elbo, mean_elbo, standard_log_density
from vae_lessons.likelihood import log_evidence_grid


def bent(latent, layers=4, context=0, blind=False):
    """A flow in float64 whose weights are no longer those that make it the identity."""
    flow = Flow(latent, layers, 16, context, blind, seed=0).double()
    generator = torch.Generator().manual_seed(1)
    for weight in flow.parameters():
        weight.data += 0.3 * torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    return flow


def points(n, latent, seed=0):
    return torch.randn(n, latent, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def log_dets(function, z):
    """log |det| of the Jacobian of each row, by autograd."""
    jacobians = [torch.autograd.functional.jacobian(lambda row: function(row[None])[0], row) for row in z]
    return torch.stack([torch.linalg.slogdet(jacobian).logabsdet for jacobian in jacobians])


def test_a_coupling_by_hand():
    z, log_det = coupling(torch.tensor([[2.0, 3.0]]), lambda kept: torch.cat([kept, 10 * kept], 1))
    torch.testing.assert_close(z, torch.tensor([[2.0, 3 * torch.tensor(2.0).exp() + 20]]))
    assert log_det.tolist() == [2.0]


@pytest.mark.parametrize("latent", [2, 3, 8])
def test_the_log_det_of_a_flow_is_that_of_its_jacobian_and_the_inverse_undoes_it(latent):
    flow, eps = bent(latent, context=3), points(5, latent)
    context = points(5, 3, seed=2)
    z, log_det = flow(eps, context)
    for i in range(5):
        one = context[i : i + 1]
        wanted = log_dets(lambda row, one=one: flow(row, one).z, eps[i : i + 1])
        torch.testing.assert_close(log_det[i : i + 1], wanted, atol=1e-10, rtol=0)
    back = flow.inverse(z, context)
    torch.testing.assert_close(back.z, eps, atol=1e-10, rtol=0)
    torch.testing.assert_close(back.log_det, -log_det, atol=1e-10, rtol=0)
    assert (z - eps).abs().amin() > 1e-3


def test_a_flow_is_a_density_its_draws_have_it_and_all_numbers_are_moved():
    flow = bent(2)
    axis = torch.linspace(-30, 30, 1201, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        p = flow.log_density(grid).exp() * (axis[1] - axis[0]) ** 2
    assert abs(p.sum() - 1) < 1e-3
    draws = flow.sample(40_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(draws.mean(0), p @ grid, atol=0.06, rtol=0)


def test_a_new_flow_is_the_identity_and_one_without_layers_a_diagonal_gaussian():
    eps = points(4, 3)
    torch.testing.assert_close(Flow(3, seed=0).double()(eps).z, eps)
    flow = Flow(3, layers=0).double()
    flow.log_scale.data = torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64)
    z, log_det = flow(eps)
    torch.testing.assert_close(z, eps * flow.log_scale.exp())
    assert log_det.tolist() == [0.0] * 4


def test_a_blind_flow_has_the_same_parameters_and_keeps_the_covariance_diagonal():
    blind, flow = bent(4, context=2, blind=True), bent(4, context=2)
    assert sum(w.numel() for w in blind.parameters()) == sum(w.numel() for w in flow.parameters())
    context = points(1, 2)
    jacobian = torch.autograd.functional.jacobian(lambda e: blind(e[None], context).z[0], points(1, 4)[0])
    assert torch.equal(jacobian, jacobian.diag().diag())
    other = torch.autograd.functional.jacobian(lambda e: flow(e[None], context).z[0], points(1, 4)[0])
    assert (other - other.diag().diag()).abs().amax() > 1e-2


def test_the_elbo_of_a_flow_is_that_of_its_density():
    flow, eps = bent(3), points(6, 3)
    z, log_det = flow(eps)
    nll = points(6, 1, seed=3)[:, 0]
    wanted = -nll + standard_log_density(z) - flow.log_density(z)
    torch.testing.assert_close(flow_elbo(nll, eps, z, log_det), wanted)
    with pytest.raises(ValueError, match="must be"):
        flow_elbo(nll[:, None], eps, z, log_det)


def test_a_flow_fits_a_posterior_that_leans_where_a_diagonal_gaussian_cannot():
    def nll(z):  # x = 1 = z_1 + z_2 + noise of sd 0.5
        return -torch.distributions.Normal(z.sum(1), 0.5).log_prob(torch.ones(len(z)))

    log_p = torch.distributions.Normal(0.0, 2.25**0.5).log_prob(torch.tensor(1.0)).item()
    flows = [Flow(2, layers, seed=0) for layers in (0, 4)]
    for flow in flows:
        fit_flow(flow, nll, seed=0)
    gaps = [log_p - mean_elbo(flow, nll) for flow in flows]
    exact = 0.5 * torch.log(torch.tensor(25 / 9)).item()  # of the best diagonal q
    assert abs(gaps[0] - exact) < 0.02
    assert abs(gaps[1]) < 0.02


def test_the_terms_of_a_flow_vae_are_a_bound_and_its_second_term_is_the_kl():
    model = FlowVAE(latent=2, hidden=(16,), shape=(1, 3, 3), seed=0)
    generator = torch.Generator().manual_seed(1)
    for weight in model.flow.parameters():
        weight.data += 0.2 * torch.randn(weight.shape, generator=generator)
    x = (torch.rand(1, 1, 3, 3, generator=generator) > 0.5).float()
    with torch.no_grad():
        terms = model.terms(Batch(x.expand(20_000, -1, -1, -1)), generator)
        elbo = -(terms.nll + terms.kl)
    log_p = log_evidence_grid(model, x).item()
    assert elbo.mean() < log_p
    assert abs(elbo.exp().mean().log().item() - log_p) < 0.02  # importance sampling is unbiased


def test_what_does_not_fit_is_refused():
    flow = Flow(2, seed=0)
    with pytest.raises(ValueError, match=r"z must be \(B, 2\)"):
        flow(torch.zeros(3, 4))
    with pytest.raises(ValueError, match="latent must be a whole number, at least 2"):
        Flow(1)
    with pytest.raises(ValueError, match="n must be a whole number"):
        flow.sample(0)
