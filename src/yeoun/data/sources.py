"""A SOURCE, as the command line and `fit` take it: a file, or a named corpus with an optional part."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from ..errors import DataError
from .corpora import CORPORA, read_corpus
from .rows import Dataset, label_indices
from .tables import Table, read_dataset


def read_source(
    source: str,
    text: str | None = None,
    label: str | None = None,
    data_dir: str | None = None,
    names: Sequence[str] | None = None,
) -> Table:
    """Return the labelled rows of `source`: `imdb`, `nsmc:test`, ... or the path of a file.

    data_dir: the folder of the corpora's official files (else YEOUN_DATA_DIR, else downloads).
    names: the labels that may occur. Raises DataError for what cannot be read.
    """
    name, _, part = source.partition(":")
    if name not in CORPORA:
        return read_dataset(Path(source), text, label, names)
    if text or label:
        raise DataError(f"{source}: a named corpus has its own columns; leave out --text and --label")
    folder = data_dir or os.environ.get("YEOUN_DATA_DIR")
    if folder and not Path(folder).is_dir():
        raise DataError(f"{folder}: no such folder; expected the corpora's official files there")
    dataset = read_corpus(name, part or "train", Path(folder) if folder else None)
    if names is not None and dataset.labels is not None:
        found = [dataset.label_names[i] for i in dataset.labels]
        dataset = Dataset(dataset.texts, label_indices(found, tuple(names)), tuple(names))
    return Table(dataset)


def read_builtin() -> Dataset:
    """Return the built-in reviews, Korean and English, written for this project (public domain)."""
    tables = [
        read_dataset(Path(str(resources.files("yeoun.data") / "builtin" / f"reviews.{language}.tsv")))
        for language in ("en", "ko")
    ]
    names = tables[0].dataset.label_names
    texts = [text for table in tables for text in table.dataset.texts]
    labels = [names[i] for table in tables for i in table.dataset.targets]
    return Dataset(texts, label_indices(labels, names), names)
