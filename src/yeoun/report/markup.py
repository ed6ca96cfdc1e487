"""Markup that is escaped by construction: whatever is not `Html` already becomes text."""

from __future__ import annotations

from html import escape

_VOID = {"br", "input", "link", "meta"}


class Html(str):
    """Text that is markup."""

    __slots__ = ()


def markup(*parts: object) -> Html:
    """Return the parts one after another, those that are no `Html` escaped; None is nothing."""
    return Html(
        "".join(part if isinstance(part, Html) else escape(str(part)) for part in parts if part is not None)
    )


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """Return an element. Of attributes a trailing underscore is left out, another becomes a hyphen, and one
    that is None is not written."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in _VOID else f"{markup(*children)}</{name}>"
    return Html(f"<{name}{written}>{end}")
