"""`yeoun export` adds graphs to a model's folder, checked against torch; answering then needs no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import make_rows
from yeoun.bundle import ModelBundle
from yeoun.errors import BundleError, ConfigError
from yeoun.export import Check, export_onnx
from yeoun.inference import predict_proba

Run = Callable[..., tuple[int, str, str]]
TEXTS = list(make_rows(30, seed=4).texts)


@pytest.fixture
def folder(tmp_path: Path, tiny_bundle: ModelBundle) -> Path:
    tiny_bundle.save(tmp_path / "model", {"history.png": b"a picture"}, tmp_path / "staging")
    return tmp_path / "model"


def test_export_adds_checked_graphs_and_keeps_the_rest(folder: Path, run_cli: Run) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    status, out, err = run_cli("export", folder, "--int8", "--json")
    assert status == 0, err
    whole, small = (json.loads(line) for line in out.splitlines())
    assert (whole["file"], whole["texts"], whole["other_labels"]) == ("model.onnx", 720, 0)
    assert whole["largest_difference"] < 1e-4
    assert small["bytes"] < whole["bytes"]
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after.keys() - before.keys() == {"model.onnx", "model.int8.onnx"}
    assert all(after[name] == content for name, content in before.items() if name != "config.json")
    assert (folder / "plots" / "history.png").read_bytes() == b"a picture"
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_no_node_adds_to_one_text_from_several_threads(both_halves: ModelBundle) -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.load_from_string(export_onnx(both_halves)).graph
    kinds = {node.op_type for node in graph.node}
    assert "CumSum" in kinds, "the model has n-grams"
    assert not {kind for kind in kinds if kind.startswith("Scatter")}


def test_export_leaves_other_files_alone_and_writes_a_copy(
    tmp_path: Path, folder: Path, run_cli: Run
) -> None:
    (folder / "notes.txt").write_text("mine")
    copy = tmp_path / "copy.onnx"
    assert run_cli("export", folder, "--onnx", copy)[0] == 0
    assert copy.read_bytes() == (folder / "model.onnx").read_bytes()
    assert (folder / "notes.txt").read_text() == "mine"
    status, _, err = run_cli("export", folder, "--onnx", copy)
    assert status == 1
    assert "copy.onnx: exists already" in err
    assert run_cli("export", folder, "--onnx", copy, "--force")[0] == 0


def test_an_exported_model_answers_alike_on_every_runtime(folder: Path, run_cli: Run) -> None:
    assert run_cli("export", folder, "--int8")[0] == 0
    bundle = ModelBundle.load(folder)
    expected = predict_proba(bundle, TEXTS)
    np.testing.assert_allclose(predict_proba(bundle, TEXTS, runtime="onnx"), expected, atol=1e-5)
    np.testing.assert_allclose(predict_proba(bundle, TEXTS, runtime="onnx-int8"), expected, atol=0.1)
    assert not np.array_equal(predict_proba(bundle, TEXTS, runtime="onnx-int8"), expected)
    _, printed, _ = run_cli("predict", folder, *TEXTS, "--json", "--runtime", "onnx")
    labels = [json.loads(line)["label"] for line in printed.splitlines()]
    assert labels == [bundle.label_names[i] for i in expected.argmax(1)]


def test_answering_with_onnx_imports_no_torch(folder: Path, run_cli: Run) -> None:
    assert run_cli("export", folder)[0] == 0
    script = (
        "import sys; from yeoun.cli import main;"
        f"main(['predict', {str(folder)!r}, 'lovely film', '--runtime', 'onnx']);"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_altered_graph_is_refused(folder: Path, run_cli: Run) -> None:
    assert run_cli("export", folder)[0] == 0
    graph = bytearray((folder / "model.onnx").read_bytes())
    graph[len(graph) // 2] ^= 1
    (folder / "model.onnx").write_bytes(graph)
    with pytest.raises(BundleError, match=r"model\.onnx: altered or truncated"):
        ModelBundle.load(folder)


def test_a_graph_that_differs_from_torch_is_not_written(
    folder: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yeoun.export.check", lambda *given: Check(720, 0.5, 3))
    status, _, err = run_cli("export", folder)
    assert status == 1
    assert "logits differ by up to 0.5 and 3 labels" in err
    assert not (folder / "model.onnx").exists()


def test_the_check_reads_rows_of_ones_own(folder: Path, tmp_path: Path, run_cli: Run) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("number,text\n1,a lovely film\n2,\n", encoding="utf-8")
    status, out, _ = run_cli("export", folder, "--check", rows, "--json")
    assert status == 0
    assert json.loads(out)["texts"] == 2


@pytest.mark.parametrize(
    ("flags", "status", "pattern"),
    [
        (["predict", "text", "--runtime", "onnx"], 1, "not exported yet; yeoun export BUNDLE --onnx first"),
        (["predict", "text", "--runtime", "onnx-int8"], 1, "yeoun export BUNDLE --int8 first"),
        (["predict", "text", "--runtime", "abacus"], 1, "expected one of torch, onnx, onnx-int8"),
        (["predict", "text", "--runtime", "onnx", "--precision", "bf16"], 1, "expected fp32"),
    ],
)
def test_a_runtime_that_is_not_there_is_refused(
    folder: Path, run_cli: Run, flags: list[str], status: int, pattern: str
) -> None:
    found, _, err = run_cli(flags[0], folder, *flags[1:])
    assert found == status
    assert pattern in err


def test_without_the_extra_the_error_names_it(
    folder: Path, tiny_bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    from yeoun.export import export_onnx

    with pytest.raises(ConfigError, match=r"pip install 'yeoun\[onnx\]'"):
        export_onnx(tiny_bundle)
