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
from ..nn.classifier import TextClassifier, average_word


def neutral_id(bundle: ModelBundle) -> int:
    """Return the token id that stands for the average word, one behind the vocabulary; where words are
    counted that of an unknown one, which is not."""
    is_counted = bundle.configuration.model.inputs == "counts"
    return UNKNOWN_ID if is_counted else bundle.indexer.vocabulary_size


def neutral_vector(bundle: ModelBundle) -> Tensor:
    """Return the vector of the average word, [E]; where words are counted zeros, [G * H]."""
    table = bundle.network.embedding.weight
    if bundle.configuration.model.inputs == "counts":
        return torch.zeros_like(table[0])
    return average_word(table, bundle.configuration.text.specials)


def neutral_network(bundle: ModelBundle) -> TextClassifier:
    """Return the bundle's network, whose embedding knows the average word as well."""
    network = bundle.network
    if neutral_id(bundle) == UNKNOWN_ID:
        return network
    copy = deepcopy(network, {id(each): each for each in network.parameters()})
    table = torch.cat([network.embedding.weight.detach(), neutral_vector(bundle).unsqueeze(0)])
    copy.embedding = nn.Embedding(len(table), table.shape[1], _weight=table)
    return copy
