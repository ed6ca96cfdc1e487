"""A SOURCE, as the command line and `fit` take it: a file, or a named corpus with an optional part."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from ..errors import DataError
from .columns import pick_text_column, with_message
from .corpora import CORPORA, read_corpus
from .readers import read_rows
from .rows import Dataset, label_indices
from .tables import BAD_ROWS_ALLOWED, Table, read_dataset
from .texts import TextWriter


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


def read_texts(source: str, text: str | None = None, data_dir: str | None = None) -> Sequence[str]:
    """Return the texts of `source`, with labels or without: `imdb:unlabelled`, or the path of a file.

    text: the column, but of a file that has one only; guessed without it. Rows that cannot be read, at most
    1 %, are left out. Raises DataError for what cannot be read.
    """
    if source.partition(":")[0] in CORPORA:
        return read_source(source, None, None, data_dir).dataset.texts
    path, column, bad = Path(source), None, 0
    with TextWriter() as texts:
        for row in read_rows(path):
            if row.error is None and column is None:
                names = list(row.cells)
                column = names[0] if len(names) == 1 else pick_text_column(path, names, text)
            row = row if column is None else with_message(row, column)
            if row.error is None and column in row.cells:
                texts.append(row.cells[column])
            else:
                bad += 1
        read = texts.finish()
    if bad > BAD_ROWS_ALLOWED * (bad + len(read)):
        raise DataError(
            f"{path}: {bad} of {bad + len(read)} rows have no text; at most 1 % may, so mend them"
        )
    return read


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
