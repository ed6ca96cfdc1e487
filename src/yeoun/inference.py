"""The only way to a prediction: texts, token ids, batches, forward, probabilities.

`forward` is anything that turns a Batch into logits, so that torch is one engine among others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .bundle import ModelBundle
from .config import TextConfig
from .data.batches import Batch, answering_order, collate
from .data.rows import Dataset
from .data.tokens import TokenStore
from .errors import ConfigError, DataError
from .evaluation.abstention import abstains
from .evaluation.evenness import EVEN, Evenness
from .evaluation.metrics import decide, score_answers

if TYPE_CHECKING:
    from .nn.classifier import TextClassifier

Floats = npt.NDArray[np.float32]
Forward = Callable[[Batch], Floats]
CHUNK = 10_000  # texts that are indexed and answered together
# What turns batches into logits, and the file of the bundle that it reads.
RUNTIMES = {"torch": "model.safetensors", "onnx": "model.onnx", "onnx-int8": "model.int8.onnx"}


@dataclass(frozen=True)
class Prediction:
    """The answer to one text: the likeliest label and its probability; or, from a model of rows with
    several labels, those that reach their thresholds, and the probability of each. label: None where the
    model abstains."""

    label: str | list[str] | None
    probability: float | list[float]
    probabilities: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return what `predict --json` prints: `labels` where there may be several."""
        if isinstance(self.probability, float):
            return asdict(self)
        return {"labels": self.label, "probabilities": self.probabilities}


def predict(
    bundle: ModelBundle,
    texts: Sequence[str],
    precision: str = "fp32",
    runtime: str = "torch",
    abstain_below: float | str = 0.0,
) -> list[Prediction]:
    """Return the label or labels and the probabilities of each text, in order; no label where the model
    abstains (see `least_probabilities`)."""
    least = least_probabilities(bundle, abstain_below)
    return answers_of(bundle, predict_proba(bundle, texts, precision, runtime), least)


def answers_of(bundle: ModelBundle, probabilities: Floats, least: Floats | None = None) -> list[Prediction]:
    """Return the answer to each row of `probabilities` [texts, classes]; without a label where one that it
    would be given has a probability below its `least`, float [classes]."""
    names, answers = bundle.label_names, []
    decided = decide_labels(bundle, probabilities)
    least = np.zeros(len(names), np.float32) if least is None else least
    abstained = abstains(probabilities, decided, least)
    for row, chosen, is_open in zip(probabilities, decided, abstained, strict=True):
        by_name = dict(zip(names, row.tolist(), strict=True))
        label = [names[i] for i in np.flatnonzero(chosen)] if bundle.is_multilabel else names[chosen]
        probability = by_name[label] if isinstance(label, str) else [by_name[each] for each in label]
        answers.append(Prediction(None if is_open else label, probability, by_name))
    return answers


def least_probabilities(bundle: ModelBundle, abstain_below: float | str) -> Floats:
    """Return the probability from which each label is given, float32 [classes].

    abstain_below: one probability for all labels; or `precision=0.95` for those of each label that were
    found on validation rows (`evaluation.abstention`), more than 1 where there is none. Raises ConfigError
    for what is neither.
    """
    kind, _, wanted = str(abstain_below).rpartition("=")
    try:
        number = float(wanted)
    except ValueError:
        number = -1.0
    if kind not in ("", "precision") or not 0 <= number <= 1:
        raise ConfigError(f"abstain below {abstain_below}: expected a number from 0 to 1 or precision=0.95")
    names = bundle.label_names
    if not kind:
        return np.full(len(names), number, np.float32)
    stored = bundle.metrics.get("least_probabilities", {})
    found = next((each for precision, each in stored.items() if float(precision) == number), None)
    if found is None:
        there = ", ".join(stored) or "none, so train it again or give a probability"
        raise ConfigError(f"abstain below {abstain_below}: this model knows the probabilities for {there}")
    return np.array([np.inf if found[name] is None else found[name] for name in names], np.float32)


def decide_labels(bundle: ModelBundle, probabilities: Floats) -> npt.NDArray[np.int64]:
    """Return the class of each row of `probabilities` [texts, classes], int64 [texts]; from a model of
    rows with several labels 0 or 1 for each, [texts, classes]."""
    thresholds = np.array(bundle.thresholds, np.float32)
    return decide(probabilities, bundle.is_multilabel, thresholds)


def score_recurrent_half(bundle: ModelBundle, rows: Dataset) -> dict[str, float] | None:
    """Return the figures of the recurrent half alone on labelled rows, None of a model without n-grams."""
    if bundle.ngrams is None:
        return None
    half = bundle.without_ngrams()
    return score_answers(decide_labels(half, predict_proba(half, rows.texts)), rows.targets)


def predict_proba(
    bundle: ModelBundle, texts: Sequence[str], precision: str = "fp32", runtime: str = "torch"
) -> Floats:
    """Return the probabilities [texts, classes], float32, classes in the order of `label_names`. Those of
    a text add up to 1, but from a model of rows with several labels, where each stands for itself.

    precision: of the encoder in torch, "fp32" or "bf16". runtime: one of RUNTIMES. Raises DataError for a
    text that is not a string, ConfigError for a runtime that is not there.
    """
    require_strings(texts)
    if len(texts) > CHUNK:
        chunks = (texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK))
        return np.concatenate(list(predict_chunks(bundle, chunks, precision, runtime)))
    return _answer_indexed(bundle, bundle.index(texts), _forward(bundle, precision, runtime))


def predict_chunks(
    bundle: ModelBundle, chunks: Iterable[Sequence[str]], precision: str = "fp32", runtime: str = "torch"
) -> Iterator[Floats]:
    """Yield the probabilities of each chunk of texts; while one is answered, the next are indexed."""
    require_runtime(bundle, precision, runtime)  # before anything is read
    waiting = iter(chunks)
    with ThreadPoolExecutor(1, "yeoun-index") as thread:
        indexing = deque(thread.submit(bundle.index, texts) for texts in islice(waiting, 2))
        forward = _forward(bundle, precision, runtime)  # for which torch is imported, a second of work
        for texts in waiting:
            indexing.append(thread.submit(bundle.index, texts))
            yield _answer_indexed(bundle, indexing.popleft().result(), forward)
        for last in indexing:
            yield _answer_indexed(bundle, last.result(), forward)


def _answer_indexed(bundle: ModelBundle, store: TokenStore, forward: Forward) -> Floats:
    logits = answer(store, bundle.configuration.text, forward)
    probabilities = to_probabilities(logits, bundle.is_multilabel, bundle.evenness)
    return probabilities.reshape(len(store), len(bundle.label_names))


def _forward(bundle: ModelBundle, precision: str, runtime: str) -> Forward:
    require_runtime(bundle, precision, runtime)
    if runtime == "torch":
        return torch_forward(bundle.network, precision)
    return onnx_forward(bundle.graphs[RUNTIMES[runtime]])


def require_runtime(bundle: ModelBundle, precision: str, runtime: str) -> None:
    """Raise ConfigError for a runtime that is none, was not exported, or has no such precision."""
    if runtime not in RUNTIMES:
        raise ConfigError(f"runtime {runtime!r}: expected one of {', '.join(RUNTIMES)}")
    if runtime == "torch":
        return
    if precision != "fp32":
        raise ConfigError(f"precision {precision!r} with runtime {runtime!r}: expected fp32")
    if RUNTIMES[runtime] not in bundle.graphs:
        flag = "--int8" if runtime == "onnx-int8" else "--onnx"
        raise ConfigError(f"runtime {runtime!r}: not exported yet; yeoun export BUNDLE {flag} first")


def require_strings(texts: Sequence[str]) -> None:
    """Raise DataError for a text that is not a string."""
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"text {position} is {text!r}: expected a string")


def answer(store: TokenStore, config: TextConfig, forward: Forward) -> Floats:
    """Return the logits [rows, classes], or a sigmoid's [rows, 1], of each row of `store`, float32, in its
    order."""
    logits: Floats | None = None
    read = store.lengths if isinstance(config.pad_to, str) else np.full_like(store.lengths, config.pad_to)
    for rows in answering_order(read):
        part = forward(collate(store, rows, None, config.pad_to, config.pad_side))
        if logits is None:
            logits = np.empty((len(store), part.shape[1]), np.float32)
        logits[rows] = part
    return np.zeros((0, 0), np.float32) if logits is None else logits


def torch_forward(network: TextClassifier, precision: str = "fp32") -> Forward:
    """Return `forward` on torch: evaluation mode, no gradients, the encoder in `precision`."""
    import torch

    from .nn.ngrams import NgramFeatures

    answering = network
    if network.training or network.precision != precision:
        # Modules of its own with the same weights, so that others may train or answer meanwhile.
        answering = deepcopy(network, {id(each): each for each in network.parameters()}).eval()
        answering.precision = precision
    device = network.embedding.weight.device

    def forward(batch: Batch) -> Floats:
        with torch.inference_mode():
            token_ids, lengths, *features = (
                torch.from_numpy(array).to(device)
                for array in (
                    batch.token_ids,
                    batch.lengths,
                    batch.feature_ids,
                    batch.feature_values,
                    batch.feature_offsets,
                )
            )
            logits = answering(token_ids, lengths, NgramFeatures(*features)).cpu()
        return np.asarray(logits.numpy(), np.float32)

    return forward


@lru_cache(maxsize=2)  # a session takes longer to open than a text to answer
def onnx_forward(graph: bytes) -> Forward:
    """Return `forward` on ONNX Runtime, of a graph that `export` wrote; torch is not imported. Raises
    ConfigError without the extra `onnx`."""
    try:
        from onnxruntime import InferenceSession, SessionOptions
    except ImportError:
        raise ConfigError("ONNX Runtime is not installed; pip install 'yeoun[onnx]'") from None
    options = SessionOptions()
    options.log_severity_level = 3
    session = InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def forward(batch: Batch) -> Floats:
        inputs = {name: getattr(batch, name) for name in names}
        return np.asarray(session.run(["logits"], inputs)[0], np.float32)

    return forward


def class_logits(logits: Floats) -> Floats:
    """Return logits [N, C] over the classes; a sigmoid's single logit stands for the second of two."""
    return np.concatenate([np.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits


def to_probabilities(logits: Floats, multilabel: bool, evenness: Evenness = EVEN) -> Floats:
    """Return the probabilities [N, C] of logits [N, C], or of a sigmoid's [N, 1]: those that `evenness` makes
    of them, or with `multilabel` the sigmoid of each."""
    if not logits.size:
        return logits
    if multilabel:
        from scipy.special import expit

        return np.asarray(expit(logits), np.float32)
    return evenness.probabilities(class_logits(logits))
