"""A run: a model trained and scored, of which one result file stays. A finished run is not run again, and an
interrupted one goes on where it was cut.
"""

from __future__ import annotations

import json
import time
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .bundle import ModelBundle
from .config import Configuration
from .data.rows import Dataset
from .errors import DataError, ResumeError
from .evaluation.metrics import measure
from .files import write_durably
from .inference import decide_labels, predict_proba, score_recurrent_half
from .training.fit import fit
from .training.state import Progress, TrainingFolder

Result = dict[str, Any]
Labels = npt.NDArray[np.int64]


def read_result(path: Path) -> Result | None:
    """Return a finished run's result, None where there is none. Raises DataError for a broken file."""
    if not path.exists():
        return None
    try:
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: not a result ({error}); remove it to run it again") from None


def write_result(path: Path, result: Mapping[str, Any]) -> None:
    """Write a finished run's result, whole or not at all."""
    write_durably(path, (json.dumps(result, ensure_ascii=False, indent=2) + "\n").encode())


def carry_out(
    path: Path,
    train: Dataset,
    configuration: Configuration,
    seed: int,
    tell: Callable[[ModelBundle], Result],
    valid: Dataset | None = None,
    provenance: Mapping[str, Any] | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Result:
    """Return what `tell` says of the model trained now, or further where it was cut, and write it to `path`.

    Raises ResumeError where what was cut is another run, OutputError where it is going on elsewhere.
    """
    with TrainingFolder.of(path.with_suffix("")) as state:
        try:
            bundle = fit(
                train,
                configuration,
                valid,
                seed=seed,
                provenance=provenance,
                folder=state,
                resume=True,
                watch=watch,
            )
        except ResumeError as error:
            raise ResumeError(f"{error}; here: remove {state.path}") from None
        result = tell(bundle)
        write_result(path, result)
        state.remove()
    return result


def account(bundle: ModelBundle) -> Result:
    """Return what a result file says of the training of a model."""
    figures = bundle.metrics
    return {
        "configuration": bundle.configuration.to_mapping(),
        "versions": bundle.provenance["versions"],
        "rows": figures["rows"],
        "vocabulary": bundle.indexer.vocabulary_size,
        "parameters": figures["parameters"],
        "seconds": figures["seconds"],
        "precision": figures["precision"],
        "best_epoch": bundle.provenance["best_epoch"],
        "history": list(bundle.history),
        "validation": figures["validation"],
        "validation_baseline": figures["linear_baseline"],
    }


def score(bundle: ModelBundle, test: Dataset) -> tuple[Result, Labels]:
    """Return the figures of a model on labelled rows, those of its recurrent half beside them where it has
    n-grams as well, and its answers."""
    started = time.perf_counter()
    probabilities = predict_proba(bundle, test.texts)
    seconds = time.perf_counter() - started
    figures = asdict(measure(probabilities, test.targets, np.array(bundle.thresholds)))
    figures["texts_per_second"] = round(len(test) / seconds, 1)
    alone = score_recurrent_half(bundle, test)
    beside = {} if alone is None else {"recurrent_alone": alone}
    return {**figures, **beside}, decide_labels(bundle, probabilities)


def pack_answers(answers: Labels) -> Result:
    """Return answers as a result file holds them: the fewest bytes a number, compressed, as text."""
    small = answers.astype(np.min_scalar_type(answers.max(initial=0)))
    packed = b64encode(zlib.compress(small.tobytes(), 9)).decode()
    return {"dtype": small.dtype.str, "shape": list(small.shape), "zlib_base64": packed}


def unpack_answers(packed: Mapping[str, Any]) -> Labels:
    """Return the answers that `pack_answers` was given."""
    content = zlib.decompress(b64decode(packed["zlib_base64"]))
    return np.frombuffer(content, packed["dtype"]).reshape(packed["shape"]).astype(np.int64)
