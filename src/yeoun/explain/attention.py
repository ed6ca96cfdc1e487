"""Attention weights as an explanation: where the model looked.

They add up to 1 over the tokens. A weight says how much of a state entered the sum, not which way it
moved the answer, and a state has read its neighbours too (Jain & Wallace 2019).
"""

from __future__ import annotations

import numpy as np
import torch

from ..bundle import ModelBundle
from ..errors import ConfigError
from ..nn.pooling import Attention
from .explanation import Scored, Scores
from .reading import Reading, alone


def explain_by_attention(bundle: ModelBundle, reading: Reading, contrast: Scores) -> Scored:
    """Return the attention weight of each token, whichever the label.

    Raises ConfigError for a model that pools otherwise. Weight that falls on padding (of a model that
    reads its padding) is left out, so that the scores then add up to less than 1.
    """
    network = bundle.network
    if not isinstance(network.pooling, Attention):
        raise ConfigError(
            f"method 'attention': this model pools by {bundle.configuration.model.pooling}, which has"
            " no attention weights; expected a model trained with --set model.pooling=attention"
        )
    batch, places = alone(bundle, reading)
    device = network.embedding.weight.device
    with torch.inference_mode():
        lengths = torch.from_numpy(batch.lengths).to(device)
        embedded = network.embed(torch.from_numpy(batch.token_ids).to(device), lengths)
        outputs = network.encode(embedded, lengths).joined()
        weights = network.pooling.weights(outputs, lengths)[:, 0].cpu().numpy()
    scores = np.zeros(len(reading))
    scores[reading.is_token] = weights[places]
    return Scored(scores)
