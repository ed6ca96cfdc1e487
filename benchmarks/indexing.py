"""How fast do texts become ragged token ids, and what do we add to an analyser's own time?

NSMC on all cores: each scheme's texts a second; for kiwi and okt the seconds of `index` over those of the
library called alone on the same texts, interleaved; medians of five.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from record import record

from yeoun.config import SCHEMES, TextConfig
from yeoun.data.sources import read_source
from yeoun.text.indexer import TextIndexer

ROWS = {"kiwi": 20_000, "okt": 5_000, "spacy": 20_000}
ROUNDS = 5


def main() -> None:
    texts = [text for text in read_source("nsmc:train").dataset.texts if text.strip()]
    figures = {}
    for scheme in SCHEMES:
        indexer = TextIndexer.fit(texts[:20_000], TextConfig(scheme=scheme, vocabulary_size=16_000))
        some = texts[: ROWS.get(scheme, len(texts))]
        alone = library(scheme)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(seconds(lambda: indexer.index(some)))  # noqa: B023 - called at once
            if alone:
                theirs.append(seconds(lambda: alone(some)))  # noqa: B023
        figures[scheme] = {"rows": len(some), "texts_per_second": round(len(some) / median(ours))}
        if theirs:
            figures[scheme]["library_texts_per_second"] = round(len(some) / median(theirs))
            figures[scheme]["times_library"] = median(a / b for a, b in zip(ours, theirs, strict=True))
        print(scheme, figures[scheme], flush=True)
    record("indexing", {"rounds": ROUNDS, "schemes": figures})


def library(scheme: str) -> Callable[[list[str]], object] | None:
    if scheme == "kiwi":
        from kiwipiepy import Kiwi

        kiwi = Kiwi()
        return lambda texts: [[token.form for token in tokens] for tokens in kiwi.tokenize(texts)]
    if scheme == "okt":
        from konlpy.tag import Okt

        okt = Okt()
        return lambda texts: [okt.morphs(text) for text in texts]
    return None


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
