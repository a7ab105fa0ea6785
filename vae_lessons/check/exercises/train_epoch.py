"""The exercise on the training loop, judged by what each step does, and how it goes wrong."""

import torch

from vae_lessons.check.engine import NEAR, PUBLIC, Exercise, Fact, Mistake, noise, placed
from vae_lessons.check.engine.observed_training import RATE, SHAPE, Training, noise_in_words, order_in_words
from vae_lessons.gaussian import kl_standard_normal, reparameterize
from vae_lessons.losses import bernoulli_nll, vae_loss

IMAGES, BATCH = 20, 8  # so that the last batch is smaller
MANY = 400  # images to judge the noise by


def _observe(call, seed):
    x, generator = _images(IMAGES, seed), torch.Generator().manual_seed(seed)
    first = _passed(call, seed, x, BATCH, generator)
    sizes = [len(step["x"]) for step in first.steps]
    steps = f"{len(sizes)}" if sizes else f"0, {first.without_steps}"
    yield Fact(f"the number of steps that {IMAGES} images in batches of {BATCH} make", steps)
    if not sizes:
        return
    yield Fact("the numbers of images in these batches", str(sizes))
    order = order_in_words(first, x)
    each = order if isinstance(order, str) else _seen(order)
    yield Fact("the images that one pass shows to the encoder", each)
    again = order_in_words(_passed(call, seed, x, BATCH, generator), x)
    yield Fact("the order of the images in two passes", _orders(order, again))
    many = _passed(call, seed, _images(MANY, seed), MANY // 4, generator)
    yield Fact("what the decoder is given", noise_in_words(many) if many.steps else "nothing")
    yield Fact("the noise of one batch and of the next", _fresh(many))
    gradients = dict.fromkeys(step["gradient"] for step in first.steps)
    yield Fact("the gradient with which a step is made", f"that {'; in other steps that '.join(gradients)}")
    yield Fact("whether the weights have changed after a pass", "yes" if first.changed else "no")
    yield Fact("when the schedule moves", _moves(first.events))


def _images(n, seed):
    """Grey images of a size that nobody wrote into their code, no two alike."""
    return placed(noise(n, *SHAPE, seed=seed).sigmoid())


def _passed(call, seed, x, batch, generator):
    """What one pass over the images did to a fresh encoder and decoder, -> Training."""
    with Training(seed) as training:
        call(training.encoder, training.decoder, x, training.optimizer, training.schedule, generator, batch)
    return training


def _seen(order):
    twice = len(order) - len(set(order))
    missed = IMAGES - len(set(order))
    if not twice and not missed:
        return "each of them once"
    return f"{len(set(order))} of {IMAGES}" + (", some more than once" if twice else "")


def _orders(order, again):
    if isinstance(order, str) or isinstance(again, str):
        return "none"
    if order == sorted(order) and again == sorted(again):
        return "that of x, not a random one"
    return "one order, twice" if order == again else "two random orders"


def _fresh(training):
    """Whether any two batches have other noise."""
    eps = training.eps
    size = min((len(part) for part in eps), default=0)
    if len(eps) < 2 or any(len(step["z"]) != len(step["x"]) for step in training.steps):
        return "unknown"
    return "the same" if torch.allclose(eps[0][:size], eps[1][:size], atol=1e-3) else "different draws"


def _moves(events):
    steps = events.count("step")
    for words, pattern in (
        ("after each step", ["step", "schedule"] * steps),
        ("never", ["step"] * steps),
        ("before each step", ["schedule", "step"] * steps),
        ("once in a pass, at its end", ["step"] * steps + ["schedule"]),
    ):
        if events == pattern:
            return words
    return "at other times"


def _remark(call, seed):
    """Whether its random numbers are those of `fit`, for the same generator."""
    x = _images(IMAGES, seed)
    orders, draws = [], []
    for function in (call, _train_epoch):
        training = _passed(function, seed, x, BATCH, torch.Generator().manual_seed(seed + 1))
        orders.append(order_in_words(training, x))
        draws.append(torch.cat(training.eps))
    if orders[0] == orders[1] and torch.allclose(*draws, atol=1e-3):
        return ""
    return (
        "One remark: it draws other random numbers than `fit`, which takes from `generator` the order of the "
        "images first and then the noise of one batch after another. So its scores will differ a little."
    )


def _train_epoch(encoder, decoder, x, optimizer, schedule, generator, batch=256):
    for index in torch.randperm(len(x), generator=generator).split(batch):
        mu, log_var = encoder(x[index])
        z = reparameterize(mu, log_var, generator=generator)
        loss = vae_loss(x[index], decoder(z), mu, log_var)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _parts(x, batch, generator):
    return [x[index] for index in torch.randperm(len(x), generator=generator).split(batch)]


def _learn(loss, optimizer, schedule):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()


def _loop(parts=_parts, draw=reparameterize, loss=vae_loss, learn=_learn, after=lambda schedule: None):
    """The right loop with one of its pieces changed."""

    def code(encoder, decoder, x, optimizer, schedule, generator, batch=256):
        for part in parts(x, batch, generator):
            mu, log_var = encoder(part)
            logits = decoder(draw(mu, log_var))
            learn(loss(part, logits, mu, log_var), optimizer, schedule)
        after(schedule)

    return code


def _of(reduce):
    """The loop with the loss reduce(nll, kl), (B,), (B,) -> ()."""

    def loss(x, logits, mu, log_var):
        return reduce(bernoulli_nll(x, logits), kl_standard_normal(mu, log_var))

    return _loop(loss=loss)


def _steps(*names):
    """The loop in which each batch does these things, in this order."""

    def learn(loss, optimizer, schedule):
        does = {
            "zero_grad": optimizer.zero_grad,
            "backward": loss.backward,
            "step": optimizer.step,
            "schedule": schedule.step,
        }
        for name in names:
            does[name]()

    return learn


def _with(noise):
    """The loop with z = mu + noise(log_var, eps)."""
    return _loop(draw=lambda mu, log_var: mu + noise(log_var, torch.randn_like(mu)))


def _one_noise():
    """The loop whose noise is drawn once, before it."""

    def code(encoder, decoder, x, optimizer, schedule, generator, batch=256):
        eps = torch.randn(len(x), encoder(x[:1])[0].shape[1], dtype=x.dtype, device=x.device)

        def draw(mu, log_var):
            return mu + (log_var / 2).exp() * eps[: len(mu)]

        _loop(draw=draw)(encoder, decoder, x, optimizer, schedule, generator, batch)

    return code


def _own_optimizer(encoder, decoder, x, optimizer, schedule, generator, batch=256):
    mine = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], RATE)
    _train_epoch(encoder, decoder, x, mine, schedule, generator, batch)


def _frozen_encoder(encoder, decoder, x, optimizer, schedule, generator, batch=256):
    def without_gradient(part):
        with torch.no_grad():
            return encoder(part)

    _train_epoch(without_gradient, decoder, x, optimizer, schedule, generator, batch)


def _replaced(x, batch, generator):
    rows = torch.randint(len(x), (len(x),), generator=generator)
    return [x[index] for index in rows.split(batch)]


def _seeded(x, batch, generator):
    return _parts(x, batch, torch.Generator().manual_seed(0))


MISTAKES = (
    Mistake(
        "zero_grad forgotten",
        "PyTorch adds each new gradient to the old one, so every step follows the sum of all batches so far. "
        "Call optimizer.zero_grad() once for each batch.",
        PUBLIC,
        (_loop(learn=_steps("backward", "step", "schedule")),),
    ),
    Mistake(
        "step forgotten",
        "the gradients are computed and nothing is done with them. optimizer.step() changes the weights.",
        PUBLIC,
        (
            _loop(learn=_steps("zero_grad", "backward")),
            _loop(learn=_steps("zero_grad", "backward", "schedule")),
        ),
    ),
    Mistake(
        "no gradient at the step",
        "when the step is made there is no gradient: either loss.backward() is missing, or zero_grad() "
        "stands between backward() and step() and wipes it out.",
        PUBLIC,
        (
            _loop(learn=_steps("zero_grad", "step", "schedule")),
            _loop(learn=_steps("backward", "zero_grad", "step", "schedule")),
        ),
    ),
    Mistake(
        "the schedule never moves",
        "the learning rate stays where it began, since schedule.step() is missing. Call it after each "
        "optimizer.step().",
        PUBLIC,
        (_loop(learn=_steps("zero_grad", "backward", "step")),),
    ),
    Mistake(
        "the schedule moves once a pass",
        "schedule.step() is called once in the whole pass. This schedule counts batches: call it after each "
        "optimizer.step(), inside the loop.",
        PUBLIC,
        (_loop(learn=_steps("zero_grad", "backward", "step"), after=lambda schedule: schedule.step()),),
    ),
    Mistake(
        "the schedule moves before the step",
        "schedule.step() comes before optimizer.step(), so the first learning rate is skipped.",
        PUBLIC,
        (_loop(learn=_steps("zero_grad", "backward", "schedule", "step")),),
    ),
    Mistake(
        "no noise",
        "the decoder is given mu itself, so no sample is drawn, sigma is never used, and this "
        "trains an autoencoder with a penalty. Decode z = mu + sigma * eps.",
        PUBLIC,
        (_loop(draw=lambda mu, log_var: mu),),
    ),
    Mistake(
        "the variance for sigma",
        "the noise is scaled by exp(log_var), which is the variance. The standard "
        "deviation is exp(log_var / 2).",
        PUBLIC,
        (_with(lambda log_var, eps: log_var.exp() * eps),),
    ),
    Mistake(
        "log_var for sigma",
        "the noise is scaled by log_var itself. The standard deviation is exp(log_var / 2).",
        PUBLIC,
        (_with(lambda log_var, eps: log_var * eps),),
    ),
    Mistake(
        "sigma left out",
        "the noise is not scaled: z = mu + eps. It must be multiplied by sigma, which is exp(log_var / 2).",
        PUBLIC,
        (_with(lambda log_var, eps: eps),),
    ),
    Mistake(
        "the same noise in each batch",
        "the noise is drawn once and used for every batch. Draw a new eps for each.",
        PUBLIC,
        (_one_noise(),),
    ),
    Mistake(
        "z without a gradient",
        "the gradient of the reconstruction stops at z, so the encoder learns from "
        "the KL alone. Write z = mu + sigma * eps; torch.normal, .sample() and .detach() cut the gradient.",
        PUBLIC,
        (
            _loop(draw=lambda mu, log_var: torch.normal(mu, (log_var / 2).exp())),
            _loop(draw=lambda mu, log_var: torch.distributions.Normal(mu, (log_var / 2).exp()).sample()),
            _loop(draw=lambda mu, log_var: reparameterize(mu, log_var).detach()),
        ),
    ),
    Mistake(
        "no gradient for the encoder",
        "no gradient reaches the encoder at all. Is it called under torch.no_grad()?",
        NEAR,
        (_frozen_encoder,),
    ),
    Mistake(
        "KL left out",
        "the loss is the reconstruction alone. The KL is missing.",
        PUBLIC,
        (_of(lambda nll, kl: nll.mean()),),
    ),
    Mistake(
        "KL averaged over latent dimensions",
        "the KL is a mean over the latent dimensions. It is a sum over them.",
        PUBLIC,
        (_of(lambda nll, kl: (nll + kl / 3).mean()),),
    ),
    Mistake(
        "KL with the wrong sign",
        "the KL is subtracted. Both terms are costs, so they are added.",
        PUBLIC,
        (_of(lambda nll, kl: (nll - kl).mean()),),
    ),
    Mistake(
        "uphill",
        "the loss has the wrong sign: the optimizer descends, so give it the negative ELBO, nll + kl.",
        PUBLIC,
        (_of(lambda nll, kl: -(nll + kl).mean()),),
    ),
    Mistake(
        "summed over the batch",
        "the loss is summed over the images of a batch, so every gradient is as "
        "many times too large as the batch has images, and the learning rate no longer fits. Take the mean.",
        PUBLIC,
        (_of(lambda nll, kl: (nll + kl).sum()),),
    ),
    Mistake(
        "reconstruction summed over the batch",
        "the reconstruction is summed over the images and the KL is averaged. Both are means over images.",
        PUBLIC,
        (_of(lambda nll, kl: nll.sum() + kl.mean()), _of(lambda nll, kl: nll.sum() + kl.mean() / 3)),
    ),
    Mistake(
        "divided by the batch size asked for",
        "the sum over images is divided by `batch`, but the last batch has fewer images. Take the mean.",
        NEAR,
        (_of(lambda nll, kl: (nll + kl).sum() / BATCH),),
    ),
    Mistake(
        "reconstruction averaged over pixels",
        "the reconstruction is a mean over pixels, while the KL is a sum over latent dimensions. Sum over "
        "pixels, too, or the KL weighs as many times too much as there are pixels.",
        PUBLIC,
        (_of(lambda nll, kl: (nll / 6 + kl).mean()), _of(lambda nll, kl: nll.mean() / 6 + kl.mean() / 3)),
    ),
    Mistake(
        "only one batch",
        "it stops after the first batch. Is there a return inside the loop?",
        PUBLIC,
        (_loop(parts=lambda *args: _parts(*args)[:1]),),
    ),
    Mistake(
        "the last batch dropped",
        "the images that do not fill a whole batch are never used. Let the last batch be smaller.",
        PUBLIC,
        (
            _loop(
                parts=lambda x, batch, generator: [
                    part for part in _parts(x, batch, generator) if len(part) == batch
                ]
            ),
        ),
    ),
    Mistake(
        "all images in one batch",
        "all images are one batch, so a pass makes a single step. Split them into batches.",
        PUBLIC,
        (_loop(parts=lambda x, batch, generator: _parts(x, len(x), generator)),),
    ),
    Mistake(
        "one image at a time",
        "every image makes a step of its own. A step takes a batch of images.",
        NEAR,
        (_loop(parts=lambda x, batch, generator: _parts(x, 1, generator)),),
    ),
    Mistake(
        "not shuffled",
        "the batches are the images as they lie in x, in every pass the same. Take them in a "
        "random order: torch.randperm.",
        PUBLIC,
        (_loop(parts=lambda x, batch, generator: x.split(batch)),),
    ),
    Mistake(
        "the same order in each pass",
        "every pass has the same random order: something sets a seed inside.",
        NEAR,
        (_loop(parts=_seeded),),
    ),
    Mistake(
        "drawn with replacement",
        "the images are drawn with replacement, so that a pass shows some of them "
        "twice and leaves others out. A permutation (torch.randperm) shows each once.",
        PUBLIC,
        (_loop(parts=_replaced),),
    ),
    Mistake(
        "images from elsewhere",
        "the encoder is shown images that are not in x. Is a variable from another "
        "cell used, the test images perhaps?",
        PUBLIC,
        (_loop(parts=lambda x, batch, generator: _parts(torch.rand_like(x), batch, generator)),),
    ),
    Mistake(
        "an optimizer of its own",
        "the weights change, but not through the optimizer that was passed in. A "
        "new one in each pass forgets the learning rate and what Adam remembers.",
        PUBLIC,
        (_own_optimizer,),
    ),
)

train_epoch = Exercise(
    name="train_epoch",
    parameters=("encoder", "decoder", "x", "optimizer", "schedule", "generator", "batch"),
    reference=_train_epoch,
    observe=_observe,
    remark=_remark,
    verified="each image once, in a new random order; fresh noise for each batch; and steps along the "
    "gradient of the mean negative ELBO of that batch alone, which reaches the encoder through z.",
    mistakes=MISTAKES,
    hints=(
        "For each batch: images -> mu, log_var -> z -> logits -> loss, and then what every training loop "
        "does with a loss.",
        "torch.randperm(len(x), generator=generator).split(batch) gives the places of the images of one "
        "batch after another; gaussian.reparameterize draws z.",
        "optimizer.zero_grad(), loss.backward(), optimizer.step(), "
        "schedule.step(), in this order, for each batch.",
    ),
)
