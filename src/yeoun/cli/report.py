"""yeoun report"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..data.rows import require_kind
from ..data.sources import read_source
from ..errors import DataError, OutputError, UsageError
from .display import describe, note


def run(options: argparse.Namespace) -> None:
    """Write what a model knows of itself, and what labelled rows say of it, to one HTML file."""
    from ..bundle import ModelBundle
    from ..files import write_durably
    from ..report import model_report

    out = Path(options.out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out {out}: expected a name ending in .html")
    if out.exists() and not options.force:
        raise OutputError(f"{out}: exists already; choose another place or use --force")
    bundle = ModelBundle.load(Path(options.bundle))
    rows, numbers = None, None
    if options.source:
        names = bundle.label_names
        table = read_source(options.source, options.text, options.label, options.data_dir, names)
        describe(table, guessed=not (options.text and options.label))
        rows, numbers = table.dataset, table.row_numbers
        require_kind(rows, bundle.is_multilabel, options.source)
        if not len(rows):
            raise DataError(f"{options.source}: no rows; expected at least one")
    content = model_report(bundle, rows, options.source or "", numbers).encode("utf-8", "replace")
    write_durably(out, content)
    note(f"{len(content) / 1e6:.2f} MB written to {out}")
