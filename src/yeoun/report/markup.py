"""Markup that is escaped by construction: whatever is not `Html` already becomes text.

A document asks for nothing and holds no script; its content security policy would let none run.
"""

from __future__ import annotations

from html import escape

_VOID = {"br", "input", "link", "meta"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


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


def document(title: str, style: str, *body: object, language: str = "en") -> str:
    """Return a whole file that shows `body`. style: its only style sheet."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Html(style)),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', *body), lang=language)}\n"
