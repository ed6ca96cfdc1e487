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

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
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
from .errors import BundleError, ConfigError, OutputError
from .evaluation.evenness import EVEN, Evenness
from .evaluation.linear import LinearBaseline
from .files import write_durably
from .text.indexer import TextIndexer
from .text.morphemes import analyzer
from .text.ngrams import NgramIndexer
from .text.schemes import special_tokens
from .version import __version__

if TYPE_CHECKING:
    from .nn.classifier import TextClassifier

FORMAT = 1


@dataclass(frozen=True)
class ModelBundle:
    """Everything an answer needs, and where it came from.

    weights: the network's parameters by name. ngrams: the n-grams whose scores it adds, if any.
    thresholds: the probability from which each label is given, where a row may have several; else empty.
    evenness: of the logits, before they become probabilities. metrics: as `train --json` prints them.
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
            "metrics.json": _json(self.metrics),
            "history.jsonl": b"".join(_json(record, indent=None) for record in self.history),
            "README.md": self._card().encode(),
            **self.graphs,
        }
        if self.baseline is not None:
            contents["baseline.safetensors"] = tensor_bytes(self.baseline.arrays())
        if self.ngrams is not None:
            contents["ngrams.safetensors"] = tensor_bytes(self.ngrams.arrays())
        contents |= {f"plots/{name}": content for name, content in pictures.items()}
        config: dict[str, Any] = {
            "format": FORMAT,
            "yeoun": __version__,
            "labels": list(self.label_names),
            "thresholds": list(self.thresholds),
            "evenness": asdict(self.evenness),
            "analyzer": self.provenance.get("analyzer", self.indexer.analyzer_version),
            "baseline_features": None if self.baseline is None else self.baseline.analyzer,
            **self.configuration.to_mapping(),
            "provenance": dict(self.provenance),
            "sha256": {name: _sha256(content) for name, content in sorted(contents.items())},
        }
        config["sha256"]["config.json"] = _config_checksum(config)
        return {**contents, "config.json": _json(config)}

    def _card(self) -> str:
        return model_card(self.configuration, self.label_names, self.metrics, self.provenance)

    def save(self, folder: Path, pictures: Mapping[str, bytes], staging: Path, replace: bool = False) -> None:
        """Write the bundle to `folder`, which appears whole, by one rename of `staging`.

        pictures: files for `plots/`, by name. Raises OutputError when the folder exists and is not to
        be replaced, or cannot be written; then nothing stands at `folder` that did not before.
        """
        replaced = staging.with_name(staging.name + ".replaced")
        if not folder.exists() and is_model(replaced):  # killed between the two renames
            replaced.rename(folder)
        require_room(folder, replace)
        contents = self.files(pictures)
        try:
            shutil.rmtree(staging, ignore_errors=True)
            for name, content in contents.items():
                write_durably(staging / name, content)
            if folder.exists():
                shutil.rmtree(replaced, ignore_errors=True)
                folder.rename(replaced)
            try:
                staging.rename(folder)
            except OSError:
                if replaced.exists():
                    replaced.rename(folder)
                raise
            shutil.rmtree(replaced, ignore_errors=True)
        except OSError as error:
            shutil.rmtree(staging, ignore_errors=True)
            raise OutputError(f"{folder}: cannot be written ({error.strerror})") from None

    @staticmethod
    def add_graphs(folder: Path, graphs: Mapping[str, bytes]) -> None:
        """Put exported graphs, by file name, into the model in `folder`, and their checksums into its
        `config.json`, which is written last; all else stays as it is."""
        config = json.loads((folder / "config.json").read_bytes())
        for name, graph in graphs.items():
            write_durably(folder / name, graph)
            config["sha256"][name] = _sha256(graph)
        config["sha256"] = dict(sorted(config["sha256"].items()))
        config["sha256"]["config.json"] = _config_checksum(config)
        write_durably(folder / "config.json", _json(config))

    @classmethod
    def load(cls, folder: Path) -> ModelBundle:
        """Return the bundle in `folder`.

        Raises BundleError for a missing folder or file, a file that does not match its checksum, or a
        format newer than this release reads.
        """

        def read(name: str) -> bytes | None:
            return (folder / name).read_bytes() if (folder / name).is_file() else None

        return cls.from_files(read, str(folder))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the files that `save` would write."""
        return _from_pickled, (self.files(),)

    @classmethod
    def from_files(cls, read: Callable[[str], bytes | None], place: str) -> ModelBundle:
        """Return the bundle whose files `read` gives by name, None for one that is not there.

        Raises BundleError as `load` does; `place` is what it calls them.
        """
        config = _read_config(read("config.json"), place)
        contents = {name: _verified(read, name, digest, place) for name, digest in config["sha256"].items()}
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


def is_model(folder: Path) -> bool:
    """Return whether a model lies in `folder`, intact or not."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and {"yeoun", "format", "sha256"} <= config.keys()


def require_room(folder: Path, replace: bool) -> None:
    """Raise OutputError when something stands at `folder` that may not be replaced: only a model may,
    and only when that is asked for."""
    if folder.exists() and not replace:
        raise OutputError(f"{folder}: exists already; choose another place or use --force (force=True)")
    if folder.exists() and not is_model(folder):
        raise OutputError(f"{folder}: exists and is no model, so it is not replaced; choose another place")


def _from_pickled(contents: Mapping[str, bytes]) -> ModelBundle:
    return ModelBundle.from_files(contents.get, "pickled model")


def _read_config(content: bytes | None, place: str) -> dict[str, Any]:
    if content is None:
        raise BundleError(f"{place}: no model there (no config.json); expected a folder that train wrote")
    try:
        config = json.loads(content)
        if config["format"] > FORMAT:
            raise BundleError(
                f"{place}: format {config['format']}, this release reads up to {FORMAT}; install the"
                f" Yeoun that wrote it ({config.get('yeoun', 'newer')}) or later"
            )
        as_written = _json(config) == content  # nor is a byte changed that leaves the meaning
        intact = as_written and config["sha256"].pop("config.json") == _config_checksum(config)
    except (ValueError, KeyError, TypeError, AttributeError):
        intact = False
    if not intact:
        raise BundleError(f"{place}/config.json: altered or truncated since it was written; restore it")
    return dict(config)


def _verified(read: Callable[[str], bytes | None], name: str, digest: str, place: str) -> bytes:
    content = read(name)
    if content is None:
        raise BundleError(f"{place}: {name} is missing; restore the folder")
    if _sha256(content) != digest:
        raise BundleError(f"{place}/{name}: altered or truncated since it was written; restore it")
    return content


def _compare_analyzers(place: str, scheme: str, trained_with: str | None) -> None:
    """Warn where an analyser of another version will cut the texts."""
    if trained_with is not None and (here := analyzer(scheme).version) != trained_with:
        warnings.warn(f"{place}: trained with {trained_with}, here is {here}", stacklevel=3)


def _baseline(content: bytes | None, analyzer: str, multilabel: bool) -> LinearBaseline | None:
    return None if content is None else LinearBaseline.of(analyzer, multilabel, read_tensors(content))


def _ngrams(content: bytes | None, config: TextConfig) -> NgramIndexer | None:
    return None if content is None else NgramIndexer.of(config, read_tensors(content))


def _config_checksum(config: Mapping[str, Any]) -> str:
    files = {name: digest for name, digest in config["sha256"].items() if name != "config.json"}
    return _sha256(_json({**config, "sha256": files}))


def _json(value: Any, indent: int | None = 2) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=indent) + "\n").encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
