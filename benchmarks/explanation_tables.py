"""Tables of what `benchmarks/faithfulness.py` measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from record import result

RUNS = [(corpus, model) for corpus in ("nsmc", "imdb") for model in ("fast", "fast-attention", "balanced")]


def faithfulness() -> str:
    lines = ["| corpus | model | method | taken out by | comprehensiveness | times random | sufficiency |"]
    lines.append("|---|---|---|---|---|---|---|")
    for run in finished():
        for method, found in run["methods"].items():
            for way in ("delete", "mask"):
                fallen, times = (
                    between(found[way], "comprehensiveness"),
                    between(found[way], "times_random", 1),
                )
                lines.append(
                    f"| {run['corpus']} | {run['model']} | {method} | {way} | {fallen} | {times}"
                    f" | {between(found[way], 'sufficiency')} |"
                )
    return "\n".join(lines)


def exactness() -> str:
    lines = ["| corpus | model | median gap | 99 % of the texts below | largest | texts within 1 % |"]
    lines.append("|---|---|---|---|---|---|")
    for run in finished():
        gaps = run["gaps"]
        lines.append(
            f"| {run['corpus']} | {run['model']} | {gaps['median']:.3%} | {gaps['percentile_99']:.2%}"
            f" | {gaps['largest']:.2%} | {gaps['share_within_one_percent']:.1%} |"
        )
    return "\n".join(lines)


def alike() -> str:
    lines = ["| corpus | model | method | weights shuffled | another seed |", "|---|---|---|---|---|"]
    for run in finished():
        for method, found in run["methods"].items():
            if method != "random":
                other = run["agreement"].get(method, {})
                lines.append(
                    f"| {run['corpus']} | {run['model']} | {method} | {between(found, 'randomized', 2)}"
                    f" | {between(other, 'agreement', 2)} |"
                )
    return "\n".join(lines)


def explanation_times() -> str:
    lines = ["| corpus | model | method | 20 words | 400 words |", "|---|---|---|---|---|"]
    for run in finished():
        for method, taken in run["milliseconds"].items():
            times = " | ".join(f"{milliseconds:.0f} ms" for milliseconds in taken.values())
            lines.append(f"| {run['corpus']} | {run['model']} | {method} | {times} |")
    return "\n".join(lines)


def word_weights() -> str:
    """Return the scores of the words of two reviews, all methods side by side."""
    parts = []
    by_corpus = {run["corpus"]: run for run in finished() if run["model"] == "fast"}
    by_corpus |= {run["corpus"]: run for run in finished() if run["model"] == "fast-attention"}
    for run in by_corpus.values():
        for review in run["reviews"]:
            methods = list(review["scores"])
            title = f"{run['corpus']}: {review['label']}, {review['probability']:.3f}"
            parts.append(f"| {title} | {' | '.join(methods)} |\n|---|{'---|' * len(methods)}")
            for i, token in enumerate(review["tokens"]):
                scores = (of[i] if i < len(of) else None for of in review["scores"].values())
                cells = ("" if score is None else f"{score:.2f}" for score in scores)
                parts.append(f"| {token.replace('|', chr(92) + '|')} | {' | '.join(cells)} |")
            parts.append("")
    return "\n".join(parts).rstrip()


def finished() -> Iterator[dict[str, Any]]:
    for corpus, model in RUNS:
        if run := result(f"faithfulness-{corpus}-{model}"):
            yield run


def between(found: dict[str, Any], name: str, digits: int = 3) -> str:
    """Return a figure with its interval, nothing where it is not there."""
    if name not in found:
        return ""
    low, high = found[f"{name}_ci95"]
    return f"{found[name]:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


TABLES = {
    "faithfulness": faithfulness,
    "exactness": exactness,
    "alike": alike,
    "explanation-times": explanation_times,
    "word-weights": word_weights,
}
