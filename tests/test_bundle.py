"""A saved model is the model: the same answers, every file checked, nothing pickled, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from conftest import BUNDLE_FILES, make_rows
from yeoun.bundle import ModelBundle
from yeoun.config import Configuration
from yeoun.data.rows import labelled
from yeoun.errors import BundleError, OutputError
from yeoun.estimator import save_model
from yeoun.files import write_durably
from yeoun.inference import predict_proba
from yeoun.sealed import add_files, reader, unseal
from yeoun.text.ngrams import NgramIndexer
from yeoun.training.fit import fit

TEXTS = ["the film was lovely", "", "boring 영화 " * 40, "unheard of", "최고 😀"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: ModelBundle) -> Path:
    place = tmp_path_factory.mktemp("bundle")
    save_model(tiny_bundle, place / "model", place / "model.saving")
    return place / "model"


@pytest.fixture(scope="module")
def loaded(folder: Path) -> ModelBundle:
    return ModelBundle.load(folder)


@pytest.fixture(scope="module")
def config(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "config.json").read_bytes())


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# what comes back


def test_a_loaded_model_gives_bitwise_the_same_probabilities(
    tiny_bundle: ModelBundle, loaded: ModelBundle
) -> None:
    own, again = predict_proba(tiny_bundle, TEXTS), predict_proba(loaded, TEXTS)
    assert own.dtype == again.dtype == np.float32
    assert own.tobytes() == again.tobytes()


@pytest.mark.parametrize(("number", "bits"), [(1, 22), (2, 24), (3, 24)])
def test_a_model_of_an_earlier_format_answers_as_it_did_and_stays_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_configuration: Configuration, number: int, bits: int
) -> None:
    learned = fit(make_rows(200), tiny_configuration.with_values({"model.ngrams": True}), precision="fp32")
    assert learned.ngrams is not None
    buckets, kept = np.unique(learned.ngrams.buckets >> (24 - bits), return_index=True)
    known = replace(learned.ngrams, buckets=buckets, idf=learned.ngrams.idf[kept], bits=bits, jamo=number > 2)
    weights = {**learned.weights, "ngrams.weight": learned.weights["ngrams.weight"][kept]}
    expected = predict_proba(replace(learned, ngrams=known, weights=weights), TEXTS)
    later = {1: ("bits", "jamo"), 2: ("jamo",), 3: ()}[number]
    with monkeypatch.context() as patch:
        arrays = {name: each for name, each in known.arrays().items() if name not in later}
        patch.setattr("yeoun.sealed.FORMAT", number)
        patch.setattr(NgramIndexer, "arrays", lambda self: arrays)
        save_model(replace(learned, ngrams=known, weights=weights), tmp_path / "old", tmp_path / "saving")
    assert json.loads((tmp_path / "old" / "config.json").read_bytes())["format"] == number
    loaded = ModelBundle.load(tmp_path / "old")
    assert predict_proba(loaded, TEXTS).tobytes() == expected.tobytes()
    save_model(loaded, tmp_path / "again", tmp_path / "saving")
    again = ModelBundle.load(tmp_path / "again")
    assert predict_proba(again, TEXTS).tobytes() == expected.tobytes()
    assert again.ngrams is not None
    assert (again.ngrams.bits, again.ngrams.jamo) == (bits, number > 2)


def test_a_loaded_model_knows_everything_the_saved_one_knew(
    tiny_bundle: ModelBundle, loaded: ModelBundle
) -> None:
    assert loaded.configuration == tiny_bundle.configuration
    assert loaded.label_names == tiny_bundle.label_names
    assert loaded.history == tiny_bundle.history
    assert loaded.metrics == tiny_bundle.metrics
    assert loaded.provenance == tiny_bundle.provenance
    assert loaded.indexer.vocabulary() == tiny_bundle.indexer.vocabulary()


def test_a_loaded_model_has_the_same_linear_baseline(tiny_bundle: ModelBundle, loaded: ModelBundle) -> None:
    assert tiny_bundle.baseline is not None
    assert loaded.baseline is not None
    texts = make_rows(60, seed=2).texts
    expected = tiny_bundle.baseline.predict(texts)
    assert set(expected.tolist()) == {0, 1}
    assert loaded.baseline.analyzer == tiny_bundle.baseline.analyzer
    np.testing.assert_array_equal(loaded.baseline.predict(texts), expected)
    np.testing.assert_array_equal(loaded.baseline.coefficients, tiny_bundle.baseline.coefficients)


def test_the_linear_baseline_of_three_classes_survives_saving(
    tmp_path: Path, tiny_bundle: ModelBundle
) -> None:
    rows = labelled([f"word{i % 3} more {i}" for i in range(90)], [str(i % 3) for i in range(90)])
    bundle = fit(rows, tiny_bundle.configuration.with_values({"train.epochs": 1}))
    save_model(bundle, tmp_path / "m", tmp_path / "saving")
    again = ModelBundle.load(tmp_path / "m")
    assert bundle.baseline is not None
    assert again.baseline is not None
    np.testing.assert_array_equal(again.baseline.coefficients, bundle.baseline.coefficients)
    assert (again.baseline.predict(rows.texts) == rows.targets).all()


def test_saving_a_loaded_model_again_changes_no_byte(
    tmp_path: Path, folder: Path, loaded: ModelBundle
) -> None:
    save_model(loaded, tmp_path / "again", tmp_path / "saving")
    assert contents(tmp_path / "again") == contents(folder)


def test_labels_keep_their_order_and_their_letters(tmp_path: Path, tiny_bundle: ModelBundle) -> None:
    labels = ["10", "9", "긍정", 'a, "b"\n']
    rows = labelled([f"word{i % 4} more {i}" for i in range(80)], [labels[i % 4] for i in range(80)])
    values = {"train.epochs": 1, "model.pooling": "attention"}
    bundle = fit(rows, tiny_bundle.configuration.with_values(values))
    save_model(bundle, tmp_path / "m", tmp_path / "saving")
    again = ModelBundle.load(tmp_path / "m")
    assert again.label_names == ("9", "10", 'a, "b"\n', "긍정")
    assert predict_proba(again, TEXTS).tobytes() == predict_proba(bundle, TEXTS).tobytes()


def test_a_model_without_a_baseline_can_be_saved(tmp_path: Path, tiny_bundle: ModelBundle) -> None:
    save_model(replace(tiny_bundle, baseline=None), tmp_path / "m", tmp_path / "saving")
    assert "baseline.safetensors" not in contents(tmp_path / "m")
    assert ModelBundle.load(tmp_path / "m").baseline is None


# what lies there


def test_the_folder_has_the_promised_files(folder: Path) -> None:
    assert sorted(contents(folder)) == BUNDLE_FILES
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_no_file_is_a_pickle_or_can_be_run(folder: Path) -> None:
    for name, content in contents(folder).items():
        path = folder / name
        assert path.suffix in (".json", ".jsonl", ".safetensors", ".md", ".png")
        assert not zipfile.is_zipfile(path), name
        assert not path.stat().st_mode & 0o111, name
        assert not content.startswith(b"\x80"), name  # the mark of a pickle
        if path.suffix == ".json":
            json.loads(content)
        elif path.suffix == ".safetensors":
            assert load_file(path)
        elif path.suffix != ".png":
            content.decode()


def test_config_carries_the_hash_of_every_other_file(folder: Path, config: dict[str, Any]) -> None:
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents(folder).items()}
    assert sorted(config["sha256"]) == BUNDLE_FILES
    for name in BUNDLE_FILES:
        assert (config["sha256"][name] == hashes[name]) == (name != "config.json"), name


def test_config_tells_the_format_the_labels_every_value_and_where_the_model_came_from(
    config: dict[str, Any], tiny_bundle: ModelBundle
) -> None:
    assert config["format"] == 4
    assert config["labels"] == ["negative", "positive"]
    assert {s: config[s] for s in ("text", "model", "train")} == tiny_bundle.configuration.to_mapping()
    assert config["provenance"]["data"] == make_rows(200).fingerprint()
    assert config["provenance"]["seed"] == 0
    assert config["provenance"]["precision"] == "fp32"
    assert {"yeoun", "torch", "numpy", "tokenizers"} <= config["provenance"]["versions"].keys()


def test_the_history_has_a_line_an_epoch(folder: Path, tiny_bundle: ModelBundle) -> None:
    lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4]
    assert json.loads((folder / "metrics.json").read_bytes())["epochs"] == 4


def test_the_model_card_names_the_figures(folder: Path, tiny_bundle: ModelBundle) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    metrics = tiny_bundle.metrics
    own, linear = metrics["validation"], metrics["linear_baseline"]
    assert f"| this model | {own['accuracy']:.4f} | {own['macro_f1']:.4f} |" in card
    assert f"| linear baseline | {linear['accuracy']:.4f} | {linear['macro_f1']:.4f} |" in card
    assert f"{metrics['parameters']} parameters" in card
    assert "negative, positive" in card
    assert "200 rows" in card


def test_the_picture_is_a_png(folder: Path) -> None:
    content = (folder / "plots" / "history.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content.endswith(b"IEND\xaeB`\x82")


def test_a_flipped_bit_in_config_is_noticed_wherever_it_is(tmp_path: Path, folder: Path) -> None:
    path = shutil.copytree(folder, tmp_path / "m") / "config.json"
    content = path.read_bytes()
    for place in range(0, len(content), 11):
        altered = bytearray(content)
        altered[place] ^= 1 << place % 7
        path.write_bytes(altered)
        with pytest.raises(BundleError, match=r"config\.json: altered or truncated|reads up to"):
            ModelBundle.load(tmp_path / "m")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("1e-08", "1E-08", 1),  # one flipped bit
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: json.dumps(json.loads(text)),
    ],
    ids=["capital", "cut-short", "line-ends", "compact"],
)
def test_other_bytes_of_the_same_meaning_in_config_are_noticed_too(
    tmp_path: Path, folder: Path, change: Callable[[str], str]
) -> None:
    path = shutil.copytree(folder, tmp_path / "m") / "config.json"
    content = path.read_bytes()
    altered = change(content.decode()).encode()
    assert altered != content
    path.write_bytes(altered)
    with pytest.raises(BundleError, match=r"config\.json: altered or truncated"):
        ModelBundle.load(tmp_path / "m")


# whole or not at all


def full_disk(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


OLDER = b'{"format": 1, "yeoun": "0.0.1", "sha256": {}}'


def older_model(folder: Path) -> None:
    folder.mkdir()
    (folder / "config.json").write_bytes(OLDER)


def test_a_folder_that_exists_is_not_replaced_unasked(tmp_path: Path, tiny_bundle: ModelBundle) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        save_model(tiny_bundle, tmp_path / "m", tmp_path / "saving")
    assert contents(tmp_path) == {"m/notes.txt": b"mine"}


@pytest.mark.parametrize("name", ["notes.txt", "config.json"])
def test_a_folder_that_is_no_model_is_never_replaced(
    tmp_path: Path, tiny_bundle: ModelBundle, name: str
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / name).write_text("{}")
    with pytest.raises(OutputError, match="is no model"):
        save_model(tiny_bundle, tmp_path / "thesis", tmp_path / "saving", replace=True)
    assert contents(tmp_path) == {f"thesis/{name}": b"{}"}


def test_a_model_left_aside_by_a_kill_between_two_renames_comes_back(
    tmp_path: Path, tiny_bundle: ModelBundle
) -> None:
    older_model(tmp_path / "saving.replaced")
    with pytest.raises(OutputError, match="exists already"):
        save_model(tiny_bundle, tmp_path / "m", tmp_path / "saving")
    assert contents(tmp_path) == {"m/config.json": OLDER}


def test_a_bundle_pickles_as_its_files(tiny_bundle: ModelBundle) -> None:
    again = pickle.loads(pickle.dumps(tiny_bundle))
    assert again.files() == tiny_bundle.files()
    assert predict_proba(again, TEXTS).tobytes() == predict_proba(tiny_bundle, TEXTS).tobytes()


def test_a_folder_is_replaced_when_asked_and_nothing_is_left_beside_it(
    tmp_path: Path, folder: Path, tiny_bundle: ModelBundle
) -> None:
    older_model(tmp_path / "m")
    (tmp_path / "saving").mkdir()
    (tmp_path / "saving" / "half.txt").write_text("left by a killed run")
    save_model(tiny_bundle, tmp_path / "m", tmp_path / "saving", replace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    assert contents(tmp_path / "m") == contents(folder)


def test_a_link_to_a_model_is_replaced_as_often_as_asked(
    tmp_path: Path, folder: Path, tiny_bundle: ModelBundle
) -> None:
    older_model(tmp_path / "v1")
    (tmp_path / "current").symlink_to("v1")
    for _ in range(3):
        save_model(tiny_bundle, tmp_path / "current", tmp_path / "saving", replace=True)
        assert contents(tmp_path / "current") == contents(folder)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "v1"]


def test_files_added_once_more_leave_a_whole_folder_at_every_instant(
    tmp_path: Path, tiny_bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "m"
    tiny_bundle.save(folder, {}, tmp_path / "staging")
    add_files(folder, {"model.onnx": b"a graph"})
    seen = []

    def watched(path: Path, content: bytes) -> None:
        seen.append(set(unseal(reader(folder), "m")[1]))
        write_durably(path, content)
        seen.append(set(unseal(reader(folder), "m")[1]))

    monkeypatch.setattr("yeoun.sealed.write_durably", watched)
    add_files(folder, {"model.onnx": b"another", "model.int8.onnx": b"a small one"})
    assert unseal(reader(folder), "m")[1]["model.onnx"] == b"another"
    assert {"model.onnx" in names for names in seen[1:-1]} == {False}


def test_the_folder_appears_by_one_rename(
    tmp_path: Path, tiny_bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, seen = tmp_path / "m", []
    rename, fsync = Path.rename, os.fsync

    def watched_rename(path: Path, target: Path) -> Path:
        seen.append(sorted(contents(path)))
        return rename(path, target)

    def watched_fsync(descriptor: int) -> None:
        assert not out.exists()
        fsync(descriptor)

    monkeypatch.setattr(Path, "rename", watched_rename)
    monkeypatch.setattr(os, "fsync", watched_fsync)
    save_model(tiny_bundle, out, tmp_path / "saving")
    assert seen == [BUNDLE_FILES]


@pytest.mark.parametrize("exists", [False, True])
def test_a_full_disk_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, tiny_bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    if exists:
        older_model(tmp_path / "m")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OutputError, match=r"m: cannot be written \(No space left on device\)"):
        save_model(tiny_bundle, tmp_path / "m", tmp_path / "saving", replace=exists)
    assert contents(tmp_path) == ({"m/config.json": OLDER} if exists else {})
    assert [path.name for path in tmp_path.iterdir()] == ["m"] * exists


def test_a_replacement_that_fails_at_the_last_rename_puts_the_old_folder_back(
    tmp_path: Path, tiny_bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    older_model(tmp_path / "m")
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path.name == "saving":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OutputError, match="m: cannot be written"):
        save_model(tiny_bundle, tmp_path / "m", tmp_path / "saving", replace=True)
    assert contents(tmp_path) == {"m/config.json": OLDER}


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "file.txt"
    write_durably(path, b"old")
    write_durably(path, b"new")
    assert contents(tmp_path) == {"deep/file.txt": b"new"}
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises((OSError, OutputError)):
        write_durably(path, b"newer")
    assert contents(tmp_path) == {"deep/file.txt": b"new"}


def test_a_loaded_network_draws_no_numbers_and_needs_no_symbolic_algebra(
    tmp_path: Path, tiny_bundle: ModelBundle
) -> None:
    save_model(tiny_bundle, tmp_path / "m", tmp_path / "saving")
    program = (
        "import sys, pathlib, torch, yeoun.bundle as b; state = torch.get_rng_state();"
        "b.ModelBundle.load(pathlib.Path(sys.argv[1])).network;"
        "assert torch.equal(torch.get_rng_state(), state); assert 'sympy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "m")], check=True)
