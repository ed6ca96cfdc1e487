"""yeoun summary"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..config import Configuration, read_assignments
from ..errors import UsageError
from ..recipes import read_recipe


def run(options: argparse.Namespace) -> None:
    """Print the layers of a bundle's, a recipe's or a given network with their parameters."""
    configuration, vocabulary_size, classes, ngrams = _network(options)
    configuration = configuration.with_values(read_assignments(options.values))
    total = 0
    print(f"{'layer':<34}{'shape':<20}{'parameters':>12}")
    for name, shape, parameters in layers(configuration, vocabulary_size, classes, ngrams):
        if name == "head":
            print(f"{'before the head':<54}{total:>12,}")
        total += parameters
        print(f"{name:<34}{shape:<20}{parameters:>12,}")
    print(f"{'all':<54}{total:>12,}")


def layers(
    configuration: Configuration, vocabulary_size: int, classes: int, ngrams: int | None
) -> list[tuple[str, str, int]]:
    """Return `(name, output shape, fitted parameters)` of each layer, in the order of the forward pass.

    ngrams: how many n-grams the model knows, None where it reads none.
    """
    import torch

    from ..nn.classifier import TextClassifier, count_parameters
    from ..nn.undrawn import Undrawn

    with torch.device("meta"), Undrawn():
        network = TextClassifier(configuration.model, vocabulary_size, classes, ngrams)
    model = configuration.model
    first, steps = ("counts, weighed", "1") if model.inputs == "counts" else ("embedding", "T")
    rows = [(first, f"N, {steps}, {network.embedding.embedding_dim}", count_parameters(network.embedding))]
    layer_width = network.encoder.width if model.encoder == "convolution" else model.hidden_size
    for name, layer in network.encoder.named_layers():
        rows.append((f"{model.encoder} {name}", f"N, {steps}, {layer_width}", count_parameters(layer)))
    pooling = network.pooling
    parameters = count_parameters(pooling) if isinstance(pooling, torch.nn.Module) else 0
    rows.append((f"pooling: {model.pooling}", f"N, {network.head.in_features}", parameters))
    rows.append(("head", f"N, {network.head.out_features}", count_parameters(network.head)))
    if network.ngrams is not None:
        fitted = network.ngrams.weight.numel() + network.ngrams.bias.numel()
        rows.append((f"plus {ngrams:,} n-grams", f"N, {len(network.ngrams.bias)}", fitted))
    return rows


def _network(options: argparse.Namespace) -> tuple[Configuration, int, int, int | None]:
    if options.bundle and options.recipe:
        raise UsageError("expected one of BUNDLE and --recipe, got both")
    if options.bundle:
        from ..bundle import ModelBundle

        bundle = ModelBundle.load(Path(options.bundle))
        ngrams = None if bundle.ngrams is None else len(bundle.ngrams)
        return bundle.configuration, bundle.indexer.vocabulary_size, len(bundle.label_names), ngrams
    if not options.recipe and not options.values:
        raise UsageError("expected a BUNDLE, --recipe NAME or --set section.key=value")
    recipe = read_recipe(options.recipe) if options.recipe else None
    configuration = Configuration() if recipe is None else recipe.configuration
    chosen = configuration.with_values(read_assignments(options.values)).text.vocabulary_size
    size = chosen or (0 if recipe is None else recipe.about.get("vocabulary", 0))
    if not size:
        raise UsageError("text.vocabulary_size = 0: expected a size, since no vocabulary is fitted here")
    return configuration, size, 2 if recipe is None else recipe.about.get("classes", 2), None
