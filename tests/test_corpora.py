"""The named corpora are read in their official layouts, from untrusted archives, or downloaded."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import http.server
import io
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_files
from sklearn.model_selection import train_test_split

from yeoun.data import corpora
from yeoun.data.corpora import CORPORA, Download, cache_dir, fetch, read_corpus
from yeoun.data.rows import Dataset
from yeoun.data.sources import read_source
from yeoun.errors import DataError

IMDB_FILES = {
    "aclImdb/README": "about",
    "aclImdb/imdb.vocab": "the\nand\n",
    "aclImdb/test/neg/0_2.txt": "A bad test film.",
    "aclImdb/test/neg/10_1.txt": "Worst ever <br /><br /> truly",
    "aclImdb/test/pos/0_10.txt": "Naïve, but good",
    "aclImdb/test/labeledBow.feat": "1 0:9",
    "aclImdb/train/pos/0_9.txt": "A good film.",
    "aclImdb/train/pos/10_8.txt": "Another good film.",
    "aclImdb/train/pos/2_7.txt": "A third one.",
    "aclImdb/train/neg/0_3.txt": "A bad film.",
    "aclImdb/train/unsup/0_0.txt": "Nobody said.",
    "aclImdb/train/unsup/1_0.txt": "",
    "aclImdb/train/urls_pos.txt": "http://example.org",
}
NSMC_HEADER = "id\tdocument\tlabel\n"
NSMC_FILES = {
    "ratings_train.txt": NSMC_HEADER + '1\t아 더빙.. "진짜" 짜증나네요\t0\n2\t\t1\n3\t너무 재밓었다\t1\n',
    "ratings_test.txt": NSMC_HEADER + "".join(f"{i}\t굳 ㅋ {i}\t{i % 2}\n" for i in range(20)),
}
NEWS_GROUPS = ("alt.atheism", "comp.os.ms-windows.misc", "comp.windows.x", "sci.space")
NEWS_FILES = {
    f"20news-bydate-{part}/{group}/{number}": f"From: x@y\n\n{part} {group} {number} caf\xe9 \x85\n"
    for part, numbers in (("train", (49960, 51060, 9, 100)), ("test", (53068, 8, 53257)))
    for group in NEWS_GROUPS
    for number in numbers
}


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """The header of a member."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    return info


def write_tar(
    path: Path,
    files: dict[str, str],
    encoding: str = "utf-8",
    others: tuple[tarfile.TarInfo, ...] = (),
) -> Path:
    """An archive of these files, last name first as no sorting would have it, behind `others`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for info in others:
            tar.addfile(info)
        for name, text in reversed(files.items()):
            content = text.encode(encoding)
            tar.addfile(member(name, content), io.BytesIO(content))
    return path


def write_files(folder: Path, files: dict[str, str], encoding: str = "utf-8") -> Path:
    """A folder with these files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode(encoding))
    return folder


def read(source: str, folder: Path) -> Dataset:
    """The rows of a corpus, read from an offline folder."""
    return read_source(source, data_dir=str(folder)).dataset


def pairs(dataset: Dataset) -> list[tuple[str, str]]:
    """The rows of a dataset, labels by name."""
    names = [dataset.label_names[i] for i in dataset.targets]
    return list(zip(dataset.texts, names, strict=True))


def imdb_pairs(part: str) -> list[tuple[str, str]]:
    """The rows of a part of IMDB_FILES in the order of the names."""
    labels = {"neg": "negative", "pos": "positive"}
    split = [(name.split("/"), text) for name, text in sorted(IMDB_FILES.items())]
    return [
        (text, labels[parts[2]])
        for parts, text in split
        if len(parts) == 4 and parts[1] in part and parts[2] in labels
    ]


def as_archive(folder: Path) -> None:
    """IMDb as it is published."""
    write_tar(folder / "aclImdb_v1.tar.gz", IMDB_FILES)


def with_dots(folder: Path) -> None:
    """IMDb packed from inside its folder."""
    write_tar(folder / "aclImdb_v1.tar.gz", {f"./{name}": text for name, text in IMDB_FILES.items()})


def unpacked(folder: Path) -> None:
    """IMDb unpacked."""
    write_files(folder, IMDB_FILES)


@pytest.mark.parametrize("layout", [as_archive, with_dots, unpacked])
def test_imdb_is_read_in_every_part_and_layout(tmp_path: Path, layout: Callable[[Path], None]) -> None:
    layout(tmp_path)
    assert pairs(read("imdb:train", tmp_path)) == imdb_pairs("train")
    assert pairs(read("imdb", tmp_path)) == imdb_pairs("train")
    assert pairs(read("imdb:test", tmp_path)) == imdb_pairs("test")
    everything = read("imdb:all", tmp_path)
    assert sorted(pairs(everything)) == sorted(imdb_pairs("train") + imdb_pairs("test"))
    assert everything.label_names == ("negative", "positive")
    unlabelled = read("imdb:unlabelled", tmp_path)
    assert list(unlabelled.texts) == ["Nobody said.", ""]
    assert unlabelled.labels is None
    assert unlabelled.label_names == ("negative", "positive")


@pytest.mark.parametrize("packed", [False, True])
def test_nsmc_is_read_in_every_part(tmp_path: Path, packed: bool) -> None:
    (tmp_path / "nsmc").mkdir()
    for name, text in NSMC_FILES.items():
        content = text.encode()
        path = tmp_path / "nsmc" / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)
    train = [('아 더빙.. "진짜" 짜증나네요', "negative"), ("", "positive"), ("너무 재밓었다", "positive")]
    test = [(f"굳 ㅋ {i}", ("negative", "positive")[i % 2]) for i in range(20)]
    assert pairs(read("nsmc", tmp_path)) == train
    assert pairs(read("nsmc:test", tmp_path)) == test
    assert pairs(read("nsmc:all", tmp_path)) == train + test
    article_train, article_test = read("nsmc:article-train", tmp_path), read("nsmc:article-test", tmp_path)
    assert (len(article_train), len(article_test)) == (18, 2)
    assert sorted(pairs(article_train) + pairs(article_test)) == sorted(test)
    assert article_train.label_names == article_test.label_names == ("negative", "positive")


def test_nsmc_without_labels_is_a_file_of_ones_own(tmp_path: Path) -> None:
    write_files(tmp_path / "nsmc", NSMC_FILES)
    with pytest.raises(DataError, match=r"nsmc/unlabelled\.txt.*not part of the official release"):
        read("nsmc:unlabelled", tmp_path)
    (tmp_path / "nsmc" / "unlabelled.txt").write_text("하나\n둘\n", encoding="utf-8")
    unlabelled = read("nsmc:unlabelled", tmp_path)
    assert list(unlabelled.texts) == ["하나", "둘"]
    assert unlabelled.labels is None


@pytest.mark.parametrize("line", ["4\tone cell too few\n", "4\tan unknown label\t2\n", "4\tno label\t\n"])
def test_a_broken_row_of_nsmc_is_refused(tmp_path: Path, line: str) -> None:
    write_files(
        tmp_path / "nsmc", {**NSMC_FILES, "ratings_train.txt": NSMC_FILES["ratings_train.txt"] + line}
    )
    with pytest.raises(DataError, match=r"ratings_train\.txt|unknown label"):
        read("nsmc:train", tmp_path)


def test_an_nsmc_file_with_other_columns_is_refused(tmp_path: Path) -> None:
    other = {name: text.replace("document", "text", 1) for name, text in NSMC_FILES.items()}
    write_files(tmp_path / "nsmc", other)
    with pytest.raises(DataError, match="document"):
        read("nsmc:train", tmp_path)


@pytest.fixture
def news(tmp_path: Path) -> Path:
    """A folder with the archive of 20 Newsgroups, and an unpacked copy in its folder `unpacked`."""
    folders = tuple(
        member(name, kind=tarfile.DIRTYPE) for name in ("20news-bydate-train", "20news-bydate-test")
    )
    write_tar(tmp_path / "20news-bydate.tar.gz", NEWS_FILES, "latin-1", folders)
    write_files(tmp_path / "unpacked", NEWS_FILES, "latin-1")
    return tmp_path


def as_scikit_learn_fetches(folder: Path, *parts: str) -> list[tuple[str, str]]:
    """The rows in the order in which `fetch_20newsgroups` returns them."""
    rows: list[tuple[str, str]] = []
    for part in parts:
        loaded = load_files(str(folder / f"20news-bydate-{part}"), encoding="latin1")
        rows += [(t, loaded.target_names[i]) for t, i in zip(loaded.data, loaded.target, strict=True)]
    order = np.arange(len(rows))
    np.random.RandomState(42).shuffle(order)
    return [rows[i] for i in order]


def test_20news_has_the_order_of_scikit_learn(news: Path) -> None:
    for part, parts in (("train", ("train",)), ("test", ("test",)), ("all", ("train", "test"))):
        expected = as_scikit_learn_fetches(news / "unpacked", *parts)
        assert len(expected) == len(NEWS_GROUPS) * sum({"train": 4, "test": 3}[p] for p in parts)
        assert pairs(read(f"20news:{part}", news)) == expected
        assert pairs(read(f"20news:{part}", news / "unpacked")) == expected
    assert read("20news", news).label_names == NEWS_GROUPS


def test_the_article_of_20news_splits_all_of_it_as_scikit_learn_does(news: Path) -> None:
    everything = as_scikit_learn_fetches(news / "unpacked", "train", "test")
    train, test = train_test_split(everything, test_size=0.2, random_state=2024)
    assert pairs(read("20news:article-train", news)) == train
    assert pairs(read("20news:article-test", news)) == test


@pytest.mark.parametrize(("name", "part"), [("imdb", "dev"), ("nsmc", "valid"), ("20news", "unlabelled")])
def test_an_unknown_part_is_refused_with_the_parts_there_are(tmp_path: Path, name: str, part: str) -> None:
    with pytest.raises(DataError, match=rf"{name}:{part}: no such part; expected one of train, test, all"):
        read(f"{name}:{part}", tmp_path)


@pytest.mark.parametrize("name", CORPORA)
def test_missing_files_are_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError) as caught:
        read(name, tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert CORPORA[name].downloads[0].path in str(caught.value)


def test_one_missing_file_of_two_is_named(tmp_path: Path) -> None:
    write_files(tmp_path / "nsmc", {"ratings_train.txt": NSMC_FILES["ratings_train.txt"]})
    with pytest.raises(DataError, match=r"nsmc/ratings_test\.txt"):
        read("nsmc:all", tmp_path)


def test_a_data_folder_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no such folder"):
        read("imdb", tmp_path / "nowhere")
    monkeypatch.setenv("YEOUN_DATA_DIR", str(tmp_path / "nowhere too"))
    with pytest.raises(DataError, match="nowhere too: no such folder"):
        read_source("imdb")


def test_the_environment_names_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_archive(tmp_path)
    monkeypatch.setenv("YEOUN_DATA_DIR", str(tmp_path))
    assert pairs(read_source("imdb").dataset) == imdb_pairs("train")


def test_columns_of_a_named_corpus_cannot_be_chosen(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="leave out --text and --label"):
        read_source("imdb", text="review", data_dir=str(tmp_path))


def test_labels_of_a_corpus_follow_the_names_of_a_model(tmp_path: Path) -> None:
    as_archive(tmp_path)
    table = read_source("imdb", data_dir=str(tmp_path), names=("positive", "negative"))
    assert pairs(table.dataset) == imdb_pairs("train")
    assert table.dataset.label_names == ("positive", "negative")
    with pytest.raises(DataError, match="unknown label 'negative': expected one of good, positive"):
        read_source("imdb", data_dir=str(tmp_path), names=("good", "positive"))


@pytest.mark.parametrize(
    ("name", "archive", "folder"),
    [("imdb", "aclImdb_v1.tar.gz", "aclImdb"), ("20news", "20news-bydate.tar.gz", "20news-bydate")],
)
def test_an_archive_or_folder_without_the_corpus_is_refused(
    tmp_path: Path, name: str, archive: str, folder: str
) -> None:
    write_tar(tmp_path / archive, {"elsewhere/train/pos/1.txt": "a"})
    with pytest.raises(DataError, match=folder):
        read(name, tmp_path)
    (tmp_path / archive).unlink()
    (tmp_path / folder).mkdir()
    with pytest.raises(DataError, match=folder):
        read(name, tmp_path)


def test_a_review_that_is_not_utf_8_is_refused_by_name(tmp_path: Path) -> None:
    write_tar(tmp_path / "aclImdb_v1.tar.gz", {**IMDB_FILES, "aclImdb/train/pos/5_9.txt": "\xe9"}, "latin-1")
    with pytest.raises(DataError, match=r"5_9\.txt"):
        read("imdb", tmp_path)


def test_links_and_paths_outside_are_neither_followed_nor_written(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    secret = tmp_path / "secret.txt"
    secret.write_text("do not read me")
    inside = "aclImdb/train/pos/0_9.txt"
    outside = ("../outside.txt", "/tmp/outside.txt", "aclImdb/train/pos/../../../../outside.txt")
    write_tar(
        data / "aclImdb_v1.tar.gz",
        {**IMDB_FILES, **dict.fromkeys(outside, "do not write me")},
        others=(
            member("aclImdb/train/pos/98_9.txt", kind=tarfile.SYMTYPE, link=str(secret)),
            member("aclImdb/train/pos/97_9.txt", kind=tarfile.SYMTYPE, link="../../../../secret.txt"),
            member("aclImdb/train/pos/96_9.txt", kind=tarfile.LNKTYPE, link=str(secret)),
            member("aclImdb/train/pos/95_9.txt", kind=tarfile.LNKTYPE, link=inside),
            member("aclImdb/train/pos/94_9.txt", kind=tarfile.FIFOTYPE),
            member("aclImdb/train/pos/93_9.txt", kind=tarfile.CHRTYPE),
            member("aclImdb/train/pos/92_9.txt", kind=tarfile.DIRTYPE),
            member("aclImdb/train/neg", kind=tarfile.SYMTYPE, link=str(tmp_path)),
        ),
    )
    before = sorted(tmp_path.rglob("*"))
    assert pairs(read("imdb", data)) == imdb_pairs("train")
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/outside.txt").exists()


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "aclImdb_v1.tar.gz"
    for content in (b"", b"<html>not found</html>", gzip.compress(b""), gzip.compress(b"no tar " * 200)):
        archive.write_bytes(content)
        with pytest.raises(DataError, match=r"aclImdb_v1\.tar\.gz: cannot be read as \.tar\.gz"):
            read("imdb", tmp_path)


def test_an_archive_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "aclImdb_v1.tar.gz", IMDB_FILES)
    whole = archive.read_bytes()
    taken = []
    for length in range(0, len(whole), 7):
        archive.write_bytes(whole[:length])
        with contextlib.suppress(DataError):
            taken.append((length, len(read("imdb", tmp_path))))
    assert taken == []


def test_an_archive_with_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "aclImdb_v1.tar.gz", IMDB_FILES)
    content = bytearray(archive.read_bytes())
    content[-8] ^= 0xFF  # the gzip format ends in a CRC and a size, of four bytes each
    archive.write_bytes(bytes(content))
    with pytest.raises(DataError, match="fetch it again"):
        read("imdb", tmp_path)


class Home(http.server.BaseHTTPRequestHandler):
    """What the server answers: `files` by path; `cut` promises more bytes than come; `odd` is no HTTP."""

    files: dict[str, bytes]
    asked: list[str]
    mode: str

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.mode == "odd":
            self.wfile.write(b"nonsense\r\n\r\n")
        elif self.path not in self.files:
            self.send_error(404)
        else:
            content = self.files[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content) + 100 * (self.mode == "cut")))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@dataclasses.dataclass(frozen=True)
class Server:
    """A running server: its address, and the class that says what it answers."""

    address: str
    home: type[Home]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server on this machine, and a cache folder of its own."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "YEOUN_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    home = type("ThisHome", (Home,), {"files": {}, "asked": [], "mode": "good"})
    with http.server.HTTPServer(("127.0.0.1", 0), home) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Server(f"http://127.0.0.1:{running.server_port}", home)
        running.shutdown()
        thread.join()


def offer(
    monkeypatch: pytest.MonkeyPatch, server: Server, name: str, contents: list[bytes], checked: bool
) -> None:
    """Serve these files as those of the corpus `name`, with their checksums if `checked`."""
    downloads = []
    for i, (download, content) in enumerate(zip(CORPORA[name].downloads, contents, strict=True)):
        server.home.files[f"/{i}"] = content
        sha256 = hashlib.sha256(content).hexdigest() if checked else None
        downloads.append(dataclasses.replace(download, url=f"{server.address}/{i}", sha256=sha256))
    corpus = dataclasses.replace(CORPORA[name], downloads=tuple(downloads))
    monkeypatch.setitem(CORPORA, name, corpus)


def files_under(folder: Path) -> list[Path]:
    """Every file below a folder, there or not."""
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def imdb_bytes(tmp_path: Path) -> bytes:
    """The archive of IMDb."""
    path = write_tar(tmp_path / "made" / "x.tar.gz", IMDB_FILES)
    content = path.read_bytes()
    shutil.rmtree(path.parent)
    return content


def test_a_download_with_the_right_checksum_is_kept(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, imdb_bytes: bytes
) -> None:
    offer(monkeypatch, server, "imdb", [imdb_bytes], checked=True)
    assert pairs(read_source("imdb").dataset) == imdb_pairs("train")
    assert pairs(read_source("imdb:test").dataset) == imdb_pairs("test")
    assert fetch("imdb") == cache_dir() == tmp_path / "cache" / "yeoun"
    assert server.home.asked == ["/0"]
    assert files_under(tmp_path) == [cache_dir() / "aclImdb_v1.tar.gz"]


def test_a_download_with_a_wrong_checksum_leaves_nothing_behind(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, imdb_bytes: bytes
) -> None:
    offer(monkeypatch, server, "imdb", [imdb_bytes], checked=True)
    server.home.files["/0"] = imdb_bytes + b"!"
    wanted = hashlib.sha256(imdb_bytes).hexdigest()
    with pytest.raises(DataError, match=rf"SHA-256 is [0-9a-f]{{64}}, expected {wanted}; fetch it again"):
        read_source("imdb")
    assert files_under(tmp_path) == []


def test_a_file_that_is_not_there_leaves_nothing_behind(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, imdb_bytes: bytes
) -> None:
    offer(monkeypatch, server, "imdb", [imdb_bytes], checked=True)
    server.home.files.clear()
    with pytest.raises(DataError, match=r"cannot be fetched .*404.*--data-dir"):
        fetch("imdb", tmp_path / "data")
    assert files_under(tmp_path) == []


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("mode", ["cut", "odd"])
def test_an_answer_cut_short_or_odd_leaves_nothing_behind(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    imdb_bytes: bytes,
    mode: str,
    checked: bool,
) -> None:
    offer(monkeypatch, server, "imdb", [imdb_bytes], checked)
    server.home.mode = mode
    with pytest.raises(DataError, match="fetch"):
        fetch("imdb", tmp_path / "data")
    assert files_under(tmp_path) == []


def test_nsmc_with_too_few_rows_is_not_taken_for_the_whole(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The release has no checksum: the module promises that its rows are counted.
    contents = [text.encode() for text in NSMC_FILES.values()]
    offer(monkeypatch, server, "nsmc", contents, checked=False)
    with pytest.raises(DataError, match="rows"):
        read_source("nsmc")


def test_only_missing_files_are_fetched(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, imdb_bytes: bytes
) -> None:
    two = (Download("a/one.bin", "", None), Download("a/two.bin", "", None))
    monkeypatch.setitem(CORPORA, "imdb", dataclasses.replace(CORPORA["imdb"], downloads=two))
    offer(monkeypatch, server, "imdb", [b"first", b"second"], checked=True)
    write_files(tmp_path / "data", {"a/one.bin": "mine"})
    fetch("imdb", tmp_path / "data")
    assert server.home.asked == ["/1"]
    assert (tmp_path / "data" / "a" / "one.bin").read_bytes() == b"mine"
    assert (tmp_path / "data" / "a" / "two.bin").read_bytes() == b"second"


def test_an_offline_folder_is_never_added_to(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, imdb_bytes: bytes
) -> None:
    offer(monkeypatch, server, "imdb", [imdb_bytes], checked=True)
    with pytest.raises(DataError, match=r"no aclImdb_v1\.tar\.gz"):
        read_corpus("imdb", "train", tmp_path)
    assert server.home.asked == []
    assert files_under(tmp_path) == []


def test_an_unknown_corpus_cannot_be_fetched(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"unknown corpus 'imbd'; expected one of imdb, nsmc, 20news"):
        fetch("imbd", tmp_path)


@pytest.mark.parametrize("name", CORPORA)
def test_every_download_comes_over_tls_and_lands_inside_the_folder(name: str) -> None:
    for download in corpora.CORPORA[name].downloads:
        assert download.url.startswith("https://")
        assert not Path(download.path).is_absolute()
        assert ".." not in Path(download.path).parts
        assert download.sha256 is None or len(bytes.fromhex(download.sha256)) == 32


def test_posts_are_stripped_as_scikit_learn_strips_them() -> None:
    from sklearn.datasets import _twenty_newsgroups as theirs

    from yeoun.data.corpora import strip_post

    posts = [
        "From: a@b\nSubject: x\n\nIn article <1> c writes:\n> quoted\nmy own words\n\n--\nA. Name\n",
        "From: a@b\n\n\nno footer here\n| quoted\nlast line",
        "no header at all",
        "H: 1\n\n----\nonly a rule above",
        "H: 1\n\nfirst\n \nsecond said:\nthird\n\n-----\nsig\n-----\n",
        "",
    ]
    for post in posts:
        body = theirs.strip_newsgroup_footer(theirs.strip_newsgroup_header(post))
        assert strip_post(post) == theirs.strip_newsgroup_quoting(body)
