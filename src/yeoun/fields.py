"""Checked fields of frozen dataclasses: their types and ranges, and their values read from text.

A key stands in messages as `section.name`; what does not fit is refused with the values that would do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NoReturn

from .errors import ConfigError


def refuse(key: str, value: object, expected: str) -> NoReturn:
    """Raise ConfigError: what `key` got and what it expected."""
    raise ConfigError(f"{key} = {value!r}: expected {expected}")


def require_one_of(key: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise ConfigError for a value that is none of `choices`."""
    if value not in choices:
        refuse(key, value, "one of " + ", ".join(choices))


def require_within(key: str, value: float, low: float, high: float) -> None:
    """Raise ConfigError for a value below `low` or above `high`."""
    if not low <= value <= high:
        refuse(key, value, f"a number from {low:g} to {high:g}")


def check_types(part: Any, section: str) -> None:
    """Give each field of `part` the type that it declares. Raises ConfigError for one that does not fit."""
    for key in fields(part):
        value = getattr(part, key.name)
        if isinstance(value, str) and "str" not in str(key.type):
            refuse(f"{section}.{key.name}", value, f"{key.type}, not text")
        object.__setattr__(part, key.name, typed_value(f"{section}.{key.name}", value, str(key.type)))


def typed_values(cls: type, section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as the types of the fields they name; strings are read, nothing is rounded."""
    kinds = {part.name: str(part.type) for part in fields(cls)}
    typed = {}
    for key, value in values.items():
        if key not in kinds:
            raise ConfigError(f"{section}.{key}: no such key; expected one of {', '.join(kinds)}")
        typed[key] = typed_value(f"{section}.{key}", value, kinds[key])
    return typed


def _is_writable(text: str) -> bool:
    """Return whether a file can hold the text; the names of some files it cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def typed_value(key: str, value: Any, kind: str) -> Any:
    """Return `value` as a `kind`: "bool", "str", "int", "float" or "int | str". Raises ConfigError where it
    is none."""
    if kind == "bool":
        words = {"true": True, "false": False}
        value = words.get(value.lower(), value) if isinstance(value, str) else value
        return value if isinstance(value, bool) else refuse(key, value, "true or false")
    if kind == "str":
        if isinstance(value, str) and not _is_writable(value):
            refuse(key, value, "text that a file can hold")
        return value if isinstance(value, str) else refuse(key, value, "text")
    if isinstance(value, bool):
        refuse(key, value, "a number")
    try:
        if kind == "float":
            number = float(value)
            return number if math.isfinite(number) else refuse(key, value, "a finite number")
        if isinstance(value, float) and not value.is_integer():
            refuse(key, value, "a whole number")
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, ConfigError):
            raise
        if kind == "int | str" and isinstance(value, str):
            return value
        refuse(key, value, "a whole number" if kind != "float" else "a number")
