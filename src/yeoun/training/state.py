"""The state of a training run on disk: enough to go on bit for bit after a kill at any instant.

`OUT.training/` holds `run.json` (what the run is), `tokenizer.json` (saved before the first step) and
`state.safetensors` (weights, optimiser, best weights, progress), each written by one rename; `pretraining/`
holds the state of that. A run that is going on has `run.json` locked, so that no other one begins.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as tensor_bytes
from torch import Tensor, nn
from torch.optim import Optimizer

from ..config import TextConfig
from ..errors import OutputError, ResumeError
from ..files import open_alone, write_durably
from ..text.indexer import TextIndexer

_ROWS = ("data", "validation", "unlabelled")  # what a configuration comes from is told first


@dataclass
class Progress:
    """How far a run has come. The sums are over the current epoch.

    task: what is done, for whoever watches. epochs: at most so many.
    epoch, step: finished epochs, and finished steps of the next. steps: steps of an epoch.
    seconds: of training work so far. history: one record a finished epoch.
    """

    task: str = "training"
    epochs: int = 0
    epoch: int = 0
    step: int = 0
    steps: int = 0
    loss_sum: float = 0.0
    right: int = 0
    answers: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


class TrainingFolder:
    """`OUT.training`, the place of an unfinished run. A run goes on `with` it, which keeps other runs out
    where files can be locked (not on Windows)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: IO[bytes] | None = None

    @classmethod
    def of(cls, out: Path) -> TrainingFolder:
        """Return the folder that belongs to the output `out`; it need not exist."""
        out = out if out.name else out.absolute()
        return cls(out.with_name(out.name + ".training"))

    def __enter__(self) -> TrainingFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go()

    @property
    def pretraining(self) -> TrainingFolder:
        """The folder in this one that holds the state of pretraining."""
        return TrainingFolder(self.path / "pretraining")

    def begin(self, identity: Mapping[str, Any], indexer: TextIndexer, resume: bool, force: bool) -> None:
        """Make the folder ready for the run `identity`, its tokeniser first.

        Raises ResumeError when it holds another run and `resume` is asked for, OutputError when it exists and
        neither `resume` nor `force` is, when a run is going on there, or when it cannot be written.
        """
        self.check(identity, resume, force)
        if force and not resume:
            self.remove()
        if (self.path / "run.json").exists():
            return
        try:
            (self.path / "state.safetensors").unlink(missing_ok=True)  # of a run removed halfway
            shutil.rmtree(self.pretraining.path, ignore_errors=True)
            write_durably(self.path / "tokenizer.json", indexer.to_json().encode())
            write_durably(self.path / "run.json", json.dumps(identity, indent=2).encode())
        except OSError as error:
            self.remove()
            raise OutputError(f"{self.path}: cannot be written ({error.strerror})") from None
        self._hold()

    def check(self, identity: Mapping[str, Any], resume: bool, force: bool) -> None:
        """Raise what `begin` would, and change nothing; a run that is there is held from now on."""
        record = self.path / "run.json"
        if record.exists():
            self._hold()
        if self.path.exists() and not resume and not force:
            raise OutputError(
                f"{self.path}: left by an interrupted run; go on with --resume or start afresh with --force"
            )
        wanted = json.loads(json.dumps(identity))
        if record.exists() and resume:
            try:
                found = dict(json.loads(record.read_bytes()))
            except (ValueError, TypeError) as error:
                raise self._damaged(error) from None
            for key in sorted(wanted.keys() | found.keys(), key=lambda key: (key not in _ROWS, key)):
                if wanted.get(key) != found.get(key):
                    raise ResumeError(
                        f"{self.path}: its run has another {_difference(key, found, wanted)};"
                        " resume with the same data, settings and machine, or start afresh with --force"
                    )

    def _hold(self) -> None:
        """Keep other runs out. Raises OutputError where one is going on, or the folder cannot be written."""
        record = self.path / "run.json"
        try:
            if self._held is not None and os.path.samestat(os.fstat(self._held.fileno()), record.stat()):
                return
            self._let_go()  # of a run that was removed
            self._held = open_alone(record)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror})") from None
        if self._held is None:
            raise OutputError(f"{self.path}: a run is going on there; wait for it, or stop it")

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def _damaged(self, error: Exception) -> ResumeError:
        return ResumeError(f"{self.path}: its state is damaged ({error}); start afresh with --force")

    def remove(self) -> None:
        """Delete the folder, if it is there. Raises OutputError when it holds something else, or a run is
        going on there."""
        gone = self.path.with_name(self.path.name + ".removed")
        if self.path.exists():
            names = {path.name for path in self.path.iterdir()}
            if names and not names & {"run.json", "tokenizer.json", "state.safetensors"}:
                raise OutputError(
                    f"{self.path}: holds no training state; move it away or choose another place"
                )
            if "run.json" in names:
                self._hold()
            self._let_go()  # since what is open cannot be renamed everywhere
            shutil.rmtree(gone, ignore_errors=True)
            self.path.rename(gone)  # at once, so that a removal cut halfway leaves nothing by this name
        shutil.rmtree(gone, ignore_errors=True)

    def indexer(self, config: TextConfig) -> TextIndexer | None:
        """Return the indexer of the run in the folder, None where there is none."""
        if not (self.path / "run.json").exists():
            return None
        try:
            saved = (self.path / "tokenizer.json").read_text(encoding="utf-8")
            return TextIndexer.from_json(saved, config)
        except Exception as error:  # the library raises a bare Exception
            raise self._damaged(error) from None

    def save(
        self,
        progress: Progress,
        network: nn.Module,
        optimizer: Optimizer,
        best: Mapping[str, Tensor],
    ) -> None:
        """Write the state, replacing the one before by one rename."""
        tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
        for index, entries in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in entries.items()}
        on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        content = tensor_bytes(on_cpu, {"progress": json.dumps(asdict(progress))})
        write_durably(self.path / "state.safetensors", content)

    def load(self, network: nn.Module, optimizer: Optimizer) -> tuple[Progress, dict[str, Tensor]] | None:
        """Set the saved weights and optimiser and return the progress and the best weights; None where
        nothing was saved yet."""
        path = self.path / "state.safetensors"
        if not path.exists():
            return None
        try:
            return self._load(path, network, optimizer)
        except (SafetensorError, ValueError, TypeError, KeyError, RuntimeError) as error:
            raise self._damaged(error) from None

    def _load(
        self, path: Path, network: nn.Module, optimizer: Optimizer
    ) -> tuple[Progress, dict[str, Tensor]]:
        weights: dict[str, Tensor] = {}
        best: dict[str, Tensor] = {}
        moments: dict[int, dict[str, Tensor]] = {}
        with safe_open(path, framework="pt") as file:
            progress = Progress(**json.loads(file.metadata()["progress"]))
            for key in file.keys():  # noqa: SIM118 - the file object cannot be iterated
                part, name = key.split(".", 1)
                if part == "optimizer":
                    index, entry = name.split(".", 1)
                    moments.setdefault(int(index), {})[entry] = file.get_tensor(key)
                else:
                    (weights if part == "network" else best)[name] = file.get_tensor(key)
        network.load_state_dict(weights)
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": moments, "param_groups": groups})
        return progress, best


def steps_between_saves(
    encoder_weights: int, all_weights: int, tokens_per_step: float, device: str = "cpu"
) -> int:
    """Return how many steps make about a minute of work on such a device.

    Counted from the network's size, never from a clock, so that a run is the same on every machine.
    """
    # Operations a second, and what every step costs, in seconds: a GPU's kernels are started one by one.
    rate, start = (2e10, 1e-3) if device == "cpu" else (2e13, 2e-2)
    # Forward and backward of the encoder, and the optimiser over all weights.
    operations = 6.0 * encoder_weights * tokens_per_step + 20.0 * all_weights
    return max(1, int(60 / (operations / rate + start)))


def _difference(key: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    old, new = found.get(key), wanted.get(key)
    if isinstance(old, dict) and isinstance(new, dict):
        inner = next(k for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k))
        return _difference(inner, old, new)
    return f"{key} ({old!r}, now {new!r})"
