"""The halves of a model put together: recurrent logits and n-gram scores, each scaled by how far it is to be
trusted, as the validation rows say.

Scaling the logits by one number is temperature scaling (Guo et al. 2017), which changes no label; scaling the
two halves weighs them as well. Both minimise the log loss, with a pull towards zero, so that a few validation
rows cannot make a model sure of itself; a strong one on a recurrent half beside n-grams that was not
pretrained, since of few rows it learns less than they do, and few validation rows do not show it. One that
was is as good as they are, as far as anybody knows before, so that both are pulled towards each other. Of
more than two classes the sum is then evened out (see `evaluation.evenness`). What these rows say of the
probabilities afterwards is a little too good, as of every choice made on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..config import Configuration
from ..data.rows import Dataset
from ..evaluation.evenness import EVEN, Evenness, spread
from ..evaluation.metrics import decide, log_loss, score_answers
from ..inference import class_logits, to_probabilities
from .ngrams import TRAINED_FEATURES, NgramBranch, score_unseen
from .objective import label_weights

Floats = npt.NDArray[np.float32]
_LEAST = 1e-3  # scale of such a half, so that its answers stay what they are
PULL = 1.0  # on the squared scale of a half of spread 1, against the sum of the rows' losses
_PULL_BESIDE_NGRAMS, _PULL_OF_MANY = 30.0, 200.0  # on the recurrent half's; at most this by the classes
_PULL_TOGETHER = 6.0  # on those of a pretrained half and n-grams, towards their mean
_POWERS = (0.0, 0.25, 0.5, 0.75)  # of evenness
_DOUBT = 0.05  # of it; validation rows, which are like the training rows, do not show how much there is
_TRUST = 0.45  # in n-grams beside a network, of the scale that they would have alone


@dataclass(frozen=True)
class Combination:
    """parameters: of the whole network, by name. scales: what the recurrent half's and the n-grams' were
    multiplied by. logits: [rows, C] on the validation rows, and their evenness. alone: the figures of each
    half there, by name, where there are two."""

    parameters: dict[str, Floats]
    scales: tuple[np.float32, np.float32]
    logits: Floats
    evenness: Evenness
    alone: dict[str, dict[str, float]]

    def join(self, recurrent: Floats, scores: Floats) -> Floats:
        """Return the logits [rows, C] of the whole, from those of one half and the scores of the other."""
        return self.scales[0] * recurrent + self.scales[1] * as_wide(scores, recurrent.shape[1])


def combine(
    recurrent: Floats,
    parameters: Mapping[str, Floats],
    ngrams: NgramBranch | None,
    valid: Dataset,
    calibrate: bool,
    pretrained: bool = False,
) -> Combination:
    """Return the sum of both halves, or the recurrent one alone where there are no n-grams.

    recurrent: its logits on the validation rows, [rows, C] (of a sigmoid [rows, 1]), from `parameters`.
    calibrate: scale the recurrent half also where it stands alone. pretrained: it has learned from text alone
    before, and is as good a half as they are where rows are few.
    """
    halves, pulls, together = {"head": recurrent}, [PULL], 0.0
    parameters, evenness, applied = dict(parameters), EVEN, [np.float32(1.0), np.float32(1.0)]
    if ngrams is not None:
        parameters |= ngrams.parameters
        halves["ngrams"] = as_wide(ngrams.score(valid.texts), recurrent.shape[1])
        classes = 2 if valid.is_multilabel else max(2, recurrent.shape[1])
        pulls = [PULL if pretrained else min(_PULL_BESIDE_NGRAMS, _PULL_OF_MANY / classes), PULL]
        together = _PULL_TOGETHER if pretrained else 0.0
    if ngrams is not None or calibrate:
        scales = fit_scales(list(halves.values()), valid.targets, pulls, together)
        if recurrent.shape[1] > 2 and not valid.is_multilabel:
            whole = np.tensordot(np.array(scales, np.float32), np.stack(list(halves.values())), 1)
            evenness, further = fit_evenness(whole, valid.targets)
            scales = [scale * further for scale in scales]
        applied[: len(scales)] = [np.float32(scale) for scale in scales]
        for half, scale in zip(halves, applied, strict=False):
            halves[half] = halves[half] * scale
            for name in (f"{half}.weight", f"{half}.bias"):
                parameters[name] = parameters[name] * scale
    alone = {}
    if ngrams is not None:
        several = valid.is_multilabel
        for half, name in (("head", "recurrent_alone"), ("ngrams", "ngrams_alone")):
            answers = decide(to_probabilities(halves[half], several), several)
            alone[name] = score_answers(answers, valid.targets)
    logits = np.sum(list(halves.values()), axis=0)
    return Combination(parameters, (applied[0], applied[1]), logits, evenness, alone)


class Beside(NamedTuple):
    """What n-grams add to the logits of the training and of the validation rows while the network learns,
    float32 [rows, C] (of a sigmoid [rows, 1]), so that it learns what they leave open."""

    train: Floats
    valid: Floats


def beside_ngrams(
    ngrams: NgramBranch, train: Dataset, valid: Dataset, configuration: Configuration, seed: int
) -> Beside:
    """Return what `ngrams` add to the logits of the validation rows and, to those of the training rows, which
    they know, n-grams that did not see the row's label."""
    weights, head = label_weights(train, configuration.train), configuration.model.head
    width = 1 if head == "sigmoid" else len(train.label_names)
    scores = score_unseen(train, configuration.text, seed, weights, most=TRAINED_FEATURES)
    wide = as_wide(scores, width)
    trust = np.float32(_TRUST * fit_scales([wide], train.targets, [PULL])[0])
    return Beside(wide * trust, as_wide(ngrams.score(valid.texts), width) * trust)


def as_wide(scores: Floats, width: int) -> Floats:
    """Return the scores of n-grams as logits [rows, width]: those of two classes beside a 0 for the first."""
    return np.pad(scores, ((0, 0), (width - scores.shape[1], 0)))


def fit_scales(
    halves: Sequence[Floats], labels: npt.NDArray[np.int64], pulls: Sequence[float], together: float = 0.0
) -> list[float]:
    """Return the scale, above 0, of each of `halves`, logits [rows, C] (or of a sigmoid [rows, 1]), under
    which their sum predicts `labels` best, each pulled towards 0, and all `together`, their spreads being
    1."""
    from scipy.optimize import minimize
    from scipy.special import expit, logsumexp, softmax

    several = labels.ndim == 2
    given = np.stack([half if several else class_logits(half) for half in halves]).astype(np.float64)
    if not several:
        given -= given.mean(2, keepdims=True)
    spreads = np.sqrt(np.square(given).mean((1, 2)))
    spreads[spreads < 1e-6] = 1.0  # a half that says nothing
    scaled = given / spreads[:, None, None]
    truth = labels if several else np.eye(given.shape[2])[labels]
    pull = np.array(pulls) / len(labels)

    def loss(scales: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        logits = np.tensordot(scales, scaled, 1)
        if several:
            losses, excess = np.logaddexp(0, logits) - truth * logits, expit(logits) - truth
        else:
            losses, excess = logsumexp(logits, 1) - (truth * logits).sum(1), softmax(logits, 1) - truth
        apart = scales - scales.mean()
        pulled = (pull * np.square(scales)).sum() + together / len(labels) * np.square(apart).sum()
        slopes = (scaled * excess).sum((1, 2)) / losses.size
        slopes += 2 * (pull * scales + together / len(labels) * apart)
        return float(losses.mean() + pulled), slopes

    bounds = [(_LEAST, None)] * len(halves)
    found = minimize(loss, np.ones(len(halves)), jac=True, method="L-BFGS-B", bounds=bounds)
    return [float(scale) for scale in found.x / spreads]


def fit_evenness(logits: Floats, labels: npt.NDArray[np.int64]) -> tuple[Evenness, float]:
    """Return the evenness whose power has `logits` [rows, C] predict `labels` best, and the scale, above 0,
    that they then need; its doubt is set, not fitted."""
    typical = float(np.sqrt(np.square(spread(logits)).mean())) or 1.0
    tried = []
    for power in _POWERS:
        evened = Evenness(power, typical).even_out(logits)
        (scale,) = fit_scales([evened], labels, [PULL])
        loss = log_loss(to_probabilities(evened * np.float32(scale), False), labels)
        tried.append((loss + PULL * power / len(labels), power, scale))
    _, power, scale = min(tried)
    return Evenness(power, typical * scale, _DOUBT), scale
