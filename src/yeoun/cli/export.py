"""yeoun export"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

from ..data.corpora import CORPORA
from ..data.readers import read_rows
from ..data.sources import read_builtin, read_source
from ..data.tables import TEXT_COLUMNS, pick_column
from ..errors import ConfigError, UsageError
from .display import emit, note

LARGEST_DIFFERENCE = 1e-4


def run(options: argparse.Namespace) -> None:
    """Add the network to the model's folder as ONNX graphs, once they were checked against torch."""
    from ..bundle import ModelBundle
    from ..export import check, export_onnx, quantize

    if not options.onnx and not options.int8:
        raise UsageError("expected --onnx, --int8 or both")
    folder = Path(options.bundle)
    bundle = ModelBundle.load(folder)
    texts = _texts(options)
    whole = export_onnx(bundle)
    graphs = {"model.onnx": whole} if options.onnx else {}
    if options.int8:
        graphs["model.int8.onnx"] = quantize(whole)
    for name, graph in graphs.items():
        found = check(bundle, graph, texts)
        is_off = found.largest_difference > LARGEST_DIFFERENCE or found.other_labels
        if name == "model.onnx" and is_off:
            raise ConfigError(
                f"{name}: on {found.texts} texts logits differ by up to {found.largest_difference:.2g} and"
                f" {found.other_labels} labels; expected at most {LARGEST_DIFFERENCE:g} and none: not written"
            )
        if options.json:
            emit({"file": name, "bytes": len(graph), **asdict(found)})
        else:
            print(
                f"{name}: {len(graph) / 1e6:.1f} MB; on {found.texts:,} texts logits differ by up to"
                f" {found.largest_difference:.2g}, {found.other_labels} labels differ"
            )
    plots = folder / "plots"
    pictures = {path.name: path.read_bytes() for path in sorted(plots.iterdir())} if plots.is_dir() else {}
    exported = replace(bundle, graphs={**bundle.graphs, **graphs})
    staging = folder.absolute().with_name(folder.absolute().name + ".saving")
    exported.save(folder.absolute(), pictures, staging, replace=True)
    note(f"written to {folder}; yeoun predict {folder} --runtime {'onnx' if options.onnx else 'onnx-int8'}")


def _texts(options: argparse.Namespace) -> list[str]:
    if options.check is None:
        return list(read_builtin().texts)
    if options.check.partition(":")[0] in CORPORA:
        return list(read_source(options.check, data_dir=options.data_dir).dataset.texts)
    path = Path(options.check)
    rows = [row for row in read_rows(path) if row.error is None]
    column = pick_column(path, list(rows[0].cells) if rows else [], options.text, TEXT_COLUMNS, "text")
    return [row.cells[column] for row in rows if column in row.cells]
