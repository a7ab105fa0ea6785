"""Choose the words of a sentence, see what it draws, and let a writer write the rest (lesson 14)."""

import torch

from vae_lessons import plots
from vae_lessons.explorers.page import Page, decoder, quantized
from vae_lessons.plots import COLOURS

GATES = ("weight_ih_l0", "weight_hh_l0")


def sentence(model, writer, data):
    """Write a sentence word by word, WordVAE, Writer, Data -> Page.

    A slider for each word, and the picture of the sentence; bars of p(next word | the words that are kept),
    as the writer has it; a button that draws the rest of the sentence from the writer. It starts with the
    sentence of a test image of each class. Raises ValueError if model and writer have not as many words in as
    large a book.
    """
    if (model.words, model.size) != (writer.words, writer.size):
        raise ValueError(
            f"The model has {model.words} words out of {model.size}, and the writer {writer.words} out of "
            f"{writer.size}."
        )
    first = [int((data.test.y == c).nonzero()[0]) for c in data.test.y.unique()]
    starts = model.index(data.test.batch(torch.tensor(first, device=data.test.pixels.device)).x).cpu()
    gru = {name: value.detach().float().cpu() for name, value in writer.gru.state_dict().items()}
    caption = (
        "Explorer: a slider for each word of a sentence, the picture that it draws, and the probability of "
        "each next word under the writer."
    )
    return Page(
        "sentence",
        _still(model, writer, starts[:1], caption),
        {
            "decoder": decoder(model),
            "book": model.book.detach().float().cpu(),
            "embed": quantized(writer.embed.weight.detach().float().cpu()),
            "input": quantized(gru[GATES[0]]) | {"bias": gru["bias_ih_l0"], "after": ""},
            "state": quantized(gru[GATES[1]]) | {"bias": gru["bias_hh_l0"], "after": ""},
            "output": quantized(writer.out.weight.detach().float().cpu())
            | {"bias": writer.out.bias.detach().float().cpu(), "after": ""},
            "starts": starts.to(torch.int32),
            "digits": data.test.y[first].tolist(),
            "shape": data.test.pixels.shape[1:],
        },
    )


def _still(model, writer, start, caption):
    figure, (drawn, bars) = plots.axes(1, 2, size=(4.2, 2.8), width_ratios=[1, 2])
    plots.tiles(drawn, plots.drawable(model.picture(start)), 1)
    drawn.set_title(" ".join(map(str, start[0].tolist())), fontsize=10)
    with torch.no_grad():
        p = writer(start[:, :0].to(writer.device))[0, -1].softmax(-1)
    bars.bar(range(model.size), plots.array(p), color=COLOURS[6], width=0.9)
    bars.set(xlabel="word 1", ylabel="probability")
    return plots.Picture(figure, caption)
