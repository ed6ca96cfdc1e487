"""The Python door: `RecurrentTextClassifier`, scikit-learn's contract, and `load`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state

from .bundle import ModelBundle
from .data.objects import one_hot, read_labelled, read_texts
from .data.rows import statistics
from .errors import ConfigError
from .explain import DEFAULT, Explanation, explain
from .inference import decide_labels, predict, predict_proba
from .plots import history_picture
from .presets import resolve
from .recipes import read_recipe
from .sealed import require_room


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

    def predict(self, texts: Iterable[str], abstain_below: float | str = 0.0) -> list[str | list[str] | None]:
        """Return the label of each text, or the list of its labels from a model of several a text; None where
        it abstains: below a probability, or below each label's own with "precision=0.95"."""
        answers = predict(self.bundle, read_texts(texts), abstain_below=abstain_below)
        return [answer.label for answer in answers]

    def predict_proba(self, texts: Iterable[str]) -> npt.NDArray[np.float32]:
        """Return the probabilities [texts, classes], float32."""
        return predict_proba(self.bundle, read_texts(texts))

    def explain(self, text: str, method: str = DEFAULT, label: str | None = None) -> Explanation:
        """Return what each token of `text` gives `label`, or the likeliest label without one. Raises
        ConfigError for a method that does not fit."""
        return explain(self.bundle, text, method, label)


def load(folder: str | Path) -> Model:
    """Return the model in `folder`. Raises BundleError for a folder that is missing, altered or newer."""
    return Model(ModelBundle.load(Path(folder)))


class RecurrentTextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A recurrent text classifier with scikit-learn's contract.

    preset: "fast", "balanced" or "accurate". recipe: a published system by name, instead of the
    preset. values: `{"section.key": value}` changed in either. precision, device: as on the command
    line. random_state: the seed; None or a RandomState draws one.

    After `fit`: `classes_` (sorted), `bundle_` (the trained model), which pickles as the files of its
    folder.
    """

    def __init__(
        self,
        preset: str = "balanced",
        *,
        recipe: str | None = None,
        values: Mapping[str, Any] | None = None,
        precision: str = "auto",
        device: str = "auto",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.preset = preset
        self.recipe = recipe
        self.values = values
        self.precision = precision
        self.device = device
        self.random_state = random_state

    def fit(self, X: Iterable[str], y: Any, sample_weight: Any = None) -> RecurrentTextClassifier:  # noqa: N803
        """Train on texts `X` with labels `y` and return self.

        X: a list, array or column of strings (NumPy, pandas, polars, Hugging Face `datasets`), or a table
        of one column. y: a label a text; or, where a text may have several, a list of labels each, or 0
        and 1 in [rows, classes]. sample_weight: how much each row counts; one of weight 0 is left out.
        Raises DataError, ConfigError.
        """
        from .training.fit import fit

        dataset, classes = read_labelled(X, y, sample_weight)
        base = read_recipe(self.recipe).configuration if self.recipe else None
        asked = (base or resolve(self.preset, statistics(dataset))).with_values(self.values or {})
        bundle = fit(
            dataset,
            asked.for_labels(len(classes), dataset.is_multilabel),
            seed=_read_seed(self.random_state),
            precision=self.precision,
            device=self.device,
            provenance={"name": self.recipe or self.preset},
        )
        self.classes_, self.bundle_ = classes, bundle
        return self

    def predict(self, X: Iterable[str]) -> npt.NDArray[Any]:  # noqa: N803
        """Return the class of each text, of the type that `y` had; of several labels a text 0 or 1 for
        each class, int64 [texts, classes]."""
        self._require_fit()
        chosen = decide_labels(self.bundle_, self.predict_proba(X))
        answers: npt.NDArray[Any] = chosen if self.bundle_.is_multilabel else self.classes_[chosen]
        return answers

    def predict_proba(self, X: Iterable[str]) -> npt.NDArray[np.float32]:  # noqa: N803
        """Return the probabilities [texts, classes] in the order of `classes_`, float32."""
        self._require_fit()
        return predict_proba(self.bundle_, read_texts(X)).reshape(-1, len(self.classes_))

    def predict_log_proba(self, X: Iterable[str]) -> npt.NDArray[np.float32]:  # noqa: N803
        """Return the logarithms of the probabilities [texts, classes], float32, of at least 1e-12."""
        return np.log(np.clip(self.predict_proba(X), np.float32(1e-12), None))

    def score(self, X: Iterable[str], y: Any, sample_weight: Any = None) -> float:  # noqa: N803
        """Return the share of the texts whose label, or all of whose labels, are right; `y` as for `fit`.
        Raises DataError for a label that is none of `classes_`."""
        self._require_fit()
        truth = one_hot(y, self.classes_) if self.bundle_.is_multilabel else y
        return float(super().score(read_texts(X), truth, sample_weight))

    def explain(self, text: str, method: str = DEFAULT, label: str | None = None) -> Explanation:
        """Return what each token of `text` gives `label`, or the likeliest label without one. Raises
        ConfigError for a method that does not fit."""
        self._require_fit()
        return explain(self.bundle_, text, method, label)

    def save(self, folder: str | Path, force: bool = False) -> None:
        """Write the model to `folder`. Raises OutputError when it exists and not `force`."""
        self._require_fit()
        out = Path(folder).absolute()
        require_room(out, force)
        save_model(self.bundle_, out, out.with_name(out.name + ".saving"), force)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        tags.classifier_tags.multi_label = True
        return tags

    def _require_fit(self) -> None:
        if not hasattr(self, "bundle_"):
            raise NotFittedError("this RecurrentTextClassifier is not fitted yet: call fit first")


def _read_seed(state: Any) -> int:
    try:
        seed = int(state) if isinstance(state, Integral) else check_random_state(state).randint(2**31)
    except ValueError:
        seed = -1
    if not 0 <= seed < 2**63:
        raise ConfigError(f"random_state {state!r}: expected a whole number from 0, None or a RandomState")
    return int(seed)
