"""A report as one HTML file: how good a model is, where it is wrong, and whether to believe it."""

from __future__ import annotations

from ..bundle import ModelBundle
from ..data.rows import Dataset
from ..evaluation.metrics import Labels
from ..text.normalization import hangul_share
from .comparison import comparison_page
from .page import page
from .words import say

__all__ = ["comparison_page", "model_report"]


def model_report(
    bundle: ModelBundle, rows: Dataset | None = None, source: str = "", numbers: Labels | None = None
) -> str:
    """Return the report of a model as HTML: what it knows of its training and, with labelled `rows`, at
    least one, what these say of it.

    source: what the rows are of. numbers: int64 [rows], that of each row there, from 1; None where all of
    its rows are here. The report holds English and Korean; Korean shows first where Hangul prevails in the
    vocabulary.
    """
    from . import sections
    from .doubts import doubts
    from .evidence import gather

    evidence = None if rows is None else gather(bundle, rows, source, numbers)
    of_rows = (
        []
        if evidence is None
        else [
            sections.confusion(evidence),
            sections.classes(evidence),
            sections.calibration(evidence),
            sections.trust(bundle, evidence),
            sections.where(evidence),
            *doubts(bundle, evidence),
        ]
    )
    parts = [
        sections.summary(bundle, evidence),
        sections.training(bundle),
        *of_rows,
        sections.cost(bundle, evidence),
        sections.configuration(bundle),
        sections.provenance(bundle, evidence),
    ]
    in_korean = hangul_share(bundle.indexer.vocabulary()) > 0.5
    title = bundle.provenance.get("source") or ", ".join(bundle.label_names)
    return page(title, say("report"), [part for part in parts if part is not None], in_korean)
