"""Right answers in the styles that learners write, for each exercise of lessons 01 to 05."""

import math

import torch
from torch import distributions as td
from torch.nn import functional as F

# ------------------------------------------------------------ lesson 01


def pca_steps(x, mean, components):
    z = (x - mean) @ components.T
    return mean + z @ components


def pca_loop(x, mean, components):
    rebuilt = []
    for image in x:
        picture = mean.clone()
        for component in components:
            picture += (image - mean).dot(component) * component
        rebuilt.append(picture)
    return torch.stack(rebuilt)


def pca_einsum(x, mean, components):
    x -= mean
    return torch.einsum("bd,ld,le->be", x, components, components) + mean


def pca_inverse(x, mean, components):
    return mean + (x - mean) @ torch.linalg.pinv(components) @ components


def squares_mean(x, x_hat):
    return ((x - x_hat) ** 2).flatten(1).sum(1).mean()


def squares_loop(x, x_hat):
    total = 0
    for a, b in zip(x, x_hat, strict=True):
        total = total + torch.sum((b - a).pow(2))
    return total / len(x)


def squares_mse(x, x_hat):
    return F.mse_loss(x_hat, x, reduction="sum") / x.shape[0]


def squares_double(x, x_hat):
    return (x_hat.double() - x.double()).square().sum() / len(x)


# ------------------------------------------------------------ lesson 03


def cloud_cholesky(n, mean, covariance):
    return mean + torch.randn(n, len(mean)) @ torch.linalg.cholesky(covariance).T


def cloud_eigen(n, mean, covariance):
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors @ torch.diag(values.sqrt()) @ vectors.T
    return torch.randn((n, mean.numel())) @ root + mean


def cloud_distribution(n, mean, covariance):
    return td.MultivariateNormal(mean, covariance).sample((n,))


def cloud_loop(n, mean, covariance):
    a = torch.linalg.cholesky(covariance)
    return torch.stack([mean + a @ torch.randn_like(mean) for _ in range(n)])


def density_formula(x, mu, log_var):
    return (-0.5 * (math.log(2 * math.pi) + log_var + (x - mu) ** 2 / log_var.exp())).sum(dim=1)


def density_distribution(x, mu, log_var):
    return td.Normal(mu, (log_var / 2).exp()).log_prob(x).sum(-1)


def density_loop(x, mu, log_var):
    values = []
    for i in range(x.shape[0]):
        total = 0.0
        for j in range(x.shape[1]):
            sigma = torch.sqrt(torch.exp(log_var[i, j]))
            eps = (x[i, j] - mu[i, j]) / sigma
            total = total - torch.log(sigma * math.sqrt(2 * math.pi)) - eps**2 / 2
        values.append(total)
    return torch.stack(values)


def density_in_place(x, mu, log_var):
    x -= mu
    x **= 2
    x /= log_var.exp()
    x += log_var
    return -(x.sum(-1) + x.shape[-1] * math.log(2 * math.pi)) / 2


# ------------------------------------------------------------ lesson 04


def kl_formula(mu, log_var):
    return -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp(), dim=1)


def kl_distribution(mu, log_var):
    return td.kl_divergence(td.Normal(mu, (log_var / 2).exp()), td.Normal(0.0, 1.0)).sum(-1)


def kl_loop(mu, log_var):
    out = torch.zeros(len(mu), dtype=torch.float64)
    for i in range(len(mu)):
        for m, v in zip(mu[i], log_var[i], strict=True):
            out[i] = out[i] + 0.5 * (m * m + torch.exp(v) - 1 - v)
    return out


def kl_in_place(mu, log_var):
    mu **= 2
    mu += log_var.exp()
    mu -= 1 + log_var
    return mu.sum(1) / 2


def monte_carlo_mean(q, p, samples):
    z = q.sample((samples,))
    return torch.mean(q.log_prob(z) - p.log_prob(z))


def monte_carlo_loop(q, p, samples):
    total = 0.0
    for _ in range(samples):
        z = q.sample()
        total += (q.log_prob(z) - p.log_prob(z)).item()
    return total / samples


def monte_carlo_in_parts(q, p, samples):
    z = q.rsample(torch.Size([samples]))
    return float(q.log_prob(z).double().mean()) - p.log_prob(z).double().sum().numpy() / samples


def monte_carlo_stack(q, p, samples):
    z = torch.stack([q.sample() for _ in range(samples)])
    return -(p.log_prob(z) - q.log_prob(z)).mean(dim=0, keepdim=True)


# ------------------------------------------------------------ lesson 05


def draw_formula(mu, log_var):
    return mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)


def draw_distribution(mu, log_var):
    return td.Normal(mu, log_var.exp().sqrt()).rsample()


def draw_loop(mu, log_var):
    rows = []
    for m, v in zip(mu, log_var, strict=True):
        sigma = torch.exp(v / 2)
        rows.append(m - sigma * torch.normal(0.0, 1.0, m.shape))
    return torch.stack(rows)


def draw_in_place(mu, log_var):
    std = log_var.mul_(0.5).exp_()
    eps = torch.empty_like(std).normal_()
    return eps.mul(std).add_(mu)


def score_formula(f, mu, log_var, samples):
    sigma = (log_var / 2).exp()
    eps = torch.randn(samples, len(mu))
    value = f(mu + sigma * eps)[:, None]
    return value * eps / sigma, value * (eps**2 - 1) / 2


def score_autograd(f, mu, log_var, samples):
    mu = mu.expand(samples, -1).clone().requires_grad_()
    log_var = log_var.expand(samples, -1).clone().requires_grad_()
    q = td.Normal(mu, (log_var / 2).exp())
    z = q.sample()
    return torch.autograd.grad((f(z) * q.log_prob(z).sum(1)).sum(), [mu, log_var])


def score_others(f, mu, log_var, samples):
    sigma = (log_var / 2).exp()
    eps = torch.randn(samples, len(mu))
    value = f(mu + sigma * eps)
    others = (value.sum() - value) / max(samples - 1, 1)
    weight = (value - others if samples > 1 else value)[:, None]
    return weight * eps / sigma, weight * (eps**2 - 1) / 2


def score_loop(f, mu, log_var, samples):
    first, second = [], []
    for _ in range(samples):
        z = torch.normal(mu, torch.exp(log_var / 2))
        value = f(z[None]).item()
        first.append(value * (z - mu) / log_var.exp())
        second.append(value * ((z - mu) ** 2 / log_var.exp() - 1) / 2)
    return torch.stack(first), torch.stack(second)


def path_autograd(f, mu, log_var, samples):
    mu = mu.repeat(samples, 1).requires_grad_()
    log_var = log_var.repeat(samples, 1).requires_grad_()
    z = mu + torch.exp(log_var / 2) * torch.randn(mu.shape)
    f(z).sum().backward()
    return mu.grad, log_var.grad


def path_by_hand(f, mu, log_var, samples):
    sigma = torch.exp(log_var / 2)
    eps = torch.randn(samples, mu.shape[0])
    z = (mu + sigma * eps).detach().requires_grad_()
    (slope,) = torch.autograd.grad(f(z).sum(), z)
    return slope, slope * sigma * eps / 2


def path_distribution(f, mu, log_var, samples):
    rows = [t.clone().expand(samples, len(mu)).contiguous().requires_grad_() for t in (mu, log_var)]
    z = td.Normal(rows[0], rows[1].mul(0.5).exp()).rsample()
    return torch.autograd.grad(f(z), rows, torch.ones(samples))


def path_loop(f, mu, log_var, samples):
    first, second = [], []
    for _ in range(samples):
        m, v = mu.detach().clone().requires_grad_(), log_var.detach().clone().requires_grad_()
        z = m + (v / 2).exp() * torch.randn_like(m)
        f(z.unsqueeze(0)).squeeze().backward()
        first.append(m.grad)
        second.append(v.grad)
    return torch.stack(first), torch.stack(second)


# ------------------------------------------------------------ lessons 06 and 07


def nll_logits(x, logits):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def nll_formula(x, logits):
    s = torch.sigmoid(logits)
    terms = x * torch.log(s) + (1 - x) * torch.log(1 - s)
    return -terms.reshape(len(x), -1).sum(-1)


def nll_loop(x, logits):
    return torch.stack(
        [F.binary_cross_entropy(a.sigmoid(), b, reduction="sum") for a, b in zip(logits, x, strict=True)]
    )


def nll_softplus(x, logits):
    return (F.softplus(logits.double()) - x * logits).sum(tuple(range(1, x.ndim)))


def nll_stable(x, logits):
    return (logits.clamp(min=0) - x * logits + torch.log1p((-logits.abs()).exp())).flatten(1).sum(1)


def elbo_parts(x, logits, mu, log_var):
    return -nll_logits(x, logits) - kl_formula(mu, log_var)


def elbo_loop(x, logits, mu, log_var):
    values = []
    for i in range(len(x)):
        log_p = -F.binary_cross_entropy_with_logits(logits[i], x[i], reduction="sum")
        values.append(log_p - 0.5 * (mu[i] ** 2 + log_var[i].exp() - 1 - log_var[i]).sum())
    return torch.stack(values)


def elbo_distributions(x, logits, mu, log_var):
    log_p = td.Bernoulli(logits=logits, validate_args=False).log_prob(x).flatten(1).sum(1)
    return log_p - td.kl_divergence(td.Normal(mu, (log_var / 2).exp()), td.Normal(0.0, 1.0)).sum(1)


STYLES = {
    "pca_reconstruct": (pca_steps, pca_loop, pca_einsum, pca_inverse),
    "autoencoder_loss": (squares_mean, squares_loop, squares_mse, squares_double),
    "sample_cloud": (cloud_cholesky, cloud_eigen, cloud_distribution, cloud_loop),
    "log_density": (density_formula, density_distribution, density_loop, density_in_place),
    "kl_monte_carlo": (monte_carlo_mean, monte_carlo_loop, monte_carlo_in_parts, monte_carlo_stack),
    "kl_standard_normal": (kl_formula, kl_distribution, kl_loop, kl_in_place),
    "reparameterize": (draw_formula, draw_distribution, draw_loop, draw_in_place),
    "score_function_gradient": (score_formula, score_autograd, score_others, score_loop),
    "reparameterized_gradient": (path_autograd, path_by_hand, path_distribution, path_loop),
    "bernoulli_nll": (nll_logits, nll_formula, nll_loop, nll_softplus, nll_stable),
    "elbo": (elbo_parts, elbo_loop, elbo_distributions),
}
