"""The house keeps its shape: imports run downward, names in the tour exist, some rooms must not."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

import yeoun

ROOT = Path(yeoun.__file__).parent
DOCS = Path(__file__).parent.parent / "docs"
FLOORS = [
    {"errors", "version", "files", "process", "testing"},
    {"sealed"},
    {"fields"},
    {"config"},
    {"presets", "recipes"},
    {"text"},
    {"data", "nn", "evaluation"},
    {"card"},
    {"bundle", "pretrained"},
    {"inference", "training", "export"},
    {"runs"},
    {"compare"},
    {"explain", "doctor"},
    {"plots", "report"},
    {"estimator", "reproduce", "bulk"},
    {"cli"},
]
APART = {"data", "nn", "evaluation"}
RARE = {"pandas", "polars", "matplotlib", "datasets", "kiwipiepy", "konlpy", "spacy", "onnxruntime"}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imported(path: Path) -> list[tuple[str, int]]:
    """Return the absolute names a module imports from this package, anywhere in it."""
    package = ["yeoun", *path.relative_to(ROOT).parent.parts]
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found += [(".".join([*base, name]), node.lineno) for name in names]
    return [(name, line) for name, line in found if name.startswith("yeoun.")]


def floor(room: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_downward_only(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if own in ("__init__", "__main__"):
        return
    for name, line in imported(path):
        other = room_of(name)
        assert floor(other) <= floor(own), f"{path}:{line} imports {name}, a floor above"
        assert not ({own, other} <= APART and own != other), f"{path}:{line}: {own} and {other} are apart"


def test_every_room_has_a_floor() -> None:
    rooms = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in modules()}
    assert rooms - {"__init__", "__main__"} == set().union(*FLOORS)


def test_text_data_and_evaluation_never_import_torch() -> None:
    for path in modules():
        if path.relative_to(ROOT).parts[0] in ("text", "data", "evaluation", "config.py", "presets.py"):
            assert not re.search(r"^\s*(import|from) torch", path.read_text(encoding="utf-8"), re.M), path


def test_no_module_imports_a_rare_dependency_at_its_top() -> None:
    for path in modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not {name.split(".")[0] for name in names} & RARE, path


def test_nothing_is_pickled_and_no_room_is_nameless() -> None:
    for path in modules():
        assert path.stem not in ("utils", "helpers", "common", "misc"), path
        source = ast.parse(path.read_text(encoding="utf-8"))
        calls = {ast.unparse(node.func) for node in ast.walk(source) if isinstance(node, ast.Call)}
        assert not calls & {"torch.load", "torch.save", "pickle.load", "pickle.dump", "joblib.load"}, path


def tour_names() -> list[str]:
    return re.findall(r"`(yeoun\.[\w.]+)`", (DOCS / "tour.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(set(tour_names())))
def test_every_name_in_the_tour_exists(name: str) -> None:
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[cut:]:
            found = getattr(found, attribute)
        return
    pytest.fail(f"{name} does not exist")


def test_the_tour_names_both_journeys() -> None:
    names = tour_names()
    assert len(names) > 30
    assert {"yeoun.cli.train.run", "yeoun.cli.predict.run", "yeoun.inference.predict_proba"} <= set(names)
