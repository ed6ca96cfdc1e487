"""Attention weights as an explanation: where the model looked.

They add up to 1 over the tokens. A weight says how much of a state entered the sum, not which way it
moved the answer, and a state has read its neighbours too (Jain & Wallace 2019).
"""

from __future__ import annotations

import numpy as np
import torch

from ..bundle import ModelBundle
from ..data.batches import collate
from ..errors import ConfigError
from ..inference import predict_proba
from ..nn.pooling import Attention
from .explanation import Explanation, TokenScore


def explain_by_attention(bundle: ModelBundle, text: str) -> Explanation:
    """Return the attention weight of each token of `text`.

    Raises ConfigError for a model that pools otherwise. Weight that falls on padding (of a model that
    reads its padding) is left out, so that the scores then add up to less than 1.
    """
    network, config = bundle.network, bundle.configuration.text
    if not isinstance(network.pooling, Attention):
        raise ConfigError(
            f"method 'attention': this model pools by {bundle.configuration.model.pooling}, which has"
            " no attention weights; expected a model trained with --set model.pooling=attention"
        )
    store = bundle.index([text])
    batch = collate(store, np.array([0]), None, config.pad_to, config.pad_side)
    with torch.inference_mode():
        lengths = torch.from_numpy(batch.lengths)
        outputs = network.encode(network.embed(torch.from_numpy(batch.token_ids), lengths), lengths)
        weights = network.pooling.weights(outputs.joined(), lengths)[:, 0].numpy()
    tokens = bundle.indexer.tokens(text)
    first = len(weights) - len(tokens) if config.pad_side == "front" and config.pad_to != "none" else 0
    scored = zip(tokens, weights[first:].tolist(), strict=False)
    probabilities = predict_proba(bundle, [text])[0]
    likeliest = int(probabilities.argmax())
    return Explanation(
        label=bundle.label_names[likeliest],
        probability=float(probabilities[likeliest]),
        method="attention",
        tokens=tuple(TokenScore(t.text, t.start, t.end, weight) for t, weight in scored),
        gap=None,
    )
