"""The named corpora, read in their official layouts, from an offline folder or their public homes.

`imdb`    Large Movie Review Dataset, Maas et al. 2011 (aclImdb_v1.tar.gz, or the folder aclImdb)
`nsmc`    Naver sentiment movie corpus, Park 2015 (nsmc/ratings_train.txt, ratings_test.txt; CC0)
`20news`  20 Newsgroups, the bydate version in scikit-learn's order (20news-bydate.tar.gz); without headers,
          footers and quotations it is `20news-stripped`

A download is checked against the release's SHA-256 where one is published (NSMC has none: its rows are
counted). An offline folder is taken as it is.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError
from .archives import read_members
from .readers import read_rows
from .rows import Dataset, label_indices, labelled
from .splits import Rows, pandas_sample, scikit_learn_split


@dataclass(frozen=True)
class Download:
    """A file of a corpus: its path inside the data folder, its home, its SHA-256 if published."""

    path: str
    url: str
    sha256: str | None
    rows: int | None = None


@dataclass(frozen=True)
class Corpus:
    """A named corpus: what it is, its files, its parts, and the function that reads a part."""

    title: str
    downloads: tuple[Download, ...]
    parts: tuple[str, ...]
    read: Callable[[Path, str], Dataset]


def read_corpus(name: str, part: str, data_dir: Path | None) -> Dataset:
    """Return a part of a named corpus. Raises DataError for an unknown part or a missing file."""
    corpus = CORPORA[name]
    if part not in corpus.parts:
        raise DataError(f"{name}:{part}: no such part; expected one of {', '.join(corpus.parts)}")
    return corpus.read(_located(corpus, data_dir), part)


def cache_dir() -> Path:
    """Return the folder of downloaded corpora."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "yeoun"


def fetch(name: str, data_dir: Path | None = None) -> Path:
    """Download the files of a corpus that are not there yet and return their folder."""
    if name not in CORPORA:
        raise DataError(f"unknown corpus {name!r}; expected one of {', '.join(CORPORA)}")
    folder = data_dir or cache_dir()
    for download in CORPORA[name].downloads:
        if not (folder / download.path).exists():
            _download(download, folder / download.path)
    return folder


def _located(corpus: Corpus, data_dir: Path | None) -> Path:
    folder = data_dir or cache_dir()
    missing = [d.path for d in corpus.downloads if _first_existing(folder, d.path) is None]
    if missing and data_dir is not None:
        raise DataError(
            f"{data_dir}: no {missing[0]} (nor .gz, nor unpacked); expected the official files of"
            f" {corpus.title}"
        )
    for download in corpus.downloads:
        if download.path in missing:
            _download(download, folder / download.path)
    return folder


def _first_existing(folder: Path, path: str) -> Path | None:
    unpacked = path.removesuffix("_v1.tar.gz").removesuffix(".tar.gz")
    candidates = (path, f"{path}.gz", unpacked, f"{unpacked}-train")
    return next((folder / name for name in candidates if (folder / name).exists()), None)


def _download(download: Download, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(download.url, timeout=60) as answer, partial.open("wb") as file:
            total, done = int(answer.headers.get("Content-Length") or 0), 0
            while block := answer.read(1 << 20):
                file.write(block)
                digest.update(block)
                done += len(block)
                if sys.stderr.isatty():
                    share = f" of {total / 1e6:.0f}" if total else ""
                    print(f"\r{target.name}: {done / 1e6:.0f}{share} MB", end="", file=sys.stderr)
        if total and done != total:
            raise OSError(f"got {done} of {total} bytes")
    except (OSError, http.client.HTTPException) as error:
        partial.unlink(missing_ok=True)
        raise DataError(
            f"{download.url}: cannot be fetched ({error}); download it by hand and name its folder"
            " with --data-dir"
        ) from None
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if download.sha256 and digest.hexdigest() != download.sha256:
        partial.unlink()
        raise DataError(
            f"{download.url}: SHA-256 is {digest.hexdigest()}, expected {download.sha256}; fetch it again"
        )
    if download.rows:
        with partial.open("rb") as file:
            rows = sum(1 for _ in file) - 1
        if rows != download.rows:
            partial.unlink()
            raise DataError(f"{download.url}: {rows} rows, expected {download.rows}; fetch it again")
    partial.replace(target)


def _files(folder: Path, archive: str, pattern: str) -> Iterator[tuple[str, bytes]]:
    """Yield `(name, content)` by name, from the archive or the folder it was unpacked to."""
    if (folder / archive).exists():
        files = sorted(read_members(folder / archive, pattern))
    else:
        found = sorted(p for p in folder.glob("*/**/*") if p.is_file())
        names = [(p.relative_to(folder).as_posix(), p) for p in found]
        files = [(name, p.read_bytes()) for name, p in names if re.fullmatch(pattern, name)]
    if not files:
        raise DataError(f"{folder}: no files like {pattern} in {archive} or the folder it unpacks to")
    yield from files


def _utf8(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not UTF-8 ({error}); expected the official file") from None


def _read_imdb(folder: Path, part: str) -> Dataset:
    archive = "aclImdb_v1.tar.gz"
    if part == "unlabelled":
        files = _files(folder, archive, r"aclImdb/train/unsup/[^/]+\.txt")
        return Dataset([_utf8(*file) for file in files], None, ("negative", "positive"))
    wanted = "train|test" if part == "all" else part
    texts, labels = [], []
    for name, content in _files(folder, archive, rf"aclImdb/({wanted})/(neg|pos)/[^/]+\.txt"):
        texts.append(_utf8(name, content))
        labels.append({"neg": "negative", "pos": "positive"}[name.split("/")[2]])
    return labelled(texts, labels)


def _read_nsmc(folder: Path, part: str) -> Dataset:
    if part == "unlabelled":
        lines = _nsmc_rows(folder, "unlabelled")
        return Dataset([row["text"] for row in lines], None, ("negative", "positive"))
    files = {"train": ["train"], "all": ["train", "test"]}.get(part, ["test"])
    rows = [row for name in files for row in _nsmc_rows(folder, f"ratings_{name}")]
    targets = label_indices([row["label"] for row in rows], ("0", "1"))
    dataset = Dataset([row["document"] for row in rows], targets, ("negative", "positive"))
    return _article_part(dataset, part, pandas_sample(len(dataset), 0.9, 42))


def _nsmc_rows(folder: Path, name: str) -> list[dict[str, str]]:
    path = _first_existing(folder, f"nsmc/{name}.txt")
    if path is None:
        raise DataError(
            f"{folder}: no nsmc/{name}.txt; expected that file there"
            + (" (it is not part of the official release)" if name == "unlabelled" else "")
        )
    expected = {"text"} if name == "unlabelled" else {"document", "label"}
    rows = []
    for row in read_rows(path):
        if row.error is not None or not expected <= row.cells.keys():
            reason = row.error or f"no column {min(expected - row.cells.keys())!r}"
            raise DataError(f"{path}, line {row.line}: {reason}; expected the official file")
        rows.append(row.cells)
    return rows


def _read_20news_stripped(folder: Path, part: str) -> Dataset:
    whole = _read_20news(folder, part)
    return Dataset([strip_post(text) for text in whole.texts], whole.labels, whole.label_names)


_QUOTING = re.compile(r"(writes in|writes:|wrote:|says:|said:|^In article|^Quoted from|^\||^>)")


def strip_post(post: str) -> str:
    """Return a newsgroup post without header, quotations and footer, as scikit-learn's
    `remove=("headers", "footers", "quotes")` leaves it."""
    body = post.partition("\n\n")[2]
    lines = body.strip().split("\n")
    rules = [i for i, line in enumerate(lines) if not line.strip().strip("-")]
    kept = lines[: rules[-1]] if rules and rules[-1] > 0 else body.split("\n")
    return "\n".join(line for line in kept if not _QUOTING.search(line))


def _read_20news(folder: Path, part: str) -> Dataset:
    ordered = {
        name: _as_scikit_learn_loads(folder, name)
        for name in (("train", "test") if part not in ("train", "test") else (part,))
    }
    texts = [text for pairs in ordered.values() for text, _ in pairs]
    labels = [label for pairs in ordered.values() for _, label in pairs]
    dataset = labelled(texts, labels)
    order = np.arange(len(dataset))
    np.random.RandomState(42).shuffle(order)  # fetch_20newsgroups shuffles so by default
    dataset = dataset.take(order)
    return _article_part(dataset, part, scikit_learn_split(len(dataset), 0.2, 2024))


def _as_scikit_learn_loads(folder: Path, name: str) -> list[tuple[str, str]]:
    """Return `(text, group)` in the order of `load_files`, which fetch_20newsgroups starts from."""
    files = _files(folder, "20news-bydate.tar.gz", rf"20news-bydate-{name}/[^/]+/[^/]+")
    pairs = [(content.decode("latin-1"), path.split("/")[1]) for path, content in files]
    order = np.arange(len(pairs))
    np.random.RandomState(0).shuffle(order)
    return [pairs[i] for i in order]


def _article_part(dataset: Dataset, part: str, split: tuple[Rows, Rows]) -> Dataset:
    parts = {"article-train": split[0], "article-test": split[1]}
    return dataset.take(parts[part]) if part in parts else dataset


_20NEWS = Download(
    "20news-bydate.tar.gz",
    "https://ndownloader.figshare.com/files/5975967",
    "8f1b2514ca22a5ade8fbb9cfa5727df95fa587f4c87b786e15c759fa66d95610",
)
_20NEWS_PARTS = ("train", "test", "all", "article-train", "article-test")

CORPORA: dict[str, Corpus] = {
    "imdb": Corpus(
        "Large Movie Review Dataset: 50,000 English film reviews, and 50,000 without labels",
        (
            Download(
                "aclImdb_v1.tar.gz",
                "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
                "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
            ),
        ),
        ("train", "test", "all", "unlabelled"),
        _read_imdb,
    ),
    "nsmc": Corpus(
        "Naver sentiment movie corpus: 200,000 Korean film reviews",
        tuple(
            Download(
                f"nsmc/ratings_{part}.txt",
                f"https://raw.githubusercontent.com/e9t/nsmc/master/ratings_{part}.txt",
                None,
                rows,
            )
            for part, rows in (("train", 150_000), ("test", 50_000))
        ),
        ("train", "test", "all", "unlabelled", "article-train", "article-test"),
        _read_nsmc,
    ),
    "20news": Corpus(
        "20 Newsgroups, bydate: 18,846 English posts with headers, 20 groups",
        (_20NEWS,),
        _20NEWS_PARTS,
        _read_20news,
    ),
    "20news-stripped": Corpus(
        "the same without headers, footers and quotations, as scikit-learn strips them",
        (_20NEWS,),
        _20NEWS_PARTS,
        _read_20news_stripped,
    ),
}
