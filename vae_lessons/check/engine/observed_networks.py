"""Networks that a learner makes and trains, under observation -> what became of their weights, in words."""

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook


class Layers:
    """Every layer with weights that is called in a `with` block, whoever makes it and whenever.

    `before` holds its weights as they were when it was first called; `passes`, of each weight that a gradient
    has reached, one bool for each backward(): whether the gradient replaced the old one, or was added to it;
    `rows`, of each linear layer, what it was given while learning.
    """

    def __init__(self):
        self.before, self.passes, self.rows, self.hooks = {}, {}, {}, []

    def __enter__(self):
        self.hooks = [register_module_forward_pre_hook(self._called)]
        return self

    def __exit__(self, *_):
        for hook in self.hooks:
            hook.remove()

    def fate(self, weights):
        """What became of these weights, in words; of those that it never saw, the best is believed."""
        seen = [weight for weight in weights if weight in self.before]
        if not seen or any(not torch.equal(weight, self.before[weight]) for weight in seen):
            return "they change"
        if any(weight in self.passes for weight in seen):
            return "they stay as they were, though a gradient reaches them"
        return "they stay as they were, and no gradient reaches them"

    @property
    def steps(self):
        """How often backward() was called."""
        return max(map(len, self.passes.values()), default=0)

    @property
    def gradients(self):
        """Of what the gradients are, in words."""
        added = any(len(passes) > 1 and not any(passes[1:]) for passes in self.passes.values())
        return "of all batches so far" if added else "of one batch"

    def shown(self, pixels):
        """How many different rows of that length a layer learned from, or None where it cannot be said."""
        first = [parts for layer, parts in self.rows.items() if layer.in_features == pixels]
        return max((len(torch.cat(parts).unique(dim=0)) for parts in first), default=None)

    def _called(self, layer, args):
        for weight in layer.parameters(recurse=False):
            if weight not in self.before:
                self.before[weight] = weight.detach().clone()
                self._follow(weight)
        if isinstance(layer, nn.Linear) and torch.is_grad_enabled():
            self.rows.setdefault(layer, []).append(args[0].detach().flatten(0, -2))

    def _follow(self, weight):
        if not weight.requires_grad:
            return
        fresh = []

        def added(leaf):
            self.passes.setdefault(leaf, []).append(torch.equal(leaf.grad, fresh.pop()))

        self.hooks.append(weight.register_hook(lambda gradient: fresh.append(gradient.clone())))
        self.hooks.append(weight.register_post_accumulate_grad_hook(added))


def weights_of(function, *args):
    """The weights of all layers that a function calls, -> list of Parameters."""
    called = []
    hook = register_module_forward_pre_hook(lambda layer, _: called.extend(layer.parameters(recurse=False)))
    try:
        function(*args)
    finally:
        hook.remove()
    return called
