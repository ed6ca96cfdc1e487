"""yeoun export"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from ..data.sources import read_builtin, read_texts
from ..errors import ConfigError, OutputError
from .display import emit, note

LARGEST_DIFFERENCE = 1e-4


def run(options: argparse.Namespace) -> None:
    """Put the network into the model's folder as ONNX graphs, once they were checked against torch."""
    from ..bundle import ModelBundle
    from ..export import check, export_onnx
    from ..files import write_durably
    from ..sealed import add_files

    copy = Path(options.onnx) if options.onnx else None
    if copy and copy.exists() and not options.force:
        raise OutputError(f"{copy}: exists already; choose another place or use --force")
    folder = Path(options.bundle)
    bundle = ModelBundle.load(folder)
    texts = read_builtin().texts
    if options.check is not None:
        texts = read_texts(options.check, options.text, options.data_dir)
    graphs = {"model.onnx": export_onnx(bundle)}
    if options.int8:
        graphs["model.int8.onnx"] = export_onnx(bundle, weights="int8")
    for name, graph in graphs.items():
        found = check(bundle, graph, texts)
        is_close = found.largest_difference <= LARGEST_DIFFERENCE and not found.other_labels  # NaN is not
        if name == "model.onnx" and not is_close:
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
    add_files(folder, graphs)
    if copy:
        write_durably(copy, graphs["model.onnx"])
    note(f"written to {folder}; yeoun predict {folder} --runtime onnx")
