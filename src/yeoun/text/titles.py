"""Where the title stands in a text that begins as a message does, with lines `Name: value` (RFC 5322)."""

from __future__ import annotations

import re

_NAMES = "subject|title|제목"  # of the line whose value is one
_END = r"(?:\r\n?|\n)"  # of a line
_VALUE = rf"[^\r\n]*(?:{_END}[ \t]+\S[^\r\n]*)*"  # which goes on in lines that begin with a blank
_OTHERS = rf"(?:(?!(?:{_NAMES})[:：])[^\s:：]*[:：]{_VALUE}{_END})*"
_TITLE = re.compile(rf"\s*{_OTHERS}(?:{_NAMES})[:：][^\S\r\n]*(?:{_END}[ \t]+)?(\S{_VALUE})", re.IGNORECASE)


def title_span(text: str) -> tuple[int, int] | None:
    """Return start and end of the title of `text` (code points), None where it has none."""
    found = _TITLE.match(text)
    return None if found is None else found.span(1)
