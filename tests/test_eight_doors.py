"""The same texts through every door and in every container have the same probabilities."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pytest

from conftest import VALUES, make_rows
from yeoun import RecurrentTextClassifier, load
from yeoun.bundle import ModelBundle
from yeoun.cli import main
from yeoun.inference import predict_proba

Floats = npt.NDArray[np.float32]

TEXTS = [
    "the film was really terrible",
    "wonderful story, lovely film, 재밌다",
    "",
    "정말 최고",
    "\u110c\u1162\u1106\u1175\u11bb\u1103\u1161 영화",
    "xyzzy, 'quoted' and \"doubly\" 😀",
    " ".join(["boring", "the", "film", "was"] * 200),
]
OTHER_BATCH = [5, 3, 0]  # of TEXTS, so that neighbours and lengths differ


@dataclass(frozen=True)
class Trained:
    """An estimator and the folder that it was saved to."""

    classifier: RecurrentTextClassifier
    folder: Path


@pytest.fixture(scope="module", params=["one label a row", "several labels a row"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    rows = make_rows(120)
    names = [rows.label_names[target] for target in rows.targets]
    several = [
        [name, "korean"] if "영화" in text else [name] for text, name in zip(rows.texts, names, strict=True)
    ]
    labels = names if request.param == "one label a row" else several
    classifier = RecurrentTextClassifier(values=VALUES).fit(rows.texts, labels)
    folder = tmp_path_factory.mktemp("doors") / "model"
    classifier.save(folder)
    return Trained(classifier, folder)


def at_the_command_line(trained: Trained, *arguments: str) -> Floats:
    """Return the probabilities that `predict --json` prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        assert main(["predict", str(trained.folder), *arguments, "--json"]) == 0
    answers = [json.loads(line) for line in printed.getvalue().splitlines()]
    return np.array([list(answer["probabilities"].values()) for answer in answers], np.float32)


def by_arguments(trained: Trained, texts: Sequence[str], place: Path) -> Floats:
    return at_the_command_line(trained, *texts)


def by_file(trained: Trained, texts: Sequence[str], place: Path) -> Floats:
    pd.DataFrame({"number": range(len(texts)), "text": texts}).to_csv(place / "texts.csv", index=False)
    return at_the_command_line(trained, "--input", str(place / "texts.csv"))


def by_standard_input(trained: Trained, texts: Sequence[str], place: Path) -> Floats:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO("".join(text + "\n" for text in texts)))
        return at_the_command_line(trained, "--input", "-")


def by_list(trained: Trained, texts: Sequence[str], place: Path) -> Floats:
    return trained.classifier.predict_proba(list(texts))


def by_numpy_array(trained: Trained, texts: Sequence[str], place: Path) -> Floats:
    return load(trained.folder).predict_proba(np.array(texts))


def by_pandas_series(trained: Trained, texts: Sequence[str], place: Path) -> Floats:
    return trained.classifier.predict_proba(pd.Series(texts, index=range(len(texts), 0, -1)))


def by_polars_series(trained: Trained, texts: Sequence[str], place: Path) -> Floats:
    return load(trained.folder).predict_proba(pl.Series("text", texts))


def by_datasets_column(trained: Trained, texts: Sequence[str], place: Path) -> Floats:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_DATASETS_CACHE", str(place))
        from datasets import Dataset

        return trained.classifier.predict_proba(Dataset.from_dict({"text": list(texts)})["text"])


DOORS: list[Callable[[Trained, Sequence[str], Path], Floats]] = [
    by_arguments,
    by_file,
    by_standard_input,
    by_list,
    by_numpy_array,
    by_pandas_series,
    by_polars_series,
    by_datasets_column,
]


@pytest.fixture(scope="module")
def expected(trained: Trained) -> Floats:
    """The probabilities that the bundle itself gives all texts at once."""
    return predict_proba(ModelBundle.load(trained.folder), TEXTS)


def test_the_bundle_tells_the_texts_apart(trained: Trained, expected: Floats) -> None:
    assert expected.shape == (len(TEXTS), len(trained.classifier.classes_))
    assert len(np.unique(expected.round(4), axis=0)) >= 5
    assert trained.classifier.classes_.tolist() == list(load(trained.folder).labels)


@pytest.mark.parametrize("door", DOORS)
def test_a_door_answers_the_same_texts_with_the_same_bytes(
    trained: Trained,
    expected: Floats,
    tmp_path: Path,
    door: Callable[[Trained, Sequence[str], Path], Floats],
) -> None:
    found = door(trained, TEXTS, tmp_path)
    assert found.dtype == np.float32
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("door", DOORS)
def test_a_door_answers_a_text_alike_in_another_batch(
    trained: Trained,
    expected: Floats,
    tmp_path: Path,
    door: Callable[[Trained, Sequence[str], Path], Floats],
) -> None:
    found = door(trained, [TEXTS[i] for i in OTHER_BATCH], tmp_path)
    np.testing.assert_allclose(found, expected[OTHER_BATCH], rtol=0, atol=1e-5)


def test_every_container_trains_the_same_model() -> None:
    rows = make_rows(60)
    labels = [rows.label_names[target] for target in rows.targets]
    values = {**VALUES, "train.epochs": 1}
    containers = [list, np.array, pd.Series, lambda cells: pl.Series("cells", cells)]
    answers = {
        RecurrentTextClassifier(values=values)
        .fit(container(rows.texts), container(labels))
        .predict_proba(TEXTS)
        .tobytes()
        for container in containers
    }
    assert len(answers) == 1
