"""The n-gram branch: a linear score of a text's n-grams, added to the recurrent logits."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class NgramFeatures(NamedTuple):
    """Weighted features, ragged: int64 ids [F], float32 values [F], int64 offsets [N + 1]."""

    ids: Tensor
    values: Tensor
    offsets: Tensor


class NgramScores(nn.Module):
    """`features` known n-grams to scores [N, width]: the sum of each text's values times weights, and a bias.

    Fitted by itself (`training.ngrams`), not by the gradients of the recurrent half.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(features, width), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(width), requires_grad=False)

    def forward(self, features: NgramFeatures) -> Tensor:
        scores: Tensor = functional.embedding_bag(
            features.ids,
            self.weight,
            features.offsets,
            mode="sum",
            per_sample_weights=features.values,
            include_last_offset=True,
        )
        return scores + self.bias
