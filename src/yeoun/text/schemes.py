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

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from ..config import TextConfig
from ..errors import ConfigError, DataError

PAD, UNKNOWN, START = "[PAD]", "[UNK]", "[SOS]"
PAD_ID, UNKNOWN_ID, START_ID = 0, 1, 2
_CHUNK = 10_000


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


def _bpe(config: TextConfig) -> Tokenizer:
    model = models.BPE(unk_token=UNKNOWN, continuing_subword_prefix="##")
    return _pipeline(config, model, pre_tokenizers.Whitespace())


def _pipeline(config: TextConfig, model: models.Model, cut: pre_tokenizers.PreTokenizer) -> Tokenizer:
    pipeline = Tokenizer(model)
    if config.lowercase:
        pipeline.normalizer = normalizers.Lowercase()
    pipeline.pre_tokenizer = cut
    return pipeline


SCHEMES: dict[str, Callable[[TextConfig], Tokenizer]] = {
    "whitespace": _whitespace,
    "words": _words,
    "characters": _characters,
    "bpe": _bpe,
}


def special_tokens(config: TextConfig) -> list[str]:
    """Return the special tokens in the order of their ids: padding 0, unknown 1, start 2 if asked."""
    return [PAD, UNKNOWN, START] if config.start_token else [PAD, UNKNOWN]


def fit_vocabulary(texts: Sequence[str], config: TextConfig) -> Tokenizer:
    """Return the pipeline of `config` with a vocabulary fitted on normalised `texts`.

    Raises DataError when the texts hold no token at all.
    """
    pipeline = SCHEMES[config.scheme](config)
    if isinstance(pipeline.model, models.BPE):
        _fit_subwords(pipeline, texts, config)
    else:
        _fit_words(pipeline, texts, config)
    if pipeline.get_vocab_size() <= len(special_tokens(config)):
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
    pipeline.train_from_iterator(texts, trainer)
    words = sorted(pipeline.get_vocab().items(), key=lambda entry: entry[1])
    counts = np.zeros(len(words), np.int64)
    for start in range(0, len(texts), _CHUNK):
        encoded = pipeline.encode_batch_fast(texts[start : start + _CHUNK], add_special_tokens=False)
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
    if not config.vocabulary_size:
        raise ConfigError("text.vocabulary_size = 0: expected a size, which bpe needs to know when to stop")
    counts: Counter[str] = Counter()
    for start in range(0, len(texts), _CHUNK):
        joined = "".join(texts[start : start + _CHUNK])
        counts.update(joined)
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
    room = (config.vocabulary_size - len(specials)) // 2  # each stands alone and with ##
    alphabet = [c for _, c in frequent[: max(0, min(config.vocabulary_size // 3, room))]]
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocabulary_size,
        min_frequency=max(2, config.minimum_count),
        # Ids of all ##c are fixed here; the trainer would hand them out in the order of a hash map.
        special_tokens=specials + alphabet + [f"##{c}" for c in alphabet],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        continuing_subword_prefix="##",
        show_progress=False,
    )
    scratch = SCHEMES[config.scheme](config)  # it keeps the special tokens, which texts may spell
    scratch.train_from_iterator(texts, trainer)
    learned = json.loads(scratch.to_str())["model"]
    pipeline.model = models.BPE(
        vocab=learned["vocab"],
        merges=[tuple(pair) for pair in learned["merges"]],
        unk_token=UNKNOWN,
        continuing_subword_prefix="##",
    )
