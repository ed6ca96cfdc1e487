"""A trained network as an ONNX graph, for ONNX Runtime in place of torch, written node by node.

Inputs: token_ids int64 [N, T], lengths int64 [N], and of a model with n-grams feature_ids int64 [F],
feature_values float32 [F], feature_offsets int64 [N + 1]; output: logits float32 [N, C] (a sigmoid's [N, 1]),
for any N, T and F. The recurrent nodes honour `sequence_lens`, and the poolings read real positions only, as
the network does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..bundle import ModelBundle
from ..inference import answer, decide_labels, onnx_forward, to_probabilities, torch_forward
from .graph import Graph
from .layers import POOLINGS, convolutions, count_cell, ngram_scores, recurrences


@dataclass(frozen=True)
class Check:
    """A graph beside torch on the same texts: the largest difference of a logit, the labels that differ."""

    texts: int
    largest_difference: float
    other_labels: int


def export_onnx(bundle: ModelBundle, weights: str = "fp32") -> bytes:
    """Return the network of `bundle` as an ONNX graph. Raises ConfigError without the extra `onnx`.

    weights: "fp32"; or "int8", stored in 8 bits with a scale for each row (those of n-grams in 16 bits),
    and computed with in fp32, so that a text's neighbours cannot change its answer (scales of a whole batch's
    activations would).
    """
    config = bundle.configuration.model
    graph = Graph(bundle.weights, weights)
    if config.inputs == "counts":
        pooled = count_cell(graph, config)
    else:
        is_recurrent = config.encoder != "convolution"
        outputs = (recurrences if is_recurrent else convolutions)(graph, config)
        pooled = POOLINGS[config.pooling](graph, outputs, is_recurrent and config.bidirectional)
    head = graph.weight("head.weight"), graph.weight("head.bias")
    logits = graph.node("Gemm", pooled, *head, {"transB": 1})
    width = 1 if config.head == "sigmoid" else len(bundle.label_names)
    if bundle.ngrams is not None:
        graph.node("Add", logits, ngram_scores(graph, width))
    return graph.finish(width)


def check(bundle: ModelBundle, graph: bytes, texts: Sequence[str]) -> Check:
    """Return how far the graph's logits lie from torch's on `texts`, and how many labels differ."""
    store = bundle.index(texts)
    ours = answer(store, bundle.configuration.text, torch_forward(bundle.network))
    theirs = answer(store, bundle.configuration.text, onnx_forward(graph))
    labels = [
        decide_labels(bundle, to_probabilities(logits, bundle.is_multilabel)) for logits in (ours, theirs)
    ]
    same = labels[0] == labels[1]
    other = int((~(same.all(1) if bundle.is_multilabel else same)).sum())
    return Check(len(texts), float(np.abs(ours - theirs).max(initial=0.0)), other)
