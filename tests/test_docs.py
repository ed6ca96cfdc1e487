"""The code in the documents runs, and their commands are ones the program knows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from yeoun.cli import build_parser

ROOT = Path(__file__).parent.parent
READMES = ["README.md", "README.ko.md"]


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)


@pytest.mark.parametrize("document", READMES)
def test_the_python_in_the_readme_runs(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks(document, "python"))
    assert "RecurrentTextClassifier" in code
    scope: dict[str, object] = {}
    exec(compile(code, document, "exec"), scope)
    assert (tmp_path / "film-model" / "config.json").exists()


@pytest.mark.parametrize("document", READMES)
def test_every_command_in_the_readme_is_one_the_program_knows(document: str) -> None:
    commands = [
        shlex.split(line, comments=True)[1:]
        for block in blocks(document, "sh")
        for line in block.splitlines()
        if line.startswith("yeoun ")
    ]
    assert len(commands) >= 4
    for command in commands:
        assert build_parser().parse_args(command).verb == command[0]


def test_both_readmes_show_the_same_commands_and_tables() -> None:
    def shown(document: str) -> tuple[list[str], list[str]]:
        text = (ROOT / document).read_text(encoding="utf-8")
        shell = "".join(blocks(document, "sh"))
        lines = [line.split("#")[0].strip() for line in shell.splitlines()]
        tables = re.findall(r"<!-- table: (\w+) -->\n(.*?)<!-- end -->", text, flags=re.S)
        return lines, [name + " ".join(re.findall(r"\d+\.\d+", table)) for name, table in tables]

    assert shown("README.md") == shown("README.ko.md")
