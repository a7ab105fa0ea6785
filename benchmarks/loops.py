"""The loops that `fit` is held against, on one model: 784-400-20-400-784, SiLU, a Bernoulli decoder."""

import contextlib
import importlib.util
import io
import logging
import tempfile

import torch
import torch.nn.functional as F

from vae_lessons.model import VAE

LATENT, HIDDEN = 20, (400,)


def new_model(device="cpu"):
    """The same model, with the same weights, for every contestant."""
    return VAE(latent=LATENT, hidden=HIDDEN, seed=0).to(device)


def bare_forward(model, x, eps):
    """x (B, 784) -> logits, mu, log_var by the layers alone: no checks, no names, nothing to skip."""
    encoder, decoder = model.encoder, model.decoder
    h = F.silu(F.linear(x, encoder.hidden[0].weight, encoder.hidden[0].bias))
    mu = F.linear(h, encoder.head.mu_head.weight, encoder.head.mu_head.bias)
    log_var = F.linear(h, encoder.head.log_var_head.weight, encoder.head.log_var_head.bias)
    z = mu + torch.exp(log_var / 2) * eps
    h = F.silu(F.linear(z, decoder.hidden[0].weight, decoder.hidden[0].bias))
    return F.linear(h, decoder.out.weight, decoder.out.bias), mu, log_var


def bare(model, batches, lr=1e-3):
    """Forward, backward, fused Adam, on batches (B, 784) that are ready in memory. The floor: 1.00."""
    for _ in bare_steps(model, batches, lr):
        pass


def bare_steps(model, batches, lr=1e-3):
    """`bare` as an iterator that stops after every step."""
    optimizer = torch.optim.Adam(model.parameters(), lr, fused=True)
    for x in batches:
        eps = torch.randn(len(x), LATENT, device=x.device)
        logits, mu, log_var = bare_forward(model, x, eps)
        nll = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp())
        optimizer.zero_grad()
        ((nll + kl) / len(x)).backward()
        optimizer.step()
        yield


class CommonVAE(torch.nn.Module):
    """The model as pytorch/examples writes it (vae/main.py): the decoder ends in a sigmoid.

    Where loops are compared, with SiLU in place of its ReLU, so that they differ in nothing else.
    """

    def __init__(self, activation=F.silu):
        super().__init__()
        self.activation = activation
        self.fc1 = torch.nn.Linear(784, HIDDEN[0])
        self.fc21 = torch.nn.Linear(HIDDEN[0], LATENT)
        self.fc22 = torch.nn.Linear(HIDDEN[0], LATENT)
        self.fc3 = torch.nn.Linear(LATENT, HIDDEN[0])
        self.fc4 = torch.nn.Linear(HIDDEN[0], 784)

    def encode(self, x):
        h1 = self.activation(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        h3 = self.activation(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 784))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def common_loss(recon_x, x, mu, logvar):
    bce = F.binary_cross_entropy(recon_x, x.view(-1, 784), reduction="sum")
    return bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


def common(model, dataset, batch, device="cpu", epochs=1, log_interval=10, workers=0):
    """The training loop of pytorch/examples (vae/main.py): DataLoader, default Adam, sigmoid + BCE, item().

    `dataset` is torchvision's, with ToTensor. On a GPU it has one worker and pinned memory there, too.
    """
    extra = {"num_workers": max(workers, 1), "pin_memory": True} if device != "cpu" else {}
    loader = torch.utils.data.DataLoader(dataset, batch_size=batch, shuffle=True, **extra)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        model.train()
        train_loss = 0
        for i, (x, _) in enumerate(loader):
            x = x.to(device)
            optimizer.zero_grad()
            recon, mu, logvar = model(x)
            loss = common_loss(recon, x, mu, logvar)
            loss.backward()
            train_loss += loss.item()
            optimizer.step()
            if i % log_interval == 0:
                _ = f"Train [{i * len(x)}/{len(dataset)}]\tLoss: {loss.item() / len(x):.6f}"


@torch.no_grad()
def common_elbo(model, split):
    """The test ELBO of a CommonVAE on a Split, one sample an image, in nats: minus its test loss."""
    total = 0.0
    for start in range(0, len(split), 1000):
        x = split.batch(slice(start, start + 1000)).x
        recon, mu, logvar = model(x)
        total -= common_loss(recon, x, mu, logvar).item()
    return total / len(split)


def torchvision_set(split):
    """A Split as torchvision's MNIST with ToTensor: a PIL image and a new tensor for each item asked for."""
    from torchvision import datasets, transforms

    dataset = datasets.MNIST.__new__(datasets.MNIST)
    dataset.data, dataset.targets = split.pixels.squeeze(1), split.y
    dataset.transform, dataset.target_transform = transforms.ToTensor(), None
    return dataset


def has_pythae():
    """Whether pythae (Chadebec et al. 2022) is installed."""
    return importlib.util.find_spec("pythae") is not None


def pythae_trainer(split, batch):
    """pythae's BaseTrainer on its VAE with this model's layers, ready to train one epoch -> a function."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE as PythaeVAE
    from pythae.models import VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    class Encoder(BaseEncoder):
        def __init__(self, own):
            super().__init__()
            self.own = own.encoder

        def forward(self, x):
            mu, log_var = self.own(x)
            return ModelOutput(embedding=mu, log_covariance=log_var)

    class Decoder(BaseDecoder):
        def __init__(self, own):
            super().__init__()
            self.own = own.decoder

        def forward(self, z):
            return ModelOutput(reconstruction=torch.sigmoid(self.own(z)))

    logging.disable(logging.WARNING)
    own = new_model()
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENT, reconstruction_loss="bce")
    folder = tempfile.TemporaryDirectory()
    settings = BaseTrainerConfig(
        output_dir=folder.name,
        num_epochs=1,
        learning_rate=1e-3,
        no_cuda=True,
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=batch,
    )
    dataset = BaseDataset(split.x, split.y)
    trainer = BaseTrainer(PythaeVAE(config, Encoder(own), Decoder(own)), dataset, None, settings)

    def run():
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), folder:
            trainer.train()

    return run
