"""ModelBundle: a trained model as a folder. No pickle; every file is checksummed.

config.json          format version, configuration, labels in order, provenance, checksums
tokenizer.json       the fitted tokeniser
model.safetensors    the weights
baseline.safetensors the linear baseline, where one was trained
ngrams.safetensors   the known n-grams, of a model that reads them
model.onnx  model.int8.onnx   the network as graphs, where they were exported
metrics.json  history.jsonl  plots/  README.md
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save as tensor_bytes

from .card import model_card
from .config import Configuration, TextConfig
from .data.tokens import TokenStore
from .errors import BundleError, ConfigError
from .evaluation.evenness import EVEN, Evenness
from .evaluation.linear import LinearBaseline
from .sealed import Read, reader, seal, to_json, unseal, write_sealed
from .text.indexer import TextIndexer
from .text.morphemes import analyzer
from .text.ngrams import NgramIndexer
from .text.schemes import special_tokens

if TYPE_CHECKING:
    from .nn.classifier import TextClassifier


@dataclass(frozen=True)
class ModelBundle:
    """Everything an answer needs, and where it came from.

    weights: the network's parameters by name. ngrams: the n-grams whose scores it adds, if any.
    thresholds: the probability from which each label is given, where a row may have several; else empty.
    evenness: how logits become probabilities. metrics: as `train --json` prints them.
    history: one dict an epoch. provenance: data, seed, precision, versions, seconds. graphs: by file name.
    """

    configuration: Configuration
    label_names: tuple[str, ...]
    indexer: TextIndexer
    weights: Mapping[str, npt.NDArray[np.float32]]
    ngrams: NgramIndexer | None = None
    thresholds: tuple[float, ...] = ()
    evenness: Evenness = EVEN
    baseline: LinearBaseline | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    graphs: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def is_multilabel(self) -> bool:
        """Whether a text may have several labels, or none."""
        return self.configuration.model.head == "sigmoids"

    @cached_property
    def network(self) -> TextClassifier:
        """The network in evaluation mode, fp32, on the CPU."""
        import torch

        from .nn.classifier import TextClassifier
        from .nn.undrawn import Undrawn

        with torch.device("meta"), Undrawn():
            network = TextClassifier(
                self.configuration.model,
                self.indexer.vocabulary_size,
                len(self.label_names),
                None if self.ngrams is None else len(self.ngrams),
            )
        state = {name: torch.tensor(array) for name, array in self.weights.items()}
        network.load_state_dict(state, assign=True)
        return network.eval()

    def index(self, texts: Sequence[str]) -> TokenStore:
        """Return the texts as the network reads them: token ids, and n-gram features where it has those."""
        features = None if self.ngrams is None else self.ngrams.index(texts)
        return TokenStore.of(self.indexer.index(texts), features)

    def without_ngrams(self) -> ModelBundle:
        """Return the recurrent half alone, which is the whole of a model without n-grams."""
        recurrent = {name: array for name, array in self.weights.items() if not name.startswith("ngrams.")}
        if self.ngrams is None:
            return self
        return replace(
            self,
            configuration=self.configuration.with_values({"model.ngrams": False}),
            weights=recurrent,
            ngrams=None,
            thresholds=(0.5,) * len(self.thresholds),  # the whole's say nothing of it
            evenness=EVEN,
            graphs={},
        )

    def word_vectors(self) -> tuple[list[str], npt.NDArray[np.float32]]:
        """Return the vocabulary without its special tokens and the learned vectors [words, E]."""
        words = self.indexer.vocabulary()[len(special_tokens(self.configuration.text)) :]
        return words, self.weights["embedding.weight"][-len(words) :]

    def files(self, pictures: Mapping[str, bytes] = MappingProxyType({})) -> dict[str, bytes]:
        """Return the content of each file of the folder, by name; pictures go to `plots/`."""
        contents = {
            "tokenizer.json": self.indexer.to_json().encode(),
            "model.safetensors": tensor_bytes(dict(self.weights)),
            "metrics.json": to_json(self.metrics),
            "history.jsonl": b"".join(to_json(record, indent=None) for record in self.history),
            "README.md": self._card().encode(),
            **self.graphs,
        }
        if self.baseline is not None:
            contents["baseline.safetensors"] = tensor_bytes(self.baseline.arrays())
        if self.ngrams is not None:
            contents["ngrams.safetensors"] = tensor_bytes(self.ngrams.arrays())
        contents |= {f"plots/{name}": content for name, content in pictures.items()}
        config = {
            "labels": list(self.label_names),
            "thresholds": list(self.thresholds),
            "evenness": asdict(self.evenness),
            "analyzer": self.provenance.get("analyzer", self.indexer.analyzer_version),
            "baseline_features": None if self.baseline is None else self.baseline.analyzer,
            **self.configuration.to_mapping(),
            "provenance": dict(self.provenance),
        }
        return seal(config, contents)

    def _card(self) -> str:
        return model_card(self.configuration, self.label_names, self.metrics, self.provenance)

    def save(self, folder: Path, pictures: Mapping[str, bytes], staging: Path, replace: bool = False) -> None:
        """Write the bundle to `folder`, which appears whole, by one rename of `staging`.

        pictures: files for `plots/`, by name. Raises OutputError when the folder exists and is not to
        be replaced, or cannot be written; then nothing stands at `folder` that did not before.
        """
        write_sealed(folder, self.files(pictures), staging, replace)

    @classmethod
    def load(cls, folder: Path) -> ModelBundle:
        """Return the bundle in `folder`.

        Raises BundleError for a missing folder or file, a file that does not match its checksum, or a
        format newer than this release reads.
        """
        return cls.from_files(reader(folder), str(folder))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the files that `save` would write."""
        return _from_pickled, (self.files(),)

    @classmethod
    def from_files(cls, read: Read, place: str) -> ModelBundle:
        """Return the bundle whose files `read` gives by name, None for one that is not there.

        Raises BundleError as `load` does; `place` is what it calls them.
        """
        config, contents = unseal(read, place)
        if "pretrained" in config:
            raise BundleError(
                f"{place}: learned from text alone, no model yet; yeoun train --start-from {place}"
            )
        try:
            configuration = Configuration.from_mapping(
                {section: config[section] for section in ("text", "model", "train")}
            )
            _compare_analyzers(place, configuration.text.scheme, config["analyzer"])
            lines = contents["history.jsonl"].decode().splitlines()
            return cls(
                configuration=configuration,
                label_names=tuple(config["labels"]),
                indexer=TextIndexer.from_json(contents["tokenizer.json"].decode(), configuration.text),
                weights=read_tensors(contents["model.safetensors"]),
                ngrams=_ngrams(contents.get("ngrams.safetensors"), configuration.text),
                baseline=_baseline(
                    contents.get("baseline.safetensors"),
                    config["baseline_features"],
                    configuration.model.head == "sigmoids",
                ),
                thresholds=tuple(config.get("thresholds", ())),
                evenness=Evenness(**config.get("evenness", {})),
                metrics=json.loads(contents["metrics.json"]),
                history=tuple(json.loads(line) for line in lines),
                provenance=config["provenance"],
                graphs={name: graph for name, graph in contents.items() if name.endswith(".onnx")},
            )
        except (KeyError, TypeError, ValueError, ConfigError, SafetensorError) as error:
            raise BundleError(f"{place}: not a model of this release ({error}); train it again") from None


def _from_pickled(contents: Mapping[str, bytes]) -> ModelBundle:
    return ModelBundle.from_files(contents.get, "pickled model")


def _compare_analyzers(place: str, scheme: str, trained_with: str | None) -> None:
    """Warn where an analyser of another version will cut the texts."""
    if trained_with is not None and (here := analyzer(scheme).version) != trained_with:
        warnings.warn(f"{place}: trained with {trained_with}, here is {here}", stacklevel=3)


def _baseline(content: bytes | None, analyzer: str, multilabel: bool) -> LinearBaseline | None:
    return None if content is None else LinearBaseline.of(analyzer, multilabel, read_tensors(content))


def _ngrams(content: bytes | None, config: TextConfig) -> NgramIndexer | None:
    return None if content is None else NgramIndexer.of(config, read_tensors(content))
