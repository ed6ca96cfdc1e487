"""How a text is cut into tokens: each scheme is a pipeline of the `tokenizers` library (Rust).

`SCHEMES[name](config)` returns an unfitted pipeline; `fit_vocabulary` gives it the vocabulary of the
training texts. The result is one `tokenizer.json`. Vocabularies come out the same on every run:
entries are ordered by falling count, ties by code point, which the library's own trainers leave open.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from ..config import UNKNOWN_ID, TextConfig
from ..errors import ConfigError, DataError
from .morphemes import ANALYZERS
from .portions import portions

PAD, UNKNOWN, START = "[PAD]", "[UNK]", "[SOS]"


def _whitespace(config: TextConfig) -> Tokenizer:
    return _pipeline(config, models.WordLevel({}, UNKNOWN), pre_tokenizers.WhitespaceSplit())


def _words(config: TextConfig) -> Tokenizer:
    try:
        pattern = Regex(config.pattern)
    except Exception as error:  # the library raises a bare Exception
        raise ConfigError(f"text.pattern = {config.pattern!r}: {error}") from None
    matches = pre_tokenizers.Split(pattern, behavior="removed", invert=True)
    return _pipeline(config, models.WordLevel({}, UNKNOWN), matches)


def _characters(config: TextConfig) -> Tokenizer:
    each = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    return _pipeline(config, models.WordLevel({}, UNKNOWN), each)


def _jamo(config: TextConfig) -> Tokenizer:
    pipeline = _characters(config)
    steps = [normalizers.NFD(), *([normalizers.Lowercase()] if config.lowercase else [])]
    pipeline.normalizer = normalizers.Sequence(steps)
    return pipeline


def _bpe(config: TextConfig) -> Tokenizer:
    model = models.BPE(unk_token=UNKNOWN, continuing_subword_prefix="##")
    return _pipeline(config, model, pre_tokenizers.Whitespace())


def _unigram(config: TextConfig) -> Tokenizer:
    return _pipeline(config, models.Unigram(), pre_tokenizers.Whitespace())


def _analyzed(config: TextConfig) -> Tokenizer:
    """The words of an analyser are looked up as they are."""
    return _pipeline(config, models.WordLevel({}, UNKNOWN), None)


def _pipeline(config: TextConfig, model: models.Model, cut: pre_tokenizers.PreTokenizer | None) -> Tokenizer:
    pipeline = Tokenizer(model)
    if config.lowercase:
        pipeline.normalizer = normalizers.Lowercase()
    if cut is not None:
        pipeline.pre_tokenizer = cut
    return pipeline


SCHEMES: dict[str, Callable[[TextConfig], Tokenizer]] = {
    "whitespace": _whitespace,
    "words": _words,
    "characters": _characters,
    "jamo": _jamo,
    "bpe": _bpe,
    "unigram": _unigram,
    **dict.fromkeys(ANALYZERS, _analyzed),
    "counts": _words,
}


def special_tokens(config: TextConfig) -> list[str]:
    """Return the special tokens in the order of their ids: padding 0, unknown 1, start 2 if asked."""
    return [PAD, UNKNOWN, START] if config.start_token else [PAD, UNKNOWN]


def fit_vocabulary(texts: Sequence[str], config: TextConfig) -> Tokenizer:
    """Return the pipeline of `config` with a vocabulary fitted on normalised `texts`; for an analyser,
    on the forms it cut them into.

    Raises DataError when the texts hold no token at all.
    """
    pipeline = SCHEMES[config.scheme](config)
    if isinstance(pipeline.model, models.BPE):
        _fit_subwords(pipeline, texts, config)
    elif isinstance(pipeline.model, models.Unigram):
        _fit_unigram(pipeline, texts, config)
    else:
        _fit_words(pipeline, texts, config)
    if pipeline.get_vocab_size() <= config.specials:
        raise DataError(
            f"no token occurs {config.minimum_count} times in the training texts: expected text that"
            f" the scheme {config.scheme!r} can cut; lower text.minimum_count or check the text column"
        )
    return pipeline


def _fit_words(pipeline: Tokenizer, texts: Sequence[str], config: TextConfig) -> None:
    specials = special_tokens(config)
    trainer = trainers.WordLevelTrainer(
        vocab_size=2**31 - 1, min_frequency=0, special_tokens=specials, show_progress=False
    )
    learned = _learn(trainer, texts, config)["vocab"]
    pipeline.model = models.WordLevel(learned, UNKNOWN)
    words = sorted(learned.items(), key=lambda entry: entry[1])
    counts = np.zeros(len(words), np.int64)
    for some in portions(texts):
        encoded = pipeline.encode_batch_fast(some, add_special_tokens=False)
        ids = np.fromiter(chain.from_iterable(e.ids for e in encoded), np.int64)
        counts += np.bincount(ids, minlength=len(words))
    frequent = [
        (-counts[i], word) for word, i in words if i >= len(specials) and counts[i] >= config.minimum_count
    ]
    frequent.sort()
    limit = config.vocabulary_size or len(words)
    kept = specials + [word for _, word in frequent[: max(0, limit - len(specials))]]
    pipeline.model = models.WordLevel({word: i for i, word in enumerate(kept)}, UNKNOWN)


def _fit_subwords(pipeline: Tokenizer, texts: Sequence[str], config: TextConfig) -> None:
    size = _size_to_stop_at(config)
    counts: Counter[str] = Counter()
    for some in portions(texts):
        counts.update("".join(some))
    if config.lowercase:  # character by character, as the pipeline does: Python's final sigma is another
        folded: Counter[str] = Counter()
        for c, count in counts.items():
            for lower in c.lower():
                folded[lower] += count
        counts = folded
    frequent = sorted(
        (-count, c) for c, count in counts.items() if count >= config.minimum_count and not c.isspace()
    )
    specials = special_tokens(config)
    room = (size - len(specials)) // 2  # each stands alone and with ##
    alphabet = [c for _, c in frequent[: max(0, min(size // 3, room))]]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=max(2, config.minimum_count),
        # Ids of all ##c are fixed here; the trainer would hand them out in the order of a hash map.
        special_tokens=specials + alphabet + [f"##{c}" for c in alphabet],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        continuing_subword_prefix="##",
        show_progress=False,
    )
    learned = _learn(trainer, texts, config)
    pipeline.model = models.BPE(
        vocab=learned["vocab"],
        merges=[tuple(pair) for pair in learned["merges"]],
        unk_token=UNKNOWN,
        continuing_subword_prefix="##",
    )


def _fit_unigram(pipeline: Tokenizer, texts: Sequence[str], config: TextConfig) -> None:
    trainer = trainers.UnigramTrainer(
        vocab_size=_size_to_stop_at(config),
        special_tokens=special_tokens(config),
        unk_token=UNKNOWN,
        show_progress=False,
    )
    learned = _learn(trainer, texts, config)
    specials = config.specials
    # Sums over threads differ in the last digits; rounding gives the same scores and order each time.
    pieces = [(piece, round(score, 6)) for piece, score in learned["vocab"]]
    # Characters too rare to be pieces get the lowest score plus 0.0001 for each one before, in the order of
    # a hash map; here all have the lowest.
    letters = [score for piece, score in pieces[specials:] if len(piece) == 1]
    lowest = min(letters, default=0.0)
    rare = lowest + 1e-4 * len(letters)
    pieces = [(p, lowest if len(p) == 1 and s <= rare else s) for p, s in pieces]
    pieces[specials:] = sorted(pieces[specials:], key=lambda entry: (-entry[1], entry[0]))
    pipeline.model = models.Unigram(pieces[: config.vocabulary_size], unk_id=UNKNOWN_ID)


def _size_to_stop_at(config: TextConfig) -> int:
    if not config.vocabulary_size:
        raise ConfigError(
            f"text.vocabulary_size = 0: expected a size, which {config.scheme} needs to know when to stop"
        )
    return config.vocabulary_size


def _learn(trainer: trainers.Trainer, texts: Sequence[str], config: TextConfig) -> dict[str, Any]:
    """Return the model that `trainer` learns, as its JSON; on a pipeline of its own, since it would leave
    the special tokens in one, and texts may spell them."""
    scratch = SCHEMES[config.scheme](config)
    try:
        scratch.train_from_iterator(texts, trainer)
    except Exception as error:  # the library raises a bare Exception
        raise ConfigError(f"text.vocabulary_size = {config.vocabulary_size}: {error}; give more") from None
    learned: dict[str, Any] = json.loads(scratch.to_str())["model"]
    return learned
