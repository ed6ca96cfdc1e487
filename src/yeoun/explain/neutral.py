"""The neutral text, in which every token is the average word: what explanations compare a text with, and what
takes the place of a token that is taken out.

A network that never learned with unknown tokens makes of many of them whatever it likes, so that they are no
text that says nothing; the mean of what words are, each as often as it comes, is near one.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from ..bundle import ModelBundle
from ..config import UNKNOWN_ID
from ..nn.classifier import TextClassifier

_SHIFT = 2.7  # of the ranks in Mandelbrot's form of Zipf's law


def neutral_id(bundle: ModelBundle) -> int:
    """Return the token id that stands for the average word, one behind the vocabulary; where words are
    counted that of an unknown one, which is not."""
    is_counted = bundle.configuration.model.inputs == "counts"
    return UNKNOWN_ID if is_counted else bundle.indexer.vocabulary_size


@torch.no_grad()
def neutral_vector(bundle: ModelBundle) -> Tensor:
    """Return the vector of the average word, [E]; where words are counted zeros, [G * H].

    The vocabulary begins with the most frequent word, so that how often each comes is told by its place.
    """
    table = bundle.network.embedding.weight
    if bundle.configuration.model.inputs == "counts":
        return torch.zeros_like(table[0])
    words = table[UNKNOWN_ID + 1 + bundle.configuration.text.start_token :]
    often = 1 / (torch.arange(len(words)).to(words) + 1 + _SHIFT)
    return often @ words / often.sum()


@torch.no_grad()
def neutral_network(bundle: ModelBundle) -> TextClassifier:
    """Return the bundle's network, whose embedding knows the average word as well."""
    network = bundle.network
    if neutral_id(bundle) == UNKNOWN_ID:
        return network
    copy = deepcopy(network, {id(each): each for each in network.parameters()})
    table = torch.cat([network.embedding.weight, neutral_vector(bundle).unsqueeze(0)])
    copy.embedding = nn.Embedding(len(table), table.shape[1], _weight=table)
    return copy.eval()
