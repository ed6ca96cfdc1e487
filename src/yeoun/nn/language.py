"""A language model around a classifier's embedding and encoder: each direction says which token it reads next
(Dai & Le 2015).

It tells the most frequent tokens apart; all others count as one. So few are compared that a softmax over them
costs about what the encoder does, and the perplexity is exact but for the rounding of bf16.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .classifier import DTYPES, TextClassifier
from .dropout import drop
from .encoded import Encoded
from .masking import real_positions, reversal_index, reverse
from .shards import at_once, by_rows, shared_cores

_POSITIONS = 512  # whose scores are in the cache together
_LARGEST = 60.0  # score, so that its exponential is a number
_DROPOUT = 0.1


class Guesses(NamedTuple):
    """loss: the sum over all guesses (nats), which has the gradient. right: of how many guesses."""

    loss: Tensor
    right: int
    guesses: int


class LanguageModel(nn.Module):
    """What says the next token, around the `network` that is to start from what it learns.

    frequent: int64, the ids of the tokens that are told apart.
    """

    def __init__(self, network: TextClassifier, frequent: Tensor) -> None:
        super().__init__()
        self.network = network
        entries, width = network.embedding.weight.shape
        told_apart = torch.zeros(entries, dtype=torch.int64)
        told_apart[frequent] = torch.arange(1, len(frequent) + 1)
        self.told_apart: Tensor
        self.register_buffer("told_apart", told_apart, persistent=False)
        directions = 2 if network.config.bidirectional else 1
        self.narrow = nn.ModuleList(nn.Linear(network.config.hidden_size, width) for _ in range(directions))
        scores = torch.empty(len(frequent) + 1, width + 1).uniform_(-0.05, 0.05)
        scores[:, width] = 0.0  # the biases
        self.scores = nn.Parameter(scores)

    def guess(self, token_ids: Tensor, lengths: Tensor) -> Guesses:
        """Return how well each direction guessed every next token of `token_ids` [N, T], of which row n has
        `lengths[n]`; the first that a direction reads is not guessed."""
        network = self.network
        embedded = network.embed(token_ids, lengths)
        learns = [p for name, p in network.named_parameters() if name.startswith("encoder.")]
        states = by_rows(self._states, embedded, lengths, learns)
        wanted = self.told_apart[token_ids.T].unsqueeze(2)
        orders = [wanted, reverse(wanted, reversal_index(lengths, len(wanted)))][: len(self.narrow)]
        is_next = real_positions(lengths - 1, len(wanted) - 1).T
        loss, right = embedded.new_zeros(()), 0
        for direction, (narrow, order) in enumerate(zip(self.narrow, orders, strict=True)):
            read = states[:, :-1, direction][is_next].float()
            hidden = narrow(drop(read, _DROPOUT, self.training))
            its_loss, its_right = softmax_loss(
                hidden, self.scores, order[1:, :, 0].T[is_next], network.precision
            )
            loss, right = loss + its_loss, right + int(its_right)
        return Guesses(loss, right, len(self.narrow) * int(is_next.sum()))

    def _states(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return what each direction held after each token it read, [N, T, directions, H]."""
        encoded: Encoded = self.network.encode(embedded, lengths)
        return torch.stack(encoded.directions, dim=2).transpose(0, 1)


def softmax_loss(hidden: Tensor, scores: Tensor, wanted: Tensor, precision: str) -> tuple[Tensor, Tensor]:
    """Return the summed cross-entropy (nats) of a softmax over K choices, and how often the wanted one was
    the likeliest.

    hidden: [P, E]. scores: [K, E + 1], of each choice its weights and, last, its bias. wanted: int64 [P].
    precision: of the products, "fp32" or "bf16".
    """
    loss, right = _SoftmaxLoss.apply(hidden, scores, wanted, DTYPES[precision])  # type: ignore[no-untyped-call]
    return loss, right


class _SoftmaxLoss(torch.autograd.Function):
    """Scores, their softmax and its gradients a few positions at a time, so that none of [P, K] leaves the
    cache; the positions divided among the threads."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, scores: Tensor, wanted: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        width = hidden.shape[1]
        reading = torch.cat([hidden, hidden.new_ones(len(hidden), 1)], dim=1).to(dtype)
        weights = scores.to(dtype)
        of_hidden, learns = torch.empty_like(hidden), any(ctx.needs_input_grad[:2])

        def work(starts: range) -> tuple[float, int, Tensor]:
            of_scores, loss, right = torch.zeros_like(scores), 0.0, 0
            for start in starts:
                part, aim = reading[start : start + _POSITIONS], wanted[start : start + _POSITIONS, None]
                chances = torch.mm(part, weights.T).clamp_(max=_LARGEST)
                found = chances.gather(1, aim)
                right += int((chances.argmax(1, keepdim=True) == aim).sum())
                total = chances.exp_().sum(1, keepdim=True, dtype=torch.float32)
                loss += float((total.log() - found).sum())
                if not learns:
                    continue
                of_hidden[start : start + _POSITIONS] = torch.mm(chances, weights)[:, :width] / total
                of_scores += torch.mm(chances.T, (part / total).to(dtype))
            return loss, right, of_scores

        threads = shared_cores()
        parts = [range(first * _POSITIONS, len(hidden), threads * _POSITIONS) for first in range(threads)]
        losses, rights, gradients = zip(*at_once(threads, work, parts), strict=True)
        of_scores = torch.stack(gradients).sum(0)
        if learns:
            of_hidden -= scores[:, :width][wanted]
            of_scores.index_add_(0, wanted, reading.to(scores.dtype), alpha=-1)
        ctx.save_for_backward(of_hidden, of_scores)
        right = torch.tensor(sum(rights))
        ctx.mark_non_differentiable(right)
        return hidden.new_tensor(sum(losses)), right

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, None]:
        of_hidden, of_scores = ctx.saved_tensors
        return of_hidden * gradient, of_scores * gradient, None, None
