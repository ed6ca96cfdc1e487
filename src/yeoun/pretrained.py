"""Pretrained: what was learned of text alone, as a sealed folder from which models start.

config.json          configuration, provenance, figures, checksums
tokenizer.json       the fitted tokeniser
model.safetensors    the weights of the network up to its head
history.jsonl        one record an epoch
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save as tensor_bytes

from .config import Configuration, TextConfig
from .errors import BundleError, ConfigError
from .sealed import reader, seal, to_json, unseal, write_sealed
from .text.indexer import TextIndexer

# What a model that starts here takes over: how text becomes token ids, and the network up to its head.
_TEXT = ("scheme", "pattern", "fold_repeats", "lowercase", "vocabulary_size", "minimum_count", "start_token")
_LENGTH = ("maximum_length", "truncate")  # which a model may have otherwise
_MODEL = ("inputs", "encoder", "hidden_size", "layers", "bidirectional", "embedding_size", "pooling")


@dataclass(frozen=True)
class Pretrained:
    """A network up to its head that has learned of text alone, and how text is read.

    weights: by name, those of `nn.classifier.TextClassifier` but its head's. figures: of the pretraining.
    """

    configuration: Configuration
    indexer: TextIndexer
    weights: Mapping[str, npt.NDArray[np.float32]]
    figures: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def applied(self, configuration: Configuration) -> Configuration:
        """Return `configuration` with what a model that starts here takes over."""
        text, model = asdict(self.configuration.text), asdict(self.configuration.model)
        taken = {f"text.{key}": text[key] for key in (*_TEXT, *_LENGTH)} | {"train.pretrain_epochs": 0}
        return configuration.with_values(taken | {f"model.{key}": model[key] for key in _MODEL})

    def indexer_for(self, config: TextConfig) -> TextIndexer:
        """Return the indexer, reading as much of a text as `config` says."""
        return TextIndexer(self.indexer.tokenizer, config)

    def checksum(self) -> str:
        """Return a SHA-256 over the weights and the tokeniser."""
        digest = hashlib.sha256(self.indexer.to_json().encode())
        for name in sorted(self.weights):
            digest.update(name.encode() + np.ascontiguousarray(self.weights[name]).tobytes())
        return digest.hexdigest()

    def save(self, folder: Path, staging: Path, replace: bool = False) -> None:
        """Write it to `folder`, which appears whole. Raises OutputError as `sealed.write_sealed` does."""
        contents = {
            "tokenizer.json": self.indexer.to_json().encode(),
            "model.safetensors": tensor_bytes(dict(self.weights)),
            "history.jsonl": b"".join(to_json(record, indent=None) for record in self.history),
        }
        config = {
            "pretrained": dict(self.figures),
            **self.configuration.to_mapping(),
            "provenance": dict(self.provenance),
        }
        write_sealed(folder, seal(config, contents), staging, replace)

    @classmethod
    def load(cls, folder: Path) -> Pretrained:
        """Return what lies in `folder`. Raises BundleError for a folder that is missing, altered, newer, or a
        trained model."""
        config, contents = unseal(reader(folder), str(folder))
        if "pretrained" not in config:
            raise BundleError(f"{folder}: not what `yeoun pretrain` leaves; expected a folder that it wrote")
        try:
            configuration = Configuration.from_mapping(
                {section: config[section] for section in ("text", "model", "train")}
            )
            lines = contents["history.jsonl"].decode().splitlines()
            return cls(
                configuration=configuration,
                indexer=TextIndexer.from_json(contents["tokenizer.json"].decode(), configuration.text),
                weights=read_tensors(contents["model.safetensors"]),
                figures=config["pretrained"],
                history=tuple(json.loads(line) for line in lines),
                provenance=config["provenance"],
            )
        except (KeyError, TypeError, ValueError, ConfigError, SafetensorError) as error:
            raise BundleError(f"{folder}: not of this release ({error}); pretrain again") from None


def require_start(configuration: Configuration, start: Pretrained) -> None:
    """Raise ConfigError for a model that cannot start from `start`, since it reads text or computes
    otherwise, or is to be pretrained itself."""
    for section, keys in (("text", _TEXT), ("model", _MODEL)):
        ours, theirs = (asdict(getattr(each, section)) for each in (configuration, start.configuration))
        for key in keys:
            if ours[key] != theirs[key]:
                raise ConfigError(
                    f"{section}.{key} = {ours[key]!r}: expected {theirs[key]!r}, as what it starts from has"
                )
    if configuration.model.vectors:
        raise ConfigError(f"model.vectors = {configuration.model.vectors!r}: expected none beside a start")
    if configuration.train.pretrain_epochs:
        raise ConfigError("train.pretrain_epochs: expected 0 where training starts from what was pretrained")
