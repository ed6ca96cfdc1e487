"""TextIndexer: fitted on training texts, it turns any texts into ragged token ids, and one text into
tokens with their spans."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from ..config import START_ID, UNKNOWN_ID, TextConfig
from .morphemes import ANALYZERS, analyzer
from .normalization import align, normalize
from .portions import portions
from .schemes import fit_vocabulary

Prepared = str | list[str]  # a normalised text, or the words that an analyser cut it into
VOCABULARY_TEXTS = 200_000  # of more texts, an even sample makes the vocabulary,
VOCABULARY_CHARACTERS = 2**28  # and of longer ones a sample of about so many characters


@dataclass(frozen=True)
class Token:
    """A stretch of a text: `text == whole[start:end]` (code points), and its id in the vocabulary."""

    text: str
    start: int
    end: int
    token_id: int


class Indexed(NamedTuple):
    """Texts as ragged token ids: text i has those from `offsets[i]` to `offsets[i + 1]`.

    token_ids: int32 [tokens]. offsets: int64 [texts + 1]. shortened: how many texts were longer than
    `maximum_length` and lost tokens.
    """

    token_ids: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    shortened: int


class TextIndexer:
    """Texts to token ids, with a vocabulary that only ever saw training texts."""

    def __init__(self, tokenizer: Tokenizer, config: TextConfig) -> None:
        self.tokenizer = tokenizer
        self.config = config
        self._specials = config.specials

    @classmethod
    def fit(cls, texts: Sequence[str], config: TextConfig) -> TextIndexer:
        """Return an indexer whose vocabulary is fitted on `texts`, the training texts; of more than 200,000,
        or 2^28 characters, on an even sample.

        Raises DataError when they hold no token.
        """
        room = _room(texts)
        if len(texts) > room:
            texts = [texts[int(row)] for row in np.linspace(0, len(texts) - 1, room)]
        return cls(_fit_vocabulary(_prepare(texts, config), config), config)

    @classmethod
    def fit_index(cls, texts: Sequence[str], config: TextConfig) -> tuple[TextIndexer, Indexed]:
        """Return what `fit` does, and what its `index` does of the same texts, which an analyser then
        cuts once instead of twice."""
        if len(texts) > _room(texts):
            indexer = cls.fit(texts, config)
            return indexer, indexer.index(texts)
        prepared = _prepare(texts, config)
        indexer = cls(_fit_vocabulary(prepared, config), config)
        return indexer, indexer._index(prepared)

    @classmethod
    def from_json(cls, json: str, config: TextConfig) -> TextIndexer:
        """Return the indexer of a `tokenizer.json` that `to_json` gave."""
        return cls(Tokenizer.from_str(json), config)

    def to_json(self) -> str:
        """Return the fitted tokeniser in the `tokenizers` library's own JSON format."""
        return str(self.tokenizer.to_str(pretty=False))

    @property
    def analyzer_version(self) -> str | None:
        """The analyser that cuts the texts and its version; None for a scheme without one."""
        scheme = self.config.scheme
        return analyzer(scheme).version if scheme in ANALYZERS else None

    @property
    def vocabulary_size(self) -> int:
        """The number of token ids, special tokens included."""
        return int(self.tokenizer.get_vocab_size())

    def index(self, texts: Sequence[str]) -> Indexed:
        """Return the token ids of each text.

        Truncated as configured, the start token in front where there is one; an empty text has no
        other token. Nothing is padded.
        """
        prepared = (_prepare(some, self.config) for some in portions(texts))
        return self._index(chain.from_iterable(prepared))

    def _index(self, prepared: Iterable[Prepared]) -> Indexed:
        pieces, lengths, shortened = array("i"), [], 0  # which grows in place
        is_cut = self.config.scheme in ANALYZERS
        for chunk in portions(prepared, _length):
            encoded = self.tokenizer.encode_batch_fast(
                chunk, is_pretokenized=is_cut, add_special_tokens=False
            )
            ids = [encoding.ids for encoding in encoded]
            chunk_lengths = np.fromiter(map(len, ids), np.int64, len(ids))
            flat = np.fromiter(chain.from_iterable(ids), np.int32, int(chunk_lengths.sum()))
            flat[flat < self._specials] = UNKNOWN_ID  # a text may spell [PAD]
            kept, kept_lengths = self._kept(chunk_lengths)
            pieces.frombytes(flat[kept].tobytes())
            lengths.append(kept_lengths)
            shortened += int((kept_lengths < chunk_lengths).sum())
        offsets = np.concatenate([np.zeros(1, np.int64), *lengths]).cumsum()
        token_ids = np.frombuffer(pieces, np.int32)
        if self.config.start_token:
            token_ids = np.insert(token_ids, offsets[:-1], np.int32(START_ID))
            offsets = offsets + np.arange(len(offsets))
        return Indexed(token_ids, offsets, shortened)

    def tokens(self, text: str) -> list[Token]:
        """Return the tokens of `text` that `index` keeps, with spans in `text` as typed.

        Spans are ordered and lie inside the text; characters that compose into one share a span. The
        start token's span is empty.
        """
        alignment = align(text, self.config.fold_repeats)
        encoded, spans = self._encode_with_spans(normalize(text, self.config.fold_repeats))
        ids = encoded.ids  # made anew each time it is asked for
        kept, _ = self._kept(np.array([len(ids)], np.int64))
        tokens = [Token("", 0, 0, START_ID)] if self.config.start_token else []
        for position in kept:
            start, end = spans[position]
            if alignment is not None:
                start, end = alignment.original_span(start, end)
            token_id = ids[position]
            tokens.append(
                Token(text[start:end], start, end, token_id if token_id >= self._specials else UNKNOWN_ID)
            )
        return tokens

    def _encode_with_spans(self, prepared: str) -> tuple[Encoding, list[tuple[int, int]]]:
        if self.config.scheme not in ANALYZERS:
            encoded = self.tokenizer.encode(prepared, add_special_tokens=False)
            return encoded, encoded.offsets
        (morphemes,) = analyzer(self.config.scheme).analyze([prepared])
        forms = [morpheme.form for morpheme in morphemes]
        encoded = self.tokenizer.encode(forms, is_pretokenized=True, add_special_tokens=False)
        spans = [(morphemes[i].start, morphemes[i].end) for i in encoded.word_ids if i is not None]
        return encoded, spans

    def vocabulary(self) -> list[str]:
        """Return the tokens in the order of their ids."""
        entries = self.tokenizer.get_vocab()
        return sorted(entries, key=entries.__getitem__)

    def _kept(self, lengths: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return which positions of flat tokens stay after truncation, and how many of each text."""
        limit = self.config.maximum_length - self.config.start_token
        if not self.config.maximum_length or not len(lengths) or lengths.max() <= limit:
            return np.arange(lengths.sum()), lengths
        kept = np.minimum(lengths, limit)
        position = np.arange(kept.sum()) - np.repeat(kept.cumsum() - kept, kept)
        head = {"back": limit, "front": 0, "middle": (limit + 1) // 2}[self.config.truncate]
        behind_the_cut = np.repeat(lengths - kept, kept) * (position >= head)
        return np.repeat(lengths.cumsum() - lengths, kept) + position + behind_the_cut, kept


def _room(texts: Sequence[str]) -> int:
    """Return how many of the texts may make the vocabulary."""
    some = texts[:: len(texts) // 1000 + 1]
    characters = sum(map(len, some)) / max(1, len(some))
    return max(1, min(VOCABULARY_TEXTS, int(VOCABULARY_CHARACTERS / max(1.0, characters))))


def _prepare(texts: Sequence[str], config: TextConfig) -> list[Prepared]:
    normalized = [normalize(text, config.fold_repeats) for text in texts]
    if config.scheme not in ANALYZERS:
        return list(normalized)
    cut = analyzer(config.scheme).analyze(normalized)
    return [[morpheme.form for morpheme in morphemes] for morphemes in cut]


def _fit_vocabulary(prepared: Sequence[Prepared], config: TextConfig) -> Tokenizer:
    pieces = (each if isinstance(each, list) else (each,) for each in prepared)
    return fit_vocabulary(list(chain.from_iterable(pieces)), config)


def _length(prepared: Prepared) -> int:
    return len(prepared) if isinstance(prepared, str) else sum(map(len, prepared))
