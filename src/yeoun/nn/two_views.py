"""Two views of a text: from a piece of it, which n-grams do its other pieces have?

What a piece has in common with the rest of its text, its subject and its judgement, is what a label is about;
the next word is mostly grammar. The two views are those of Johnson & Zhang (2016), the second one widened
from the neighbouring words to the whole rest of the text, whose n-grams are predicted as those of a paragraph
vector are (Le & Mikolov 2014), but by the network that will read new texts.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .classifier import DTYPES, TextClassifier
from .dropout import drop
from .shards import by_rows

_WIDTH = 256  # of the vector that the n-grams are told from
_DROPOUT = 0.2
_MOST_WORDS, _MOST_UNITS = 0.1, 0.2  # that are dropped, whatever labels are to be learned through


class Guesses(NamedTuple):
    """loss: the mean over the guesses (nats an n-gram), which has the gradient. right: of how many pieces
    the likeliest n-gram is one of the rest. guesses: of how many pieces the rest has n-grams to guess."""

    loss: Tensor
    right: int
    guesses: int


class TwoViewModel(nn.Module):
    """What says the n-grams of the rest of a text, around the `network` that is to start from what it learns.

    frequencies: float [K], above 0, how often each n-gram that is guessed occurs, times its weight; the
    scores start there.
    """

    def __init__(self, network: TextClassifier, frequencies: Tensor) -> None:
        super().__init__()
        self.network = network
        self.narrow = nn.Linear(network.head.in_features, _WIDTH)
        self.scores = nn.Linear(_WIDTH, len(frequencies))
        nn.init.uniform_(self.scores.weight, -0.05, 0.05)
        with torch.no_grad():
            self.scores.bias.copy_((frequencies / frequencies.sum()).log())

    def guess(self, token_ids: Tensor, lengths: Tensor, rest: Tensor, shares: Tensor) -> Guesses:
        """Return how well the n-grams of the rest are guessed from pieces `token_ids` [N, T], of which row
        n has `lengths[n]`. rest: int64 [N, W], these n-grams, none of them twice. shares: float32 [N, W],
        those of a row adding up to 1; 0 for an n-gram that is not there."""
        embedded = self.network.embed(token_ids, lengths, _MOST_WORDS, _MOST_UNITS)
        read = self.network.summarize(embedded, lengths)
        rows = torch.arange(len(read), device=read.device)
        learned = (*self.narrow.parameters(), *self.scores.parameters())
        told = by_rows(
            lambda some, which: self._told(some[0], rest[which], shares[which]), read[None], rows, learned
        )
        guesses = int(shares.any(1).sum())
        return Guesses(told[:, 0].sum() / max(1, guesses), int(told[:, 1].sum()), guesses)

    def _told(self, read: Tensor, rest: Tensor, shares: Tensor) -> Tensor:
        """Return the loss of each piece, `read` [N, D], and whether its likeliest n-gram is one of the rest,
        [N, 2]."""
        precision = DTYPES[self.network.precision]
        told_from = self.narrow(drop(read, _DROPOUT, self.training))
        # The largest product of all; in bf16 it takes a third of the time.
        weight, bias = self.scores.weight.to(precision), self.scores.bias
        scores = functional.linear(told_from.to(precision), weight).float() + bias
        of_rest, is_there = scores.gather(1, rest), shares > 0
        losses = scores.logsumexp(1) - (of_rest * shares).sum(1)
        losses = torch.where(is_there.any(1), losses, scores.new_zeros(()))
        right = of_rest.masked_fill(~is_there, -torch.inf).amax(1) >= scores.amax(1)
        return torch.stack([losses, right.to(losses.dtype)], 1)
