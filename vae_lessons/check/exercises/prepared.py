"""The exercise on a photograph as it is stored and an image as a model takes it, lesson 17."""

from torch.nn import functional as F

from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Fact, Mistake, noise, placed


def _observe(call, seed):
    for height, width, size in ((8, 8, 8), (6, 10, 3), (12, 8, 4), (9, 15, 3)):
        image = call.tensor(_photo(height, width, seed), size)
        title = f"a photograph of {height} x {width} pixels as an image of {size} x {size}"
        yield Fact(f"{title}, the shape", tuple(image.shape))
        yield Fact(f"{title}, the type", "floating point" if image.is_floating_point() else str(image.dtype))
        yield Fact(title, image.detach().cpu().double(), 1e-5)


def _photo(height, width, seed):
    """Random pixels as a file holds them, (H, W, 3) uint8."""
    return placed((noise(height, width, 3, seed=seed + height + width).sigmoid() * 255).round().byte())


def _middle(pixels):
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def _moved(pixels):
    return pixels.permute(2, 0, 1)


def _scaled(x):
    return x.float() / 255


def _averaged(x, size):
    return F.adaptive_avg_pool2d(x, size)


def _with(crop=_middle, move=_moved, scale=_scaled, resize=_averaged):
    """The right steps with one of them changed."""

    def prepared(pixels, size):
        return resize(scale(move(crop(pixels))), size)

    return prepared


def _reference(pixels, size):
    """The square in the middle, (3, H, W), in [0, 1], each pixel the mean of those that it replaces."""
    height, width, _ = pixels.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    x = pixels[top : top + side, left : left + side].permute(2, 0, 1).float() / 255
    return F.adaptive_avg_pool2d(x, size)


def _viewed_first(pixels, size):
    side = min(pixels.shape[:2])
    return _averaged(_scaled(pixels.reshape(3, *pixels.shape[:2])[:, :side, :side]), size)


def _stride(x, size):
    step = x.shape[-1] // size
    return x[:, ::step, ::step]


MISTAKES = (
    Mistake(
        "view for permute",
        "the numbers are only cut differently into rows, so that red, green and blue are mixed. "
        "x.permute(2, 0, 1) moves the axis of the colours to the front; view and reshape do not.",
        PUBLIC,
        (
            _with(move=lambda x: x.reshape(3, *x.shape[:2])),
            lambda pixels, size: _averaged(
                _scaled(
                    pixels.reshape(3, *pixels.shape[:2])[:, : min(pixels.shape[:2]), : min(pixels.shape[:2])]
                ),
                size,
            ),
        ),
    ),
    Mistake(
        "squashed",
        "the whole photograph is squashed into a square. Cut out the square in its middle first, so that a "
        "circle stays a circle.",
        PUBLIC,
        (_with(crop=lambda pixels: pixels),),
    ),
    Mistake(
        "cut from the corner",
        "the square is cut from the upper left corner. It should be in the middle: start at "
        "(height - side) // 2 and (width - side) // 2.",
        COURSE,
        (_with(crop=lambda pixels: pixels[: min(pixels.shape[:2]), : min(pixels.shape[:2])]),),
    ),
    Mistake(
        "not divided by 255",
        "the pixels still reach up to 255. Divide them by 255: a likelihood of this course takes pixels from "
        "0 to 1.",
        PUBLIC,
        (_with(scale=lambda x: x.float()),),
    ),
    Mistake(
        "divided by 256",
        "white becomes 0.996, not 1. There are 256 levels, but the largest is 255: divide by 255.",
        NEAR,
        (_with(scale=lambda x: x.float() / 256),),
    ),
    Mistake(
        "from -1 to 1",
        "the pixels reach from -1 to 1. Some models want that; the likelihoods of this course take 0 to 1.",
        PUBLIC,
        (_with(scale=lambda x: x.float() / 127.5 - 1),),
    ),
    Mistake(
        "stretched to its own range",
        "each photograph is stretched to its own darkest and brightest pixel, so that a dark photograph "
        "becomes as bright as the others. Divide by 255, whatever the photograph.",
        COURSE,
        (_with(scale=lambda x: (x.float() - x.min()) / (x.max().float() - x.min())),),
    ),
    Mistake(
        "pixels skipped",
        "only some pixels are kept and those between them are skipped, which makes edges jagged. Each new "
        "pixel is the mean of all pixels that it replaces, as F.adaptive_avg_pool2d does.",
        PUBLIC,
        (_with(resize=_stride),),
    ),
    Mistake(
        "height and width exchanged",
        "the image lies on its side: height and width are exchanged. The new order of (H, W, 3) is "
        "(3, H, W), so x.permute(2, 0, 1).",
        NEAR,
        (_with(move=lambda x: x.permute(2, 1, 0)),),
    ),
    Mistake(
        "colours at the end",
        "the three colours are still the last axis. A convolution takes (3, H, W).",
        PUBLIC,
        (
            lambda pixels, size: _reference(pixels, size).permute(1, 2, 0),
            lambda pixels, size: _averaged(_scaled(_moved(_middle(pixels))), size).movedim(0, -1),
        ),
    ),
)

prepared = Exercise(
    name="prepared",
    parameters=("pixels", "size"),
    reference=_reference,
    observe=_observe,
    verified="the square in the middle, (3, size, size), from 0 to 1, each pixel a mean.",
    mistakes=MISTAKES,
    hints=(
        "Four steps: cut out the square in the middle, move the axis of the colours to the front, scale to "
        "0 to 1, make it smaller.",
        "With side = min(H, W), the square starts at row (H - side) // 2 and column (W - side) // 2.",
        "pixels.permute(2, 0, 1).float() / 255 is (3, side, side); torch.nn.functional.adaptive_avg_pool2d("
        "x, size) takes means over equal squares.",
    ),
)
