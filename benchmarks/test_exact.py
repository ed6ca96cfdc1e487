"""Exact checks against the published systems, on the real corpora (YEOUN_DATA_DIR, or downloads)."""

from __future__ import annotations

from yeoun.config import TextConfig
from yeoun.data.sources import read_source
from yeoun.data.splits import pandas_sample
from yeoun.text.indexer import TextIndexer


def test_the_nsmc_article_split_starts_with_its_first_rows() -> None:
    whole, part = read_source("nsmc:test").dataset, read_source("nsmc:article-train").dataset
    taken, rest = pandas_sample(len(whole), 0.9, 42)
    assert taken[:5].tolist() == [33553, 9427, 199, 12447, 39489]
    assert part.texts == [whole.texts[i] for i in taken]
    assert read_source("nsmc:article-test").dataset.texts == [whole.texts[i] for i in rest]


def test_the_imdb_gru_vocabulary_has_46159_entries() -> None:
    config = TextConfig(scheme="whitespace", vocabulary_size=0, minimum_count=5)
    assert TextIndexer.fit(read_source("imdb:train").dataset.texts, config).vocabulary_size == 46159


def test_20_newsgroups_has_all_posts_and_groups() -> None:
    whole = read_source("20news:all").dataset
    assert (len(whole), len(whole.label_names)) == (18846, 20)
