"""What the page says, in English and in Korean: both lie in it, and a rule of its style shows one.

The words are in `words.toml`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import NamedTuple

from .markup import Html, markup, tag


class Words(NamedTuple):
    """The same in both languages."""

    english: str
    korean: str


@cache
def vocabulary() -> dict[str, Words]:
    """Return all words of the page by their keys."""
    content = resources.files(__package__).joinpath("words.toml").read_text(encoding="utf-8")
    return {key: Words(*both) for key, both in tomllib.loads(content).items()}


def words(key: str, **values: object) -> Words:
    """Return the words of `key` with the values put in, as markup in each language: values are escaped, and
    `Words` among them stand in their language."""

    def filled(language: int) -> Html:
        chosen = {
            name: markup(each[language] if isinstance(each, Words) else each) for name, each in values.items()
        }
        return Html(markup(vocabulary()[key][language]).format(**chosen))

    return Words(filled(0), filled(1))


def say(key: str, **values: object) -> Html:
    """Return the words of `key` as markup, each language marked as what it is."""
    english, korean = words(key, **values)
    if english == korean:
        return markup(english)
    return markup(tag("span", english, class_="en", lang="en"), tag("span", korean, class_="ko", lang="ko"))
