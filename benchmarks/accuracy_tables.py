"""The tables of docs/accuracy.md, and that of the README, from the result files."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean, stdev
from typing import Any

from performance_tables import markdown, runs_of
from record import RESULTS


def corpora() -> str:
    def lines() -> Iterator[str]:
        for corpus in ("imdb", "nsmc", "20news"):
            for preset, (run, *_) in _presets_of(corpus):
                test = run["test"]
                low, high = test["accuracy_ci95"]
                yield (
                    f"{corpus} | {preset} | {test['accuracy']:.4f} | {low:.4f} to {high:.4f}"
                    f" | {test['recurrent_alone']['accuracy']:.4f}"
                    f" | {test['linear_baseline']['accuracy']:.4f} | {run['command_seconds'] / 60:.1f} min"
                )

    head = "corpus | preset | this model, test | 95 % interval | recurrent half | linear baseline | command"
    return markdown(head, lines())


def accuracy() -> str:
    def lines() -> Iterator[str]:
        for corpus in ("imdb", "nsmc", "20news", "20news-stripped", "20news-random"):
            for preset, runs in _presets_of(corpus):
                tests = [run["test"] for run in runs]
                own = spread([test["accuracy"] for test in tests])
                half, linear = (
                    spread([test[name]["accuracy"] for test in tests])
                    for name in ("recurrent_alone", "linear_baseline")
                )
                error = mean(test["ece"] for test in tests)
                minutes = mean(run["command_seconds"] for run in runs) / 60
                yield (
                    f"{corpus} | {preset} | {own} | {half} | {linear} | {error:.4f}"
                    f" | {minutes:.1f} min | {len(runs)}"
                )

    head = "corpus | preset | test | recurrent half | linear baseline | calibration error | command | seeds"
    return markdown(head, lines())


def _presets_of(corpus: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield each preset that was run on a corpus with its runs, by seed."""
    for preset in ("fast", "balanced", "accurate"):
        if runs := list(runs_of(f"accuracy-{preset}-{corpus}-{seed}" for seed in range(3))):
            yield preset, runs


def small() -> str:
    def lines() -> Iterator[str]:
        for corpus in ("imdb", "nsmc"):
            for rows in (500, 2_000, 10_000):
                runs = _named(f"small-{corpus}-{rows}-*")
                if runs:
                    figures = {name: [run["accuracy"][name] for run in runs] for name in runs[0]["accuracy"]}
                    best = [run["accuracy"][run["best_linear"]] for run in runs]
                    ours = figures.pop("whole")
                    points = (f"{100 * (a - b):+.2f}" for a, b in zip(ours, best, strict=True))
                    columns = [spread(ours), *map(spread, figures.values()), " ".join(points)]
                    chances = ", ".join(f"{run['p']:.2g}" for run in runs)
                    yield f"{corpus} | {rows:,} | {' | '.join(columns)} | {chances}"

    head = "corpus | rows | `balanced` | recurrent half | n-grams alone, all rows | linear baseline, all rows"
    return markdown(f"{head} | points over the better of the two, by draw | McNemar's p", lines())


def unlabelled() -> str:
    def lines() -> Iterator[str]:
        for corpus in ("imdb", "nsmc"):
            for rows in (500, 2_000, 10_000):
                alone = [run["accuracy"] for run in _named(f"small-{corpus}-{rows}-*")]
                for passes in (1, 4):
                    if runs := _named(f"unlabelled-{corpus}-{passes}-{rows}-*"):
                        own, half = (
                            [run[name]["accuracy"] for run in runs] for name in ("test", "recurrent_alone")
                        )
                        without = [each["whole"] for each in alone]
                        halves = [each["recurrent_alone"] for each in alone]
                        yield (
                            f"{corpus} | {rows:,} | {passes}"
                            f" | {runs[0]['pretraining']['seconds'] / 60:.1f} min"
                            f" | {spread(without)} | {spread(own)} | {spread(halves)} | {spread(half)}"
                        )

    head = "corpus | labelled rows | passes | pretraining | `balanced` | `accurate` from there"
    return markdown(f"{head} | recurrent half of `balanced` | of `accurate`", lines())


def ablation() -> str:
    def lines() -> Iterator[str]:
        for corpus in ("nsmc", "20news"):
            runs = _named(f"ablation-{corpus}-*")
            whole = [run for run in runs if run["without"] == "nothing"]
            for without in dict.fromkeys(run["without"] for run in runs):
                some = [run for run in runs if run["without"] == without]
                own, half = ([run[name] for run in some] for name in ("accuracy", "recurrent_alone"))
                points = 100 * (mean(own) - mean(run["accuracy"] for run in whole)) if whole else 0.0
                yield (
                    f"{corpus} | {without} | {spread(own)} | {points:+.2f} | {spread(half)}"
                    f" | {mean(run['seconds'] for run in some) / 60:.1f} min | {len(some)}"
                )

    head = "corpus | without | validation | points | recurrent half | training | seeds"
    return markdown(head, lines())


def files() -> str:
    def lines() -> Iterator[str]:
        for run in _named("file-*"):
            test = run["test"]
            yield (
                f"{run['file']} | {run['rows']:,} | {run['classes']} | {run['words']:,.0f}"
                f" | {test['macro_f1']:.4f} | {test['linear_baseline']['macro_f1']:.4f}"
                f" | {test['recurrent_alone']['macro_f1']:.4f} | {run['command_seconds'] / 60:.1f} min"
            )

    head = "file | rows | classes | words a text | macro F1 | linear baseline | recurrent half | command"
    return markdown(head, lines())


def _named(pattern: str) -> list[dict[str, Any]]:
    return list(runs_of(path.stem for path in sorted(RESULTS.glob(f"{pattern}.json"))))


def spread(figures: list[float]) -> str:
    spread = f" ± {stdev(figures):.4f}" if len(figures) > 1 else ""
    return f"{mean(figures):.4f}{spread}"


TABLES = {
    "corpora": corpora,
    "accuracy": accuracy,
    "small": small,
    "unlabelled": unlabelled,
    "ablation": ablation,
    "files": files,
}
