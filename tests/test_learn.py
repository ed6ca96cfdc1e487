"""The learning pages run and print what they say, in both languages; the examples learn."""

from __future__ import annotations

import importlib.util
import io
import re
import shlex
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from yeoun.cli import main

ROOT = Path(__file__).parent.parent
LEARN = ROOT / "docs" / "learn"
PAGES = ("1-shapes", "2-by-hand", "3-gradients", "4-gates", "5-padding", "6-checking")
NUMBER = re.compile(r"-?\d+\.\d+|-?\d+e[+-]\d+")  # what is measured; whole numbers are exact


def read(document: str) -> str:
    return (LEARN / document).read_text(encoding="utf-8")


def blocks(document: str) -> list[tuple[str, str]]:
    """Return `(language, content)` of each block."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", read(document), flags=re.S | re.M)


def pictures(document: str) -> list[str]:
    return re.findall(r"!\[[^\]]+\]\(([^)]+)\)", read(document))


def run(document: str) -> dict[str, Any]:
    """Run the blocks of a page in order, in one scope, and return it."""
    scope: dict[str, Any] = {}
    for language, content in blocks(document):
        if language == "python":
            exec(compile(content, document, "exec"), scope)
        elif language == "sh":
            main(arguments_of(content))
    return scope


def arguments_of(command: str) -> list[str]:
    program, *arguments = shlex.split(command.replace("\\\n", ""))
    assert program == "yeoun"
    return arguments


def explodes_and_vanishes(scope: dict[str, Any]) -> None:
    kept = scope["kept"]
    assert kept["RNN, U times 3"] > 1 > kept["RNN"]
    assert kept["LSTM, forget bias 0"] < kept["LSTM, forget bias 1"] < kept["LSTM, forget bias 5"]


def padding_costs(scope: dict[str, Any]) -> None:
    mean = {key: sum(scores) / len(scores) for key, scores in scope["accuracy"].items()}
    assert mean[10, "back"] > 0.95
    assert mean[40, "back"] < mean[40, "front"] - 0.2
    assert sum(scope["not_reading"]) / 3 > 0.95


CLAIMS: dict[str, Callable[[dict[str, Any]], None]] = {
    "3-gradients": explodes_and_vanishes,
    "5-padding": padding_costs,
}


@pytest.mark.parametrize("document", [f"{page}{end}.md" for page in PAGES for end in ("", ".ko")])
def test_a_page_runs_and_prints_what_it_says(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = document.split(".")[0]
    scope = run(document)
    printed = capsys.readouterr().out
    said = "".join(content for language, content in blocks(document) if language == "text")
    assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", said).split()
    if "fit(" not in read(document):  # a trained network differs a little between processors
        figures = [[float(number) for number in NUMBER.findall(text)] for text in (printed, said)]
        for ours, theirs in zip(*figures, strict=True):
            # What grows or shrinks a billion times on its way differs more between processors.
            is_far = not 1e-9 < abs(theirs) < 1e9
            assert ours == pytest.approx(theirs, rel=0.5 if is_far else 0.2, abs=0)
    CLAIMS.get(page, lambda scope: None)(scope)


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_code_output_and_pictures(page: str) -> None:
    english, korean = f"{page}.md", f"{page}.ko.md"
    assert [plain(block) for block in blocks(english)] == [plain(block) for block in blocks(korean)]
    assert pictures(english) == pictures(korean)
    assert len(re.findall(r"^#", read(english), flags=re.M)) == len(
        re.findall(r"^#", read(korean), flags=re.M)
    )
    assert f"({korean})" in read(english)
    assert f"({english})" in read(korean)


def plain(block: tuple[str, str]) -> tuple[str, object]:
    """Return a block without the comments of its Python."""
    language, content = block
    if language != "python":
        return block
    tokens = tokenize.generate_tokens(io.StringIO(content).readline)
    return language, [(t.type, t.string) for t in tokens if t.type not in (tokenize.COMMENT, tokenize.NL)]


def test_every_picture_and_link_is_there_and_no_picture_is_left_over() -> None:
    documents = sorted(path.name for path in LEARN.glob("*.md"))
    assert len(documents) == 2 * (len(PAGES) + 1)
    shown = set()
    for document in documents:
        prose = re.sub(r"^```\w+\n.*?^```$", "", read(document), flags=re.S | re.M)
        links = re.findall(r"\]\(([^)]+)\)", prose)
        assert links
        for link in links:
            assert (LEARN / link).exists(), f"{document}: {link}"
        shown |= set(pictures(document))
    drawn = {path.relative_to(LEARN).as_posix(): path.stat().st_size for path in LEARN.glob("pictures/*")}
    assert set(drawn) == shown
    assert max(drawn.values()) < 200_000


@pytest.mark.parametrize("document", ["2-by-hand.md", "2-by-hand.ko.md"])
def test_the_parameter_counts_stand_on_the_page(document: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = next(content for language, content in blocks(document) if language == "sh")
    assert "322,080" in read(document)
    main(arguments_of(command.replace("layers=1", "layers=4")))
    assert re.search(r"before the head +328,320\n", capsys.readouterr().out)
    assert "328,320" in read(document)


@pytest.mark.parametrize("name", ["many_to_many", "one_to_many"])
def test_an_example_learns(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    losses = module.main(["--quick"])
    assert losses[-1] < losses[0]
    assert "held" in capsys.readouterr().out
