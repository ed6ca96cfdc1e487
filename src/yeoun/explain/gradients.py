"""Integrated gradients (Sundararajan et al. 2017): how far each token carries the logit from a neutral text.

The neutral text has the average word at every step. From there the text is faded in between `embed` and
`encode`; a token's score is its vector's way times the mean gradient along it. The scores add up to the
difference of the two logits, but for what the steps along the way miss, which is the gap.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..bundle import ModelBundle
from ..nn.classifier import TextClassifier
from .explanation import Scored, Scores, relative_gap
from .neutral import neutral_vector
from .ngrams import ngram_scores
from .reading import Reading, alone

STEPS = (32, 128, 512, 2048)  # along the way: more of them where the gap is wider than
_WIDEST = 0.01
_AT_ONCE, _IN_ALL = 2**15, 2**18  # tokens that are read together, and with all steps
_FEWEST = 8  # steps of a text that is too long for more


def explain_by_gradients(bundle: ModelBundle, reading: Reading, contrast: Scores) -> Scored:
    """Return the integrated gradients of the recurrent half, and the exact shares of the n-grams."""
    network, recurrent, gap = bundle.network, np.zeros(len(reading)), 0.0
    ngrams = ngram_scores(bundle, reading, contrast)
    exact = 0.0 if ngrams is None else float(ngrams.sum())
    if not reading.is_token.any():
        return Scored(recurrent, ngrams, gap)
    ways = _ways(bundle, reading)
    direction = torch.from_numpy(contrast[-network.head.out_features :]).to(ways.ends)
    for steps in [each for each in STEPS if each * len(reading) <= _IN_ALL] or [_FEWEST]:
        scores, difference = _integrate(network, ways, direction, steps)
        gap = relative_gap(float(scores.sum()) + exact, difference + exact)
        if gap <= _WIDEST:
            break
    recurrent[reading.is_token] = scores
    return Scored(recurrent, ngrams, gap)


class _Ways(NamedTuple):
    """ends: the embedded text [S, E], of `lengths` [1]. tokens: how far each token's vector is from the
    neutral one, [T, E]. places: at which step it stands, [T]."""

    ends: Tensor
    lengths: Tensor
    tokens: Tensor
    places: Tensor


@torch.no_grad()
def _ways(bundle: ModelBundle, reading: Reading) -> _Ways:
    network, (batch, at) = bundle.network, alone(bundle, reading)
    device = network.embedding.weight.device
    row, lengths, places = (
        torch.from_numpy(each).to(device) for each in (batch.token_ids, batch.lengths, at)
    )
    token_ids = torch.from_numpy(reading.token_ids[reading.is_token]).to(places)
    tokens = network.embed(token_ids.unsqueeze(1), torch.ones_like(token_ids))[0] - neutral_vector(bundle)
    tokens[: reading.first] = 0.0
    return _Ways(network.embed(row, lengths)[:, 0], lengths, tokens, places)


def _integrate(network: TextClassifier, ways: _Ways, direction: Tensor, steps: int) -> tuple[Scores, float]:
    """Return the score of each token, and by how much the logit of the text exceeds the neutral one's."""
    whole = torch.zeros_like(ways.ends).index_add(0, ways.places, ways.tokens)
    # Midpoints, since a maximum over time has kinks; both ends are read for their logits alone.
    fractions = torch.cat([torch.tensor([0.0, 1.0]), (torch.arange(steps) + 0.5) / steps]).to(whole)
    slopes, logits = torch.zeros_like(whole), []
    with torch.backends.cudnn.flags(enabled=False):  # its way back refuses evaluation mode
        for part in torch.split(fractions, max(1, _AT_ONCE // len(whole))):
            inputs = (ways.ends.unsqueeze(1) - (1 - part[:, None]) * whole.unsqueeze(1)).requires_grad_()
            reached = network.read(inputs, ways.lengths.expand(len(part))) @ direction
            is_between = (part > 0) & (part < 1)
            (slope,) = torch.autograd.grad(reached[is_between].sum(), inputs)
            slopes += slope.sum(1)
            logits.append(reached.detach())
    before, after = torch.cat(logits)[:2].tolist()
    scores = (slopes[ways.places] * ways.tokens).sum(1) / steps
    return scores.cpu().numpy().astype(np.float64), after - before
