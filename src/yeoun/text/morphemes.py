"""Morpheme analysers: they run before the vocabulary and hand over words that are cut already.

`ANALYZERS[name]()` returns an analyser; each is an extra, imported when asked for. Morphemes of one
written word may share its span (였어요 holds 이, 었 and 어요).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from typing import Any, NamedTuple, Protocol

from ..errors import ConfigError


class Morpheme(NamedTuple):
    """A word as the vocabulary sees it, and its span in the normalised text."""

    form: str
    start: int
    end: int


class Analyzer(Protocol):
    """What a scheme needs of an analyser."""

    version: str

    def analyze(self, texts: Sequence[str]) -> Iterator[list[Morpheme]]:
        """Yield the morphemes of each text, spans ordered."""
        ...


class Kiwi:
    """Korean morphemes by kiwipiepy (extra `korean`): no Java, several threads, exact spans."""

    def __init__(self) -> None:
        try:
            import kiwipiepy
        except ImportError:
            raise _missing("kiwi", "korean") from None
        self.version = f"kiwipiepy {kiwipiepy.__version__}"
        self._kiwi = kiwipiepy.Kiwi()

    def analyze(self, texts: Sequence[str]) -> Iterator[list[Morpheme]]:
        for tokens in self._kiwi.tokenize(iter(texts)):
            yield [Morpheme(t.form, t.start, t.start + t.len) for t in tokens]


class Okt:
    """Korean morphemes by Open Korean Text through konlpy (extra `okt`): needs Java, started once;
    as many threads as cores."""

    def __init__(self) -> None:
        try:
            from konlpy.tag import Okt as Tagger
        except ImportError:
            raise _missing("okt", "okt") from None
        self.version = f"konlpy {version('konlpy')}"
        try:
            self._tagger = Tagger()
        except Exception as error:  # konlpy raises whatever Java's absence comes out as
            raise ConfigError(f"text.scheme = 'okt': Java did not start ({error}); install a JDK") from None

    def analyze(self, texts: Sequence[str]) -> Iterator[list[Morpheme]]:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for text, forms in zip(texts, threads.map(self._forms, texts), strict=True):
                yield locate(text, forms)

    def _forms(self, text: str) -> list[str]:
        return list(self._tagger.morphs(text)) if text.strip() else []


class Spacy:
    """Words by spaCy's English rules (extra `spacy`); no model is downloaded."""

    def __init__(self) -> None:
        try:
            import spacy
        except ImportError:
            raise _missing("spacy", "spacy") from None
        self.version = f"spacy {version('spacy')}"
        self._tokenizer: Any = spacy.blank("en").tokenizer

    def analyze(self, texts: Sequence[str]) -> Iterator[list[Morpheme]]:
        for document in self._tokenizer.pipe(texts):
            yield [Morpheme(t.text, t.idx, t.idx + len(t.text)) for t in document if not t.is_space]


ANALYZERS: dict[str, Callable[[], Analyzer]] = {"kiwi": Kiwi, "okt": Okt, "spacy": Spacy}


@cache
def analyzer(name: str) -> Analyzer:
    """Return the analyser `name`, started once a process. Raises ConfigError naming a missing extra."""
    return ANALYZERS[name]()


def locate(text: str, forms: Sequence[str]) -> list[Morpheme]:
    """Return the spans of `forms`, which stand in `text` in this order.

    A form that is not found behind the one before it has the empty span there.
    """
    morphemes, end = [], 0
    for form in forms:
        start = text.find(form, end)
        start, stop = (start, start + len(form)) if start >= 0 else (end, end)
        morphemes.append(Morpheme(form, start, stop))
        end = stop
    return morphemes


def _missing(scheme: str, extra: str) -> ConfigError:
    return ConfigError(f"text.scheme = {scheme!r} is not installed; pip install 'yeoun[{extra}]'")
