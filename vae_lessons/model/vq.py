"""x -> a sentence of words from a codebook -> p(x|sentence): the VQ-VAE, and how its codebook learns."""

import math

import torch
from torch import nn

from vae_lessons.losses import Terms
from vae_lessons.model.vae import Autoencoder, Output
from vae_lessons.settings import number_at_least, said, tensor, whole_number


def quantise(h, book):
    """The nearest word of a codebook to each vector, (B, M, D), (K, D) -> z (B, M, D), index (B, M).

    index = argmin_k |h - e_k|^2,  z = h + sg(e_index - h)

    z has the value of the word, and its gradient goes to h as it is: the straight-through estimator. None
    reaches the book. Raises ValueError if the shapes do not fit.
    (Bengio et al. 2013; van den Oord et al. 2017)
    """
    if tensor("h", h).ndim != 3 or tensor("book", book).ndim != 2 or h.shape[-1] != book.shape[-1]:
        shapes = f"{tuple(h.shape)} and {tuple(book.shape)}"
        raise ValueError(f"h and book must be (B, M, D) and (K, D), but they are {shapes}.")
    distance = (book**2).sum(1) - 2 * h @ book.T  # |h - e|^2 less |h|^2, which is the same for all words
    index = distance.argmin(-1)
    return h + (book[index] - h).detach(), index


def vq_loss(h, e, beta=0.25):
    """What pulls words to vectors and vectors to words, (B, M, D) x 2 -> (B,).

    loss = |sg(h) - e|^2 + beta |h - sg(e)|^2,  sums over the sentence

    e are the words themselves, book[index], before the straight-through estimator: its z has no gradient for
    the book. The first part is the codebook loss, the second the commitment loss. Raises ValueError if the
    shapes differ. (van den Oord et al. 2017, equation 3)
    """
    if tensor("h", h).shape != tensor("e", e).shape:
        raise ValueError(f"h and e must have one shape, but they are {tuple(h.shape)} and {tuple(e.shape)}.")
    codebook = (h.detach() - e).square().flatten(1).sum(1)
    commitment = (h - e.detach()).square().flatten(1).sum(1)
    return codebook + beta * commitment


def perplexity(index, size):
    """With how many equally frequent words one would guess as badly, (...), int -> float, from 1 to size.

    perplexity = exp H,  H = -sum_k p_k log p_k,  p_k the share of word k

    Raises ValueError if there is no word, or one is not from 0 to size - 1. (Jelinek et al. 1977)
    """
    p = torch.bincount(_sentences(index, size).flatten(), minlength=size).double() / index.numel()
    return torch.special.entr(p).sum().exp().item()


def grid(levels):
    """The codebook of all combinations of a few levels from -1 to 1, ints -> (K, D), K their product.

    It is fixed, and nothing of it is learned. Raises ValueError unless there are two levels or more in
    each dimension. (Finite scalar quantization, Mentzer et al. 2023)
    """
    if not isinstance(levels, (tuple, list)) or not levels:
        raise ValueError(f"levels must be a tuple of whole numbers, such as (4, 4, 4), not {said(levels)}.")
    axes = [torch.linspace(-1, 1, whole_number("levels", level, 2)) for level in levels]
    return torch.cartesian_prod(*axes).view(-1, len(levels))


class WordVAE(Autoencoder):
    """The vector-quantised VAE (van den Oord et al. 2017): its code is a sentence of `words` words.

    The encoder gives `words` vectors of `width` numbers; each is replaced by the nearest of `size` words in
    one codebook, `book`. `update` says how that learns: "loss", by the gradient of `vq_loss`; "ema", as the
    moving average of the vectors that chose each word, started at vectors of the first batch. `levels`, such
    as (4, 4, 4), makes the book a fixed grid between -1 and 1 instead (`grid`), to which the vectors are
    bounded by tanh; size and width then follow from it. `commitment` is the beta of `vq_loss`. All else, and
    errors: as an Autoencoder's.
    """

    def __init__(
        self, words=8, size=64, width=8, update="loss", levels=None, commitment=0.25, decay=0.99, **others
    ):
        if update not in ("loss", "ema"):
            raise ValueError(f'update must be "loss" or "ema", not {said(update)}.')
        book = None if levels is None else grid(levels)
        size, width = (size, width) if book is None else book.shape
        words, size = whole_number("words", words), whole_number("size", size, 2)
        width = whole_number("width", width)
        super().__init__(words * width, **others)
        self.words, self.size, self.width, self.update = words, size, width, update
        self.commitment, self.decay = (
            number_at_least("commitment", commitment),
            number_at_least("decay", decay),
        )
        self.levels = None if levels is None else tuple(map(int, levels))
        self.settings.pop("latent")
        for name in ("words", "size", "width", "update", "levels", "commitment", "decay"):
            self.settings[name] = getattr(self, name)
        if book is not None:
            self.register_buffer("book", book)
            return
        generator = torch.Generator().manual_seed(self.settings["seed"])
        book = (2 * torch.rand(size, width, generator=generator) - 1) / size  # as much public code starts it
        if update == "loss":
            self.book = nn.Parameter(book)
        else:
            self.register_buffer("book", book)
            self.register_buffer("count", torch.zeros(size))  # how many vectors chose each word, on average
            self.register_buffer("total", torch.zeros(size, width))  # their sum

    def vectors(self, x):
        """What the encoder says before it is put into words, (B, *shape) -> (B, M, D)."""
        h = self.encode(x).view(len(x), self.words, self.width)
        return h if self.levels is None else h.tanh()

    def forward(self, x, eps=None, generator=None):
        """Vectors mu (B, M D), sentence z (B, M) and its picture as logits, (B, *shape) -> Output."""
        h = self.vectors(x)
        z, index = quantise(h, self.book)
        return Output(self.decode(z.flatten(1)), h.flatten(1), None, index)

    def terms(self, batch, generator=None):
        """-log p(x|sentence), and in place of the KL a second term, Batch -> Terms of (B,).

        While the model is trained, the second term is `vq_loss`, or 0 with `levels`. When it is evaluated, it
        is the sentence's M log K nats under uniformly drawn words, the KL of a q that is certain: so that the
        sum is minus a true ELBO.
        """
        h = self.vectors(batch.x)
        learning = self.training and self.update == "ema" and self.levels is None
        if learning and not self.count.any():
            self._start(h.detach().flatten(0, 1), generator)
        z, index = quantise(h, self.book)
        nll = self.likelihood.nll(batch.x, self.decode(z.flatten(1)))
        if not self.training:
            return Terms(nll, torch.full_like(nll, self.words * math.log(self.size)))
        second = (
            vq_loss(h, self.book[index], self.commitment) if self.levels is None else nll.new_zeros(len(nll))
        )
        if learning:
            self._average(h.detach().flatten(0, 1), index.flatten())
        return Terms(nll, second)

    @torch.no_grad()
    def _start(self, rows, generator):
        """Put the words at vectors of the first batch, chosen at random, (N, D)."""
        chosen = torch.randint(len(rows), (self.size,), generator=generator, device=rows.device)
        self.book.copy_(rows[chosen])
        self.count.fill_(1)
        self.total.copy_(self.book)

    @torch.no_grad()
    def _average(self, rows, index):
        """Move each word to the average of the vectors that chose it, lately, (N, D), (N,)."""
        chosen = nn.functional.one_hot(index, self.size).to(rows.dtype)
        self.count.lerp_(chosen.sum(0), 1 - self.decay)
        self.total.lerp_(chosen.T @ rows, 1 - self.decay)
        self.book.copy_(self.total / self.count.clamp(min=1e-5)[:, None])

    @torch.no_grad()
    def index(self, x):
        """The sentence of each image, (B, *shape) -> int64 (B, M), no gradient."""
        return quantise(self.vectors(tensor("x", x).to(self.device)), self.book)[1].to(x.device)

    def code(self, x):
        """The sentence of each image, as `index`."""
        return self.index(x)

    @torch.no_grad()
    def picture(self, index):
        """The mean picture of each sentence, int64 (B, M) -> (B, *shape), no gradient.

        Raises ValueError on a sentence of another length or with words that are not in the book.
        """
        index = _sentences(index, self.size)
        if index.shape[1:] != (self.words,):
            raise ValueError(f"index must be (B, {self.words}), but it is {tuple(index.shape)}.")
        z = self.book[index.to(self.device)].flatten(1)
        return self.likelihood.mean(self.decode(z)).to(index.device)


def _sentences(index, size):
    """The index itself, if all of it are words from 0 to size - 1."""
    if tensor("index", index).dtype != torch.int64 or not index.numel():
        raise ValueError(f"index must be whole numbers, int64, not {index.dtype} of {tuple(index.shape)}.")
    if index.min() < 0 or index.max() >= size:
        raise ValueError(f"index must be words from 0 to {size - 1}, but there is {index.max().item()}.")
    return index
