"""The tables of docs/comparing.md, from the result files."""

from __future__ import annotations

from collections.abc import Iterator

from accuracy_tables import spread
from performance_tables import NOT_MEASURED, markdown, runs_of

CORPORA = ("nsmc", "20news")
METHODS = ("ours", "percentiles", "BCa")
CROSSED = ("ours", "no other seeds", "both resampled")


def coverage() -> str:
    def lines() -> Iterator[str]:
        for run in runs_of(f"coverage-{rows}" for rows in (100, 300, 1_000, 2_000)):
            for scenario in run["scenarios"]:
                for figure, of_method in scenario["covered"].items():
                    each = (f"{of_method[name]:.1%}" if name in of_method else "" for name in METHODS)
                    words = figure.replace("_f1", " F1")
                    yield f"{scenario['rows']:,} | {scenario['population']} | {words} | {' | '.join(each)}"

    return markdown("rows | population | difference of | ours | percentiles | BCa", lines())


def coverage_seeds() -> str:
    def lines() -> Iterator[str]:
        for run in runs_of(["coverage-seeds"]):
            for scenario in run["scenarios"]:
                each = (f"{scenario['covered']['accuracy'][name]:.1%}" for name in CROSSED)
                points = 100 * scenario["deviation_over_seeds"]
                yield f"{scenario['rows']:,} | {scenario['seeds']} | {points:.1f} | {' | '.join(each)}"

    head = "rows | seeds | accuracy's standard deviation over seeds, points"
    return markdown(f"{head} | ours | as if no other seeds existed | both resampled, percentiles", lines())


def compared() -> str:
    def lines() -> Iterator[str]:
        for run in runs_of(f"compare-{corpus}" for corpus in CORPORA):
            for each in run["configurations"]:
                low, high = each["figures"]["accuracy_ci95"]
                losses = (each["figures"].get(name) for name in ("log_loss", "ece"))
                of_probabilities = " | ".join("" if loss is None else f"{loss:.4f}" for loss in losses)
                yield (
                    f"{run['corpus']} | {_encoder(each['label'])} | {spread(each['by_seed']['accuracy'])}"
                    f" | {low:.4f} to {high:.4f} | {spread(each['by_seed']['macro_f1'])}"
                    f" | {of_probabilities} | {each['seconds']:.0f} s | {each['bytes'] / 1e6:.1f} MB"
                    f" | {each['parameters']:,} | {each['texts_per_second']:,.0f}"
                )

    head = "corpus | encoder | accuracy | 95 % interval | macro F1 | log loss | calibration error"
    return markdown(f"{head} | training | size | parameters | texts a second", lines())


def compared_pairs() -> str:
    def lines() -> Iterator[str]:
        for run in runs_of(f"compare-{corpus}" for corpus in CORPORA):
            label = {each["name"]: _encoder(each["label"]) for each in run["configurations"]}
            for pair in run["pairs"]:
                low, high = (100 * bound for bound in pair["figures"]["accuracy_ci95"])
                yield (
                    f"{run['corpus']} | {label[pair['first']]} | {label[pair['second']]}"
                    f" | {100 * pair['figures']['accuracy']:+.2f} | {low:.2f} to {high:.2f}"
                    f" | {', '.join(f'{p:.2g}' for p in pair['mcnemar'])} | {pair['p']:.2g}"
                    f" | {pair['p_holm']:.2g}"
                )

    head = "corpus | first | second | points | 95 % interval | McNemar's mid-p by seed"
    return markdown(f"{head} | p of rows and seeds | corrected", lines())


def verdicts() -> str:
    said = (
        f"**{run['corpus']}.** {run['verdict'].replace('model.encoder=', '')}\n\n"
        f"![Accuracy against training time, size and speed](pictures/compare-{run['corpus']}.png)"
        for run in runs_of(f"compare-{corpus}" for corpus in CORPORA)
    )
    return "\n\n".join(said) or NOT_MEASURED


def _encoder(label: str) -> str:
    return label.removeprefix("model.encoder=")


TABLES = {
    "coverage": coverage,
    "coverage-seeds": coverage_seeds,
    "compared": compared,
    "compared-pairs": compared_pairs,
    "verdicts": verdicts,
}
