"""The published systems as resolved values, one TOML file each, in two forms.

`NAME` has exact lengths, dropout that is applied and selection on validation rows; `NAME-as-published`
is what the article ran, defects included.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ..config import Configuration
from ..errors import ConfigError


@dataclass(frozen=True)
class Recipe:
    """A published system: its name, what is known about it, its configuration.

    about: title, source, train and valid (the SOURCEs it was run on), published (figures), defects.
    """

    name: str
    about: dict[str, Any]
    configuration: Configuration


def recipe_names() -> list[str]:
    """Return the names of all recipes, sorted."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def read_recipe(name: str) -> Recipe:
    """Return a recipe. Raises ConfigError for an unknown name."""
    if name not in recipe_names():
        raise ConfigError(f"unknown recipe {name!r}; expected one of {', '.join(recipe_names())}")
    values = tomllib.loads((resources.files(__package__) / f"{name}.toml").read_text(encoding="utf-8"))
    about = values.pop("about")
    return Recipe(name, about, Configuration.from_mapping(values))


def read_configuration(path: Path) -> Configuration:
    """Return the configuration in a TOML file. Raises ConfigError when it holds none."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; expected a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML ({error})") from None
    values.pop("about", None)
    return Configuration.from_mapping(values)
