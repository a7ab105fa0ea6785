"""Record how a function generates images with a model -> what it did, in words."""

import torch


class Watch:
    """Records, in a `with` block, every z that a model decodes and every q(z|x) that it encodes."""

    def __init__(self, model):
        self.model, self.z, self.codes, self.hooks = model, [], [], []

    def __enter__(self):
        self.hooks = [
            self.model.decoder.register_forward_pre_hook(
                lambda _, args: self.z.append(args[0].detach().clone())
            ),
            self.model.encoder.register_forward_hook(
                lambda _, args, q: self.codes.append((q.mu.detach(), q.log_var.detach()))
            ),
        ]
        return self

    def __exit__(self, *_):
        for hook in self.hooks:
            hook.remove()


def same(first, second):
    """Whether two Watches saw the same z."""
    return len(first.z) == len(second.z) and all(map(torch.equal, first.z, second.z))


def source(watch):
    """Where z comes from, in words: the decoder's input is compared with what the encoder gave."""
    if not watch.z:
        return "nowhere: the decoder is not used"
    if not watch.codes:
        return "no encoder"
    z = torch.cat([part.flatten(0, -2) for part in watch.z])
    mu, log_var = (torch.cat(parts).flatten(0, -2) for parts in zip(*watch.codes, strict=True))
    if len(mu) != len(z):
        mu, log_var = mu[:1], log_var[:1]
    sigma = (log_var / 2).exp()
    if torch.allclose(z, mu.expand_as(z)):
        return "an image: z is its mu"
    if (z / sigma).square().mean() < ((z - mu) / sigma).square().mean():
        return "noise with the sigma of an image"
    return "an image: z is a draw from its q(z|x)"


def kind(z):
    """What z is, in words, (K, L) -> str; "drawn from" means moments within 5.5 standard errors."""
    mean, sd, k, n = z.mean(0), z.std(0), len(z) ** 0.5, z.numel() ** 0.5
    peak = ((z - mean) ** 4).mean() / z.var() ** 2  # 3 for a Gaussian, 1.8 for a uniform
    moments = (
        (mean, 0, 1 / k),
        (z.mean(), 0, 1 / n),
        (sd, 1, 0.71 / k),
        (z.std(), 1, 0.71 / n),
        (torch.corrcoef(z.T)[0, 1], 0, 1 / k),
        (peak, 3, 24**0.5 / n),
        ((z.abs() < 1).double().mean(), 0.6827, 0.47 / n),
    )
    if all(((value - want).abs() < 5.5 * error).all() for value, want, error in moments):
        return "drawn from N(0, I)"
    if sd.max() > 5:
        return "spread far wider than the prior"
    if peak < 2.2:
        return "spread evenly, as from a uniform distribution"
    if z.shape[1] > 1 and torch.equal(z[:, 0], z[:, 1]):
        return "one number, repeated"
    return f"numbers with mean {z.mean():.2f} and standard deviation {z.std():.2f}"


def look(model, z, pictures):
    """What the pictures of z are, in words."""
    with torch.no_grad():
        logits = model.decode(z.to(next(model.parameters())))
    x = pictures.detach().to(logits)
    looks = {
        "probabilities": logits.sigmoid(),
        "logits": logits,
        "logits, clamped": logits.clamp(0, 1),
        "a sigmoid of probabilities": logits.sigmoid().sigmoid(),
        "exp(logits)": logits.exp(),
        "rounded probabilities": logits.sigmoid().round(),
        "logits, stretched to [0, 1]": (logits - logits.min()) / (logits.max() - logits.min()),
    }
    for name, those in looks.items():
        if torch.allclose(x, those, atol=1e-3):
            return name
    return "black and white, drawn" if ((x == 0) | (x == 1)).all() else "something else"
