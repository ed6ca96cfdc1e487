"""yeoun compare"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from statistics import stdev
from typing import TYPE_CHECKING, Any

from ..card import FIGURES
from ..data.rows import Dataset, require_kind
from ..data.sources import read_source
from ..data.splits import stratified_split
from ..errors import UsageError
from .display import TrainingDisplay, describe, emit, note, note_picture, readable

if TYPE_CHECKING:
    from ..compare import Comparison


def run(options: argparse.Namespace) -> None:
    """Train the configurations on the same rows, score them on the same others, and say which is better."""
    from ..compare import compare
    from ..files import write_durably
    from ..plots import comparison_picture
    from ..process import tune_process
    from ..report import comparison_page
    from ..text.normalization import hangul_share

    names = [readable(name) for name in options.recipes.split(",") if name]
    if not names or not options.seeds:
        wanted = (
            "--seeds: expected at least 1" if names else "--recipes: expected a name, or several with commas"
        )
        raise UsageError(wanted)
    tune_process()
    train, test, split = _parts(options)

    def watch(name: str, seed: int) -> TrainingDisplay:
        note(f"{name}, seed {seed}")
        return TrainingDisplay()

    folder = Path(options.out)
    comparison = compare(train, test, names, folder, options.seeds, split, watch)
    content = asdict(comparison)
    words = (
        f"{table(comparison)}\n\n{pairs_table(comparison)}\n\n{comparison.scope}\n\n{comparison.verdict}\n"
    )
    write_durably(folder / "comparison.json", (json.dumps(content, ensure_ascii=False) + "\n").encode())
    write_durably(folder / "comparison.md", words.encode())
    page = comparison_page(comparison, options.source, hangul_share(test.texts) > 0.5)
    write_durably(folder / "comparison.html", page.encode("utf-8", "replace"))
    write_durably(folder / "picture.png", comparison_picture(comparison.configurations))
    note_picture(folder / "picture.png", "".join(names))
    if options.json:
        emit(content)
    else:
        print(words, end="")


def _parts(options: argparse.Namespace) -> tuple[Dataset, Dataset, dict[str, Any]]:
    """Return the training rows, the test rows, and how they were parted."""
    rows = read_source(options.source, options.text, options.label, options.data_dir)
    describe(rows, guessed=not (options.text and options.label))
    train = rows.dataset
    if not options.test:
        kept, held_out = stratified_split(train, options.test_share, options.split_seed)
        how = {"test_share": options.test_share, "split_seed": options.split_seed}
        return train.take(kept), train.take(held_out), {"source": readable(options.source), **how}
    test = read_source(options.test, options.text, options.label, options.data_dir, train.label_names)
    describe(test, guessed=False)
    require_kind(test.dataset, train.is_multilabel, options.test)
    return train, test.dataset, {"source": readable(options.source), "test": readable(options.test)}


def table(comparison: Comparison) -> str:
    """Return the configurations (Markdown): figures on the test rows, with the standard deviation over seeds,
    and what they cost."""
    names = [name for name in FIGURES if any(name in each.figures for each in comparison.configurations)]
    sampled = comparison.configurations[0].by_seed
    heads = [f"{FIGURES[name]}{' (95 % interval)' if name in sampled else ''}" for name in names]
    costs = ["training, s", "size, MB", "parameters", "texts/s"]
    lines = [["configuration", *heads, "recurrent half", *costs]]
    for each in comparison.configurations:
        half = each.recurrent_alone
        lines.append(
            [
                each.label,
                *(_figure(each.figures, each.by_seed, name) for name in names),
                "" if half is None else f"{half[names[0]]:.4f}",
                f"{each.seconds:.1f}",
                f"{each.bytes / 1e6:.1f}",
                f"{each.parameters:,}",
                f"{each.texts_per_second:,.0f}",
            ]
        )
    return _markdown(lines)


def pairs_table(comparison: Comparison) -> str:
    """Return the differences of each pair in points (Markdown), with their intervals and p."""
    names = list(comparison.configurations[0].by_seed)
    head = ["first", "second", *(f"{FIGURES[name]}, points" for name in names), "p", "p, corrected"]
    label = {each.name: each.label for each in comparison.configurations}
    lines = [head]
    for pair in comparison.pairs:
        each = (
            f"{100 * pair.figures[name]:+.2f} ({' to '.join(f'{100 * b:.2f}' for b in pair.figures[ci])})"
            for name in names
            for ci in [f"{name}_ci95"]
        )
        lines.append([label[pair.first], label[pair.second], *each, f"{pair.p:.2g}", f"{pair.p_holm:.2g}"])
    return _markdown(lines)


def _figure(figures: dict[str, Any], by_seed: dict[str, list[float]], name: str) -> str:
    if name not in figures:
        return ""
    seeds = by_seed.get(name, [])
    spread = f" ± {stdev(seeds):.4f}" if len(seeds) > 1 else ""
    interval = figures.get(f"{name}_ci95")
    return f"{figures[name]:.4f}{spread}" + (f" ({interval[0]:.4f} to {interval[1]:.4f})" if interval else "")


def _markdown(lines: list[list[str]]) -> str:
    head, *rows = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([head, "|" + "---|" * len(lines[0]), *rows])
