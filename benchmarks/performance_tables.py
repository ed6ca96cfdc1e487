"""The tables of docs/performance.md, from the result files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from statistics import mean, median
from typing import Any

from record import result

TASKS = ("imdb-lstm", "imdb-simplernn", "imdb-bilstm-512", "nsmc-bilstm")
PRECISIONS = ("fp32", "bf16")
LIMITS = ("torch's layer alone", "our layer alone", "matrix product")
NOT_MEASURED = "Not measured yet."


def markdown(header: str, lines: Iterable[str]) -> str:
    """Return a table, or that there is nothing to tell."""
    rows = [f"| {line} |" for line in lines]
    columns = header.count("|") + 1
    return "\n".join([f"| {header} |", "|" + "---|" * columns, *rows]) if rows else NOT_MEASURED


def _range(figures: Mapping[str, float], unit: float = 1.0, form: str = ".2f") -> str:
    """Return the median with the fastest and the slowest."""
    middle, low, high = (format(figures[part] * unit, form) for part in ("seconds", "fastest", "slowest"))
    return f"{middle} ({low} to {high})"


def _network(run: Mapping[str, Any]) -> str:
    model, text = run["configuration"]["model"], run["configuration"]["text"]
    cell = {"rnn": "SimpleRNN"}.get(model["encoder"], model["encoder"].upper())
    name = f"{'Bi' if model['bidirectional'] else ''}{cell} {model['hidden_size']}"
    return f"{name}, at most {text['maximum_length']} tokens"


def speed() -> str:
    def lines() -> Iterator[str]:
        for run in runs_of(f"speed-{task}" for task in TASKS):
            task = f"{run['task'].partition('-')[0]}, {_network(run)}"
            tuned = result(f"speed-{run['task']}-tuned")
            for way, figures in run["ways"].items():
                if figures is None:
                    yield f"{task} | {way} | not installed | | | | "
                    continue
                scale = run["epoch_steps"] / run["steps"]
                also = tuned and tuned["ways"][way]
                yield (
                    f"{task} | {way} | {_range(figures, scale, '.1f')} s"
                    f" | {figures['tokens_per_second']:,} | {figures['times_ours']:.2f}"
                    f" | {_range(also, scale, '.1f') + ' s' if also else ''}"
                    f" | {format(also['times_ours'], '.2f') if also else ''}"
                )

    header = "task | who | an epoch | real tokens a second | times the seconds of ours in fp32"
    return markdown(f"{header} | an epoch, tuned | times ours in fp32, tuned", lines())


def speed_sample() -> str:
    lines = (
        f"- {run['task']}: {run['steps']} of {run['epoch_steps']} steps of"
        f" {run['configuration']['train']['batch_size']} rows, {run['tokens_per_text']} tokens a text,"
        f" {run['rounds']} rounds."
        for run in runs_of(f"speed-{task}" for task in TASKS)
    )
    return "\n".join(lines) or NOT_MEASURED


def limits() -> str:
    def lines() -> Iterator[str]:
        for run in runs_of(f"speed-{task}" for task in TASKS):
            rates = run["gflops"]
            for precision in PRECISIONS:
                if f"ours, {precision}" in rates:
                    ours = rates[f"ours, {precision}"]
                    alone = (rates[f"{limit}, {precision}"] for limit in LIMITS)
                    shares = " | ".join(f"{limit:.0f} | {ours / limit:.0%}" for limit in alone)
                    yield f"{run['task']} | {precision} | {ours:.0f} | {shares}"

    header = "task | precision | our step, useful GFLOP/s"
    return markdown(" | ".join([header, *(f"{limit} | share of it" for limit in LIMITS)]), lines())


def rates() -> str:
    def lines() -> Iterator[str]:
        for run in runs_of(f"rates-{corpus}{of}" for corpus in ("nsmc", "imdb") for of in ("", "-accurate")):
            for way, figures in run["ways"].items():
                if figures is None:
                    yield f"{run['corpus']} | {way} | not installed | | "
                    continue
                ratio = figures["times_bert"]
                slowest, fastest = (figures["rows"] / figures[part] for part in ("slowest", "fastest"))
                beside = "" if ratio is None else f"{ratio:,.{1 if ratio < 100 else 0}f}"
                yield (
                    f"{run['corpus']} | {way} | {figures['rows']:,} | {figures['rows_per_second']:,.0f}"
                    f" ({slowest:,.0f} to {fastest:,.0f}) | {beside}"
                )

    return markdown("corpus | who | rows | rows a second | times BERT-base of that precision", lines())


def large() -> str:
    run = result("large-5000000")
    if run is None:
        return NOT_MEASURED
    lines = (
        f"{name} | {run[step]['seconds'] / 60:.1f} min | {run[step]['peak_mb']:,} MB"
        f" | {', '.join(f'{each:,}' for each in run[step]['peak_mb_by_tenth'])}"
        for name, step in (
            ("train, one epoch", "train"),
            ("predict", "predict"),
            ("predict, resumed", "resumed"),
        )
    )
    table = markdown("command | time | peak | peak of each tenth of the time, MB", lines)
    same = "the same bytes as" if run["identical"] else "other bytes than"
    size = f"{run['rows']:,} rows, {run['bytes'] / 1e6:,.0f} MB"
    return f"{table}\n\n{size}. The resumed output has {same} the uninterrupted one."


def latency() -> str:
    run = result("latency")
    answers = run["milliseconds"].items() if run else ()
    header = "model, runtime | one review, median | 99 of 100 within"
    lines = (f"{name} | {of['median']:.2f} ms | {of['percentile_99']:.2f} ms" for name, of in answers)
    return markdown(header, lines)


def starts() -> str:
    run = result("latency")
    starts = run["starts"].items() if run else ()
    return markdown("from nothing | seconds", (f"{name} | {_range(of)}" for name, of in starts))


def precision() -> str:
    def lines() -> Iterator[str]:
        for run in runs_of(f"precision-{corpus}" for corpus in ("nsmc", "imdb")):
            for name, of in run["runs"].items():
                accuracies = [each["validation"] for each in of]
                yield (
                    f"{run['corpus']} | {name} | {median(each['seconds'] for each in of):.0f} s"
                    f" | {mean(accuracies):.4f} ({min(accuracies):.4f} to {max(accuracies):.4f}) | {len(of)}"
                )

    return markdown("corpus | precision | training | validation accuracy, mean and range | seeds", lines())


def precision_steps() -> str:
    run = result("precision-steps")
    lines = (
        f"{of['cell']} | {of['hidden_size']} | {of['tokens']} | {_range(of['fp32'], 1000, '.1f')}"
        f" | {_range(of['bf16'], 1000, '.1f')} | {of['bf16_times_fp32']:.2f}"
        for of in (run["steps"] if run else ())
    )
    header = "cell | units | tokens a text | fp32, ms a step | bf16, ms a step | bf16 in fp32's time"
    return markdown(header, lines)


def growth() -> str:
    run = result("growth")
    if run is None:
        return NOT_MEASURED
    panel = run["panels"]["rows"]
    lines = (
        f"{rows:,} | {_range(train, 1e6 / rows, '.1f')} | {_range(answer, 1e6 / rows, '.1f')}"
        for rows, train, answer in zip(panel["sizes"], panel["training"], panel["answering"], strict=True)
    )
    table = markdown("rows | text to the end of an epoch, µs a row | text to answer, µs a row", lines)
    return f"![Cost by rows, tokens, units and vocabulary](pictures/growth.png)\n\n{table}"


def onnx() -> str:
    def lines() -> Iterator[str]:
        for run in runs_of(f"onnx-{corpus}" for corpus in ("imdb", "nsmc")):
            for name, of in run["runtimes"].items():
                check = of["check"]
                beside = (
                    f"{check['largest_difference']:.2g} | {check['other_labels']} of {check['texts']:,}"
                    if check
                    else " | "
                )
                yield (
                    f"{run['corpus']} | {name} | {of['bytes'] / 1e6:.1f} MB | {beside}"
                    f" | {of['accuracy']:.4f} | {of['rows_per_second']:,.0f} | {of['times_torch']:.2f}"
                )

    header = "corpus | runtime | size | largest difference of a logit | other labels | test accuracy"
    return markdown(f"{header} | rows a second | times torch's", lines())


def runs_of(names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the results that are there."""
    return (run for name in names if (run := result(name)) is not None)


TABLES = {
    "speed": speed,
    "speed-sample": speed_sample,
    "limits": limits,
    "rates": rates,
    "large": large,
    "latency": latency,
    "starts": starts,
    "precision": precision,
    "precision-steps": precision_steps,
    "growth": growth,
    "onnx": onnx,
}
