"""What is examined, and what may be found: plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.rows import Dataset
from ..data.splits import first_rows
from ..data.tables import Table
from ..text.normalization import normalize, plain
from .similarity import Pairs, similar_pairs

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Finding:
    """Rows with one fault, and what it is and asks for.

    rows: their numbers, from 1 after the header, all of them. like: of each the row that it repeats or
    resembles, of a leak the test row. suggested: of each the label or labels that it may deserve. Both are
    empty where there is nothing of the kind.
    """

    kind: str
    rows: Sequence[int]
    advice: str
    like: Sequence[int] = ()
    suggested: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return what `doctor --json` prints of it."""
        whole = {"kind": self.kind, "count": len(self.rows), "rows": self.rows, "advice": self.advice}
        more = {"like": self.like, "suggested": self.suggested}
        return whole | {name: values for name, values in more.items() if values}


@dataclass(frozen=True)
class Examination:
    """Rows, and test rows where there are any. A place counts the rows that could be read, from 0, the test
    rows behind the others."""

    source: Table
    test: Table | None = None

    @property
    def rows(self) -> Dataset:
        """The rows that are examined."""
        return self.source.dataset

    @cached_property
    def numbers(self) -> Places:
        """The row number in its own file of each place."""
        return np.concatenate([table.row_numbers for table in (self.source, self.test) if table])

    @cached_property
    def is_empty(self) -> npt.NDArray[np.bool_]:
        """Whether the text of each place is empty or blank."""
        return np.array([not text.strip() for text in self._texts()], bool)

    @cached_property
    def first(self) -> Places:
        """The first place with the same text, but for case and white space, for each place; its own where the
        text is empty."""
        first = first_rows(map(plain, map(normalize, self._texts())))
        return np.where(self.is_empty, np.arange(len(first)), first)

    @cached_property
    def similar(self) -> Pairs:
        """Places of different texts that are nearly the same, the first place of each, the most similar in
        front."""
        places = np.unique(self.first[~self.is_empty])
        texts = self.rows.take(places[places < len(self.rows)]).texts
        if self.test:
            test = self.test.dataset.take(places[places >= len(self.rows)] - len(self.rows)).texts
            texts = [*texts, *test]
        pairs = similar_pairs(texts)
        return Pairs(places[pairs.first], places[pairs.second], pairs.similarity)

    def find(
        self,
        kind: str,
        places: Places,
        advice: str,
        like: Places | None = None,
        suggested: Sequence[str] = (),
    ) -> Finding | None:
        """Return the finding of these places, None where there are none."""
        if not len(places):
            return None
        like_rows = () if like is None else self.numbers[like].tolist()
        return Finding(kind, self.numbers[places].tolist(), advice, like_rows, suggested)

    def _texts(self) -> chain[str]:
        return chain(self.rows.texts, self.test.dataset.texts if self.test else [])
