"""The Python door: `RecurrentTextClassifier`, scikit-learn's contract, and `load`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state

from .bundle import ModelBundle, require_room
from .data.rows import Dataset, statistics
from .errors import DataError
from .explain import Explanation, explain
from .inference import predict, predict_proba, require_strings
from .plots import history_picture
from .presets import resolve
from .recipes import read_recipe
from .text.normalization import normalize


def save_model(bundle: ModelBundle, folder: Path, staging: Path, replace: bool = False) -> None:
    """Write a bundle with its pictures; the folder appears whole or not at all."""
    pictures = {}
    if bundle.history:
        pictures["history.png"] = history_picture(bundle.history, bundle.provenance["best_epoch"])
    bundle.save(folder, pictures, staging, replace)


class Model:
    """A trained model that was loaded from its folder."""

    def __init__(self, bundle: ModelBundle) -> None:
        self.bundle = bundle

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of `predict_proba`'s columns."""
        return self.bundle.label_names

    def predict(self, texts: Sequence[str]) -> list[str]:
        """Return the label of each text."""
        return [answer.label for answer in predict(self.bundle, _strings(texts))]

    def predict_proba(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the probabilities [texts, classes], float32."""
        return predict_proba(self.bundle, _strings(texts))

    def explain(self, text: str, method: str = "attention") -> Explanation:
        """Return the score of each token of `text`. Raises ConfigError for a method that does not fit."""
        return explain(self.bundle, text, method)


def load(folder: str | Path) -> Model:
    """Return the model in `folder`. Raises BundleError for a folder that is missing, altered or newer."""
    return Model(ModelBundle.load(Path(folder)))


class RecurrentTextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A recurrent text classifier with scikit-learn's contract.

    preset: "fast", "balanced" or "accurate". recipe: a published system by name, instead of the
    preset. values: `{"section.key": value}` changed in either. precision, device: as on the command
    line. random_state: the seed; None draws one.

    After `fit`: `classes_` (sorted), `bundle_` (the trained model).
    """

    def __init__(
        self,
        preset: str = "balanced",
        *,
        recipe: str | None = None,
        values: Mapping[str, Any] | None = None,
        precision: str = "auto",
        device: str = "auto",
        random_state: int | None = 0,
    ) -> None:
        self.preset = preset
        self.recipe = recipe
        self.values = values
        self.precision = precision
        self.device = device
        self.random_state = random_state

    def fit(self, X: Sequence[str], y: Sequence[Any]) -> RecurrentTextClassifier:  # noqa: N803
        """Train on texts `X` with labels `y` and return self. Raises DataError, ConfigError."""
        from .training.fit import fit

        texts = _strings(X)
        require_strings(texts)
        targets = np.asarray(y)
        if targets.ndim != 1:
            raise DataError(f"got labels of shape {targets.shape}; expected one label a text, [rows]")
        classes, labels = np.unique(targets, return_inverse=True)
        if len(texts) != len(labels):
            raise DataError(f"got {len(texts)} texts and {len(labels)} labels: expected one a text")
        dataset = Dataset(texts, labels.astype(np.int64), tuple(normalize(str(c)) for c in classes.tolist()))
        base = read_recipe(self.recipe).configuration if self.recipe else None
        asked = (base or resolve(self.preset, statistics(dataset))).with_values(self.values or {})
        bundle = fit(
            dataset,
            asked.for_classes(len(classes)),
            seed=check_random_state(None).randint(2**31) if self.random_state is None else self.random_state,
            precision=self.precision,
            device=self.device,
            provenance={"name": self.recipe or self.preset},
        )
        self.classes_, self.bundle_ = classes, bundle
        return self

    def predict(self, X: Sequence[str]) -> npt.NDArray[Any]:  # noqa: N803
        """Return the class of each text, of the type that `y` had."""
        self._require_fit()
        chosen: npt.NDArray[Any] = self.classes_[self.predict_proba(X).argmax(1)]
        return chosen

    def predict_proba(self, X: Sequence[str]) -> npt.NDArray[np.float32]:  # noqa: N803
        """Return the probabilities [texts, classes] in the order of `classes_`, float32."""
        self._require_fit()
        return predict_proba(self.bundle_, _strings(X)).reshape(-1, len(self.classes_))

    def explain(self, text: str, method: str = "attention") -> Explanation:
        """Return the score of each token of `text`. Raises ConfigError for a method that does not fit."""
        self._require_fit()
        return explain(self.bundle_, text, method)

    def save(self, folder: str | Path, force: bool = False) -> None:
        """Write the model to `folder`. Raises OutputError when it exists and not `force`."""
        self._require_fit()
        out = Path(folder).absolute()
        require_room(out, force)
        save_model(self.bundle_, out, out.with_name(out.name + ".saving"), force)

    def _require_fit(self) -> None:
        if not hasattr(self, "bundle_"):
            raise NotFittedError("this RecurrentTextClassifier is not fitted yet: call fit first")


def _strings(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise DataError("got one string; expected a list of texts")
    return [str(text) if isinstance(text, np.str_) else text for text in texts]
