"""Reports of the `fast` models of IMDb and NSMC on their test rows, in headless Chromium.

How large each is and how long it takes; what it asks for, and what stands on the console; whether it fits a
phone's 390 pixels; and whether markup in the data shows as text. The pages, and what they look like in both
colour schemes and in print, lie in `runs/report`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from browser import Browser
from models import trained
from record import RUNS, record, result

from yeoun.bundle import ModelBundle
from yeoun.data.rows import Dataset
from yeoun.data.sources import read_source
from yeoun.report import model_report

PLACE = RUNS / "report"
ATTACK = "<script>alert(1)</script>"
VIEWS = [(width, scheme, "screen") for width in (390, 1280) for scheme in ("light", "dark")]


def main() -> None:
    PLACE.mkdir(parents=True, exist_ok=True)
    for corpus in ("imdb", "nsmc"):
        if result(f"report-{corpus}") is None:
            record(f"report-{corpus}", report_of(corpus))


def report_of(corpus: str) -> dict[str, Any]:
    bundle = ModelBundle.load(trained("fast", corpus))
    rows = read_source(f"{corpus}:test", names=bundle.label_names).dataset
    started = time.perf_counter()
    path = written(model_report(bundle, rows, f"{corpus}:test"), f"{corpus}.html")
    seconds = time.perf_counter() - started
    with Browser() as browser:
        looked_at = looks(browser, path)
    return {
        "rows": len(rows),
        "bytes": path.stat().st_size,
        "seconds": round(seconds, 1),
        **looked_at,
        "markup_as_text": shows_markup(bundle),
    }


def looks(browser: Browser, path: Path) -> dict[str, Any]:
    """Return what the page asks for and says in each view, and the width it takes of 390 pixels."""
    requests: list[str] = []
    console: list[str] = []
    widths = {}
    for width, scheme, medium in [*VIEWS, (794, "light", "print")]:
        browser.open(path, width, scheme, medium)
        requests += browser.requests()
        console += browser.console()
        widths[width] = browser.evaluate("return document.documentElement.scrollWidth")
        name = "print" if medium == "print" else f"{width}-{scheme}"
        browser.screenshot(PLACE / f"{path.stem}-{name}.png")
    return {"requests": requests, "console": console, "width_of_390": widths[390]}


def shows_markup(bundle: ModelBundle) -> bool:
    """Return whether a text and a file's name that are a script show as text, and none runs."""
    texts = [f"{ATTACK} {i}" for i in range(8)]
    rows = Dataset(texts, np.arange(8) % len(bundle.label_names), bundle.label_names)
    path = written(model_report(bundle, rows, f"{ATTACK}.csv"), "markup.html")
    with Browser() as browser:
        browser.open(path, 390)
        text = browser.evaluate("return document.body.innerText")
        scripts = browser.evaluate("return document.scripts.length")
    return text.count(ATTACK) > 1 and f"{ATTACK}.csv" in text and scripts == 0


def written(page: str, name: str) -> Path:
    (PLACE / name).write_bytes(page.encode("utf-8", "replace"))
    return PLACE / name


if __name__ == "__main__":
    main()
