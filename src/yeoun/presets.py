"""Presets: pure functions from the training rows' statistics to a configuration.

The rules, and why:

- Text: Korean is cut into unigram subwords, since its words take too many forms for a vocabulary;
  other text into words and punctuation marks. Few short texts are cut into characters, since most words
  of a new text would be unknown.
- Vocabulary: an entry for every four rows where there are two labels, since common words tell them apart
  and rare ones are learned by heart; for more labels, told apart by rarer words, 20 times the square root
  of the words in the training texts. 2,000 to 30,000, of subwords at most 16,000.
- Length: what 95 % of the texts need, up to the preset's limit; of longer texts both ends are read.
- N-grams: of words up to 2, beside the network, and of Korean text also of characters up to 4; but in
  `fast`, other text with 3 to 30 labels has those of up to 5 characters, too (each label has a machine of
  its own, and with characters it takes six times as long). Where two labels of other text have rows enough
  to learn phrases from, of words up to 3.
- Network: a bidirectional LSTM, mean and maximum of its outputs; a smaller one for fewer rows.
- Validation: a tenth of the rows, of many 5,000, a hundred a label or a thousandth; on them the probabilities
  are calibrated.
- Unknown words are read as the average word, so that a text of none but these has no sure answer.
- Noise: dropout on words, embeddings and outputs where there are rows enough to learn through it.
- Epochs: fewer rows, more passes. Except in `fast`, each batch is read twice: of two labels with other units
  dropped each time, both answers pulled together; of more labels, by what was pretrained, the second time on
  shifted embeddings, since else that brings nothing.
- Text first: `accurate`, and of two labels with 500 steps of text `balanced`, first learns from all texts,
  labelled or not, what a piece of a text says of its rest, in as many passes as come to 24,000 steps; one
  at least, and at most four, six of ten labels and more, and two over 500 steps of two labels where fewer
  than 50,000 rows are to teach the labels gently, since then texts are learned by heart: a quarter of an
  hour on a core, more for millions of texts. The pieces have 16 tokens of two labels, 64 of ten and more,
  and else 32, since a word tells less of a topic. Its network has 128 units and its vocabulary is as large
  as may be, since labels do not teach them. 50,000 rows and more teach labels in three to eight passes, which
  come to 750,000 rows; two labels through more noise, and the last is kept, since beside the n-grams it goes
  on to gain when alone it does no more. Fewer shall not unteach what is there: half the learning rate and
  half the passes, of 3 to 30 labels and fewer than 20,000 rows beside the n-grams (five more machines a
  label); of two labels after 500 steps a pass a tenth of the rate, three passes beside the n-grams, less
  noise and one reading. Fewer than 500 steps in all teach nothing and are left out.
- `accurate` reads more of long texts than `balanced`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .config import (
    PIECES,
    TOKENS_OF_PIECES,
    TOPICS,
    Configuration,
    ModelConfig,
    TextConfig,
    TrainConfig,
)
from .errors import ConfigError

_TOKENS_PER_WORD = {"words": 1.3, "unigram": 2.5, "characters": 6.5}
_SPELLED = range(3, 31)  # labels
_AGREEMENT = 1.0  # how much it counts that two readings of a text are answered alike
_SHIFT = 0.25  # of a token's norm
_STEPS, _FEWEST_STEPS = 24_000, 500  # of pretraining, at most and at least: 35 ms a step on one core
_MANY_STEPS = 500  # in a pass over texts of two labels, from which on
_PASSES, _PASSES_OF_TOPICS, _PASSES_BEFORE_GENTLE = 4, 6, 2  # at most
_ANEW = 50_000  # rows, from which on they teach the labels anew,
_ROWS_ANEW, _EPOCHS_ANEW = 750_000, range(3, 9)  # in passes that come to so many rows
_PIECE_OF_TWO, _PIECE, _PIECE_OF_TOPICS = 16, 32, 64  # tokens


@dataclass(frozen=True)
class RowStatistics:
    """What a preset decides by: rows, classes, words between spaces in a text (mean, 95th
    percentile), the share of Hangul among its letters, and how many texts without labels there are."""

    rows: int
    classes: int
    mean_words: float
    long_words: float
    hangul_share: float
    unlabelled: int = 0

    @property
    def is_korean(self) -> bool:
        """Whether Hangul prevails enough for the text to be cut as Korean."""
        return self.hangul_share > 0.2


def fast(statistics: RowStatistics) -> Configuration:
    """Return a small network and few epochs: a minute where `balanced` takes several."""
    return _lstm(statistics, hidden_size=64, longest=200, effort=0.6, thorough=False)


def balanced(statistics: RowStatistics) -> Configuration:
    """Return the default: the best accuracy that a coffee break buys."""
    base = _lstm(statistics, hidden_size=128, longest=400, effort=1.0, thorough=True)
    return _text_first(base, statistics) if _has_much_to_tell(base, statistics) else base


def accurate(statistics: RowStatistics) -> Configuration:
    """Return a network that learns from text first: a quarter of an hour, of many texts more."""
    base = _lstm(statistics, hidden_size=128, longest=800, effort=1.0, thorough=True)
    return _text_first(base, statistics)


PRESETS: dict[str, Callable[[RowStatistics], Configuration]] = {
    "fast": fast,
    "balanced": balanced,
    "accurate": accurate,
}


def resolve(name: str, statistics: RowStatistics) -> Configuration:
    """Return the configuration of the preset `name`. Raises ConfigError for an unknown one."""
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; expected one of {', '.join(PRESETS)}")
    return PRESETS[name](statistics)


def _text_first(base: Configuration, statistics: RowStatistics) -> Configuration:
    """Return `base` with pretraining, where there is text enough."""
    anew = statistics.rows >= _ANEW
    gentle = not anew and _has_much_to_tell(base, statistics)
    steps = _steps_of_a_pass(base, statistics)
    most = _PASSES_OF_TOPICS if statistics.classes >= TOPICS else _PASSES_BEFORE_GENTLE if gentle else _PASSES
    passes = max(1, min(most, round(_STEPS / max(1.0, steps))))
    if passes * steps < _FEWEST_STEPS or statistics.mean_words < 2:
        return base
    values: dict[str, Any] = {
        "text.scheme": _scheme(statistics),
        "text.vocabulary_size": 16_000 if statistics.is_korean else 30_000,
        "model.hidden_size": 128,
        "model.embedding_size": 128,
        "train.pretrain_epochs": passes,
        "train.pretrain_piece": _longest_piece(statistics),
        "train.adversarial": 0.0 if statistics.classes <= 2 else _SHIFT,
    }
    if anew:
        wanted = round(_ROWS_ANEW / statistics.rows)
        epochs = min(max(wanted, _EPOCHS_ANEW.start), _EPOCHS_ANEW[-1])
        values |= {"train.epochs": epochs}
        if statistics.classes <= 2:
            values |= {"model.embedding_dropout": 0.3, "model.word_dropout": 0.2, "train.select_by": "last"}
        return base.with_values(values)
    if not gentle:
        slower = {"train.learning_rate": 1e-3, "train.epochs": max(2, base.train.epochs // 2)}
        beside = {"train.beside_ngrams": statistics.classes in _SPELLED and statistics.rows < 20_000}
        return base.with_values(values | slower | beside)
    noise = {"model.dropout": 0.3, "model.embedding_dropout": 0.1, "model.word_dropout": 0.0}
    slow = {"train.learning_rate": 2e-4, "train.epochs": 3, "train.consistency": 0.0}
    return base.with_values(values | noise | slow | {"train.beside_ngrams": True})


def _has_much_to_tell(base: Configuration, statistics: RowStatistics) -> bool:
    """Return whether there are two labels and text enough to learn what tells them from it alone."""
    return statistics.classes == 2 and _steps_of_a_pass(base, statistics) >= _MANY_STEPS


def _steps_of_a_pass(base: Configuration, statistics: RowStatistics) -> float:
    """Return in how many steps `training.pretraining` goes through all texts."""
    words = _TOKENS_PER_WORD[_scheme(statistics)]
    tokens = min(statistics.mean_words * words, base.text.maximum_length)
    pieces = max(2.0, tokens / _longest_piece(statistics))
    batch = min(max(TOKENS_OF_PIECES * pieces / max(1.0, tokens), PIECES.start), PIECES[-1])
    return (statistics.rows + statistics.unlabelled) * pieces / batch


def _scheme(statistics: RowStatistics) -> str:
    return "unigram" if statistics.is_korean else "words"


def _longest_piece(statistics: RowStatistics) -> int:
    if statistics.classes >= TOPICS:
        return _PIECE_OF_TOPICS
    return _PIECE_OF_TWO if statistics.classes == 2 else _PIECE


def _lstm(
    statistics: RowStatistics,
    hidden_size: int,
    longest: int,
    effort: float,
    thorough: bool,
) -> Configuration:
    """thorough: whether texts of two labels are read twice, and 3 to 30 labels told by n-grams of characters,
    too."""
    rows, korean = statistics.rows, statistics.is_korean
    words = rows * statistics.mean_words
    entries = rows // 4 if statistics.classes <= 2 else round(20 * words**0.5)
    many = rows >= 15_000
    most_units = 256 if many else 128 if rows >= 5_000 else 64
    scheme = _scheme(statistics)
    if rows < 2_000 and statistics.long_words <= 40:
        scheme = "characters"
    needed = round(statistics.long_words * _TOKENS_PER_WORD[scheme] / 10 + 1) * 10
    return Configuration(
        text=TextConfig(
            scheme=scheme,
            vocabulary_size=min(16_000 if korean else 30_000, max(2_000, entries)),
            minimum_count=2,
            maximum_length=max(20, min(longest, needed)),
            truncate="middle",
            word_ngrams=3 if many and statistics.classes == 2 and not korean else 2,
            character_ngrams=4 if korean else 5 if thorough and statistics.classes in _SPELLED else 0,
        ),
        model=ModelConfig(
            hidden_size=min(hidden_size, most_units),
            embedding_size=min(hidden_size, most_units, 128),
            dropout=0.5 if many else 0.3,
            embedding_dropout=0.2 if many else 0.0,
            word_dropout=0.1 if many else 0.0,
            ngrams=True,
            unknown="average",
        ),
        train=TrainConfig(
            batch_size=32 if not many else 64 if rows < 50_000 else 128,
            epochs=max(2, round(_passes(rows) * effort)),
            consistency=_AGREEMENT if thorough and statistics.classes <= 2 else 0.0,
            validation_share=_validation_share(statistics),
            calibrate=True,
        ),
    )


def _validation_share(statistics: RowStatistics) -> float:
    wanted = max(5_000, 100 * statistics.classes) / max(1, statistics.rows)
    return min(0.1, max(0.001, wanted))


def _passes(rows: int) -> int:
    steps = ((2_000, 20), (10_000, 12), (20_000, 8), (60_000, 4))
    return next((passes for below, passes in steps if rows < below), 3)
