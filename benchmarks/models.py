"""The models that are measured, each trained once, into the folder YEOUN_MODELS (else build/models)."""

from __future__ import annotations

import os
from pathlib import Path

from record import COMMIT, yeoun

from yeoun.bundle import ModelBundle
from yeoun.export import export_onnx
from yeoun.sealed import add_files, is_sealed

MODELS = Path(os.environ.get("YEOUN_MODELS", Path(__file__).parent.parent / "build" / "models"))
WITHOUT_LABELS = ("imdb", "nsmc")  # corpora that have texts without labels, too


def folder_of(preset: str, corpus: str, seed: int = 0) -> Path:
    """Return where a preset's model of a corpus lies, or is to lie."""
    MODELS.mkdir(parents=True, exist_ok=True)
    return MODELS / f"{preset}-{corpus}-{seed}-{COMMIT}"


def texts_beside(preset: str, corpus: str) -> tuple[str, ...]:
    """Return what has `accurate` learn from the texts without labels of a corpus that has some."""
    more = preset == "accurate" and corpus in WITHOUT_LABELS
    return ("--unlabelled", f"{corpus}:unlabelled") if more else ()


def trained(preset: str, corpus: str, seed: int = 0, pooling: str = "") -> Path:
    """Return the folder of a preset's model of a corpus, trained now where it is not there; with another
    pooling than the preset's, if asked."""
    folder = folder_of(f"{preset}-{pooling}" if pooling else preset, corpus, seed)
    if not is_sealed(folder):
        changed = ("--set", f"model.pooling={pooling}") if pooling else ()
        changed += texts_beside(preset, corpus)
        yeoun("train", corpus, "--preset", preset, "--seed", seed, "--out", folder, *changed, "--resume")
    return folder


def exported(preset: str, corpus: str) -> Path:
    """Return the same folder, with the network as ONNX graphs."""
    folder = trained(preset, corpus)
    bundle = ModelBundle.load(folder)
    if not bundle.graphs:
        graphs = {"model.onnx": export_onnx(bundle), "model.int8.onnx": export_onnx(bundle, "int8")}
        add_files(folder, graphs)
    return folder
