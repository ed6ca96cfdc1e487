"""The halves of a model put together: recurrent logits and n-gram scores, each scaled by how far it is to be
trusted, as the validation rows say.

Scaling the logits by one number is temperature scaling (Guo et al. 2017), which changes no label; scaling the
two halves weighs them as well. Both minimise the log loss, with a pull towards zero, so that a few validation
rows cannot make a model sure of itself; a strong one on a recurrent half beside n-grams that was not
pretrained, since of few rows it learns less than they do, and few validation rows do not show it. Of more
than two classes the sum is then evened out (see `evaluation.evenness`). What these rows say of the
probabilities afterwards is a little too good, as of every choice made on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..data.rows import Dataset
from ..evaluation.evenness import EVEN, Evenness, spread
from ..evaluation.metrics import decide, log_loss, score_answers
from ..inference import class_logits, to_probabilities
from .ngrams import NgramBranch

Floats = npt.NDArray[np.float32]
_LEAST = 1e-3  # scale of such a half, so that its answers stay what they are
_PULL = 1.0  # on the squared scale of a half of spread 1, against the sum of the rows' losses
_PULL_BESIDE_NGRAMS = 30.0  # on the recurrent half's
_POWERS = (0.0, 0.25, 0.5, 0.75)  # of evenness


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
        return self.scales[0] * recurrent + self.scales[1] * _as_wide(scores, recurrent)


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
    before, and of few rows is the better half.
    """
    halves, pulls = {"head": recurrent}, [_PULL]
    parameters, evenness, applied = dict(parameters), EVEN, [np.float32(1.0), np.float32(1.0)]
    if ngrams is not None:
        parameters |= ngrams.parameters
        halves["ngrams"] = _as_wide(ngrams.score(valid.texts), recurrent)
        pulls = [_PULL if pretrained else _PULL_BESIDE_NGRAMS, _PULL]
    if ngrams is not None or calibrate:
        scales = fit_scales(list(halves.values()), valid.targets, pulls)
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


def _as_wide(scores: Floats, recurrent: Floats) -> Floats:
    """Return the scores of n-grams as wide as logits: those of two classes beside a 0 for the first."""
    return np.pad(scores, ((0, 0), (recurrent.shape[1] - scores.shape[1], 0)))


def fit_scales(
    halves: Sequence[Floats], labels: npt.NDArray[np.int64], pulls: Sequence[float]
) -> list[float]:
    """Return the scale, above 0, of each of `halves`, logits [rows, C] (or of a sigmoid [rows, 1]), under
    which their sum predicts `labels` best, each pulled towards 0."""
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
        slopes = (scaled * excess).sum((1, 2)) / losses.size + 2 * pull * scales
        return float(losses.mean() + (pull * np.square(scales)).sum()), slopes

    bounds = [(_LEAST, None)] * len(halves)
    found = minimize(loss, np.ones(len(halves)), jac=True, method="L-BFGS-B", bounds=bounds)
    return [float(scale) for scale in found.x / spreads]


def fit_evenness(logits: Floats, labels: npt.NDArray[np.int64]) -> tuple[Evenness, float]:
    """Return the evenness under which `logits` [rows, C] predict `labels` best, and the scale, above 0, that
    they then need."""
    typical = float(np.sqrt(np.square(spread(logits)).mean())) or 1.0
    tried = []
    for power in _POWERS:
        evened = Evenness(power, typical).even_out(logits)
        (scale,) = fit_scales([evened], labels, [_PULL])
        loss = log_loss(to_probabilities(evened * np.float32(scale), False), labels)
        tried.append((loss + _PULL * power / len(labels), power, scale))
    _, power, scale = min(tried)
    return Evenness(power, typical * scale), scale
