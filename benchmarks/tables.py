"""Writes the tables between `<!-- table: NAME -->` and `<!-- end -->` from the result files."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import mean, median

from accuracy_tables import TABLES as ACCURACY
from accuracy_tables import spread
from comparison_tables import TABLES as COMPARISON
from doctor_tables import TABLES as DOCTOR
from explanation_tables import TABLES as EXPLANATIONS
from performance_tables import TABLES as PERFORMANCE
from record import RESULTS, result
from report_tables import TABLES as REPORTS

from yeoun.recipes import read_recipe
from yeoun.reproduce import defects, results_of, table
from yeoun.runs import read_result

ROOT = Path(__file__).parent.parent
DOCUMENTS = (
    "README.md",
    "README.ko.md",
    "docs/choosing.md",
    "docs/results.md",
    "docs/performance.md",
    "docs/accuracy.md",
    "docs/explanations.md",
    "docs/comparing.md",
    "docs/report.md",
    "docs/doctor.md",
)


def recipes() -> str:
    return table(RESULTS / "recipes")


def full_size() -> str:
    lines = ["| run | published | test | epochs (kept) | training |", "|---|---|---|---|---|"]
    for path in sorted((RESULTS / "recipes" / "full-size").glob("*.json")):
        run = read_result(path)
        assert run is not None
        epochs = f"{len(run['history'])} ({run['best_epoch']})"
        lines.append(
            f"| `{run['name']}` | {read_recipe(run['name']).about['figure']} | {run['test']['accuracy']:.4f}"
            f" | {epochs} | {run['seconds'] / 60:.1f} min |"
        )
    return "\n".join(lines)


def recipe_defects() -> str:
    return defects(RESULTS / "recipes")


def sentences() -> str:
    lines = ["| sentence | the article | as published | repaired |", "|---|---|---|---|"]
    system = "nsmc-bilstm"
    forms = [results_of(RESULTS / "recipes", name) for name in (f"{system}-as-published", system)]
    for sentence, published in read_recipe(system).about["sentences"].items():
        said = (spread([run["sentences"][sentence] for run in runs]) for runs in forms)
        lines.append(f"| {sentence} | {published} | {' | '.join(said)} |")
    return "\n".join(lines)


def misses() -> str:
    system = "imdb-simplernn-as-published"
    runs = {
        f"`{system}`, seed {run['seed']}": [epoch["validation_accuracy"] for epoch in run["history"]]
        for run in results_of(RESULTS / "recipes", system)
    }
    for name, words in (
        ("imdb-simplernn", "the same network in Keras, same rows and token ids"),
        ("imdb-bilstm", "`imdb-bilstm-as-published`, 12 epochs (on test rows, as published)"),
    ):
        if found := result(f"miss-{name}"):
            runs[words] = found["accuracy"]
    lines = ["| run | validation accuracy by epoch |", "|---|---|"]
    for run, accuracy in runs.items():
        lines.append(f"| {run} | {', '.join(f'{each:.4f}' for each in accuracy)} |")
    return "\n".join(lines)


def cells() -> str:
    run = result("cells")
    lines = ["| task | cell | gates | parameters | seconds an epoch | test | test, words shuffled |"]
    lines.append("|---|---|---|---|---|---|---|")
    for task, of_cell in run["tasks"].items() if run else ():
        for cell, figures in of_cell.items():
            lines.append(
                f"| {task} | {cell} | {figures['gates']} | {figures['parameters']:,}"
                f" | {figures['seconds_an_epoch']:.1f} | {spread(figures['test_by_seed'])}"
                f" | {figures['test_shuffled']:.4f} |"
            )
    return "\n".join(lines)


def schemes() -> str:
    lines = ["| scheme | validation | nsmc:test | vocabulary | unknown | tokens a text | training | seeds |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for scheme in ("whitespace", "words", "characters", "jamo", "bpe", "unigram", "kiwi", "okt"):
        runs = [run for seed in range(3) if (run := result(f"scheme-{scheme}-{seed}"))]
        if runs:
            one = runs[0]
            lines.append(
                f"| {scheme} | {spread([run['validation'] for run in runs])}"
                f" | {spread([run['test'] for run in runs])} | {one['vocabulary']:,}"
                f" | {one['unknown_share']:.2%} | {one['tokens_per_text']:.1f}"
                f" | {median(run['training_seconds'] for run in runs):.0f} s | {len(runs)} |"
            )
    return "\n".join(lines)


def indexing() -> str:
    run = result("indexing")
    lines = ["| scheme | texts a second, cut and indexed | the library alone |", "|---|---|---|"]
    for scheme, figures in run["schemes"].items() if run else ():
        alone = figures.get("library_texts_per_second")
        beside = f"{alone:,} ({figures['times_library']:.2f} times its seconds)" if alone else ""
        lines.append(f"| {scheme} | {figures['texts_per_second']:,} | {beside} |")
    return "\n".join(lines)


def encoders() -> str:
    lines = [
        "| corpus | encoder | test | linear baseline | training | parameters |",
        "|---|---|---|---|---|---|",
    ]
    for corpus in ("nsmc", "imdb"):
        for encoder in ("lstm", "convolution"):
            run = result(f"encoder-{encoder}-{corpus}")
            if run:
                lines.append(
                    f"| {corpus} | {encoder} | {run['test']['accuracy']:.4f}"
                    f" | {run['test']['linear_baseline']['accuracy']:.4f}"
                    f" | {run['train']['seconds']:.0f} s | {run['train']['parameters']:,} |"
                )
    return "\n".join(lines)


def vectors() -> str:
    run = result("vectors-nsmc")
    if run is None:
        return ""
    lines = ["| embedding starts from | nsmc:test, mean of 3 draws | linear baseline | coverage |"]
    lines.append("|---|---|---|---|")
    for start, words in (("random", "random vectors"), ("given", "the other model's vectors")):
        lines.append(
            f"| {words} | {spread([each['test'] for each in run[start]])}"
            f" | {spread([each['linear_baseline'] for each in run[start]])}"
            f" | {mean(each['vector_coverage'] for each in run[start]):.1%} |"
        )
    return "\n".join(lines)


def multilabel() -> str:
    run = result("multilabel-20news")
    if run is None:
        return ""
    names = ("subset_accuracy", "micro_f1", "macro_f1")
    lines = ["| test | subset accuracy | micro F1 | macro F1 |", "|---|---|---|---|"]
    for words, figures in (("this model", run["test"]), ("linear baseline", run["test"]["linear_baseline"])):
        lines.append(f"| {words} | {' | '.join(f'{figures[name]:.4f}' for name in names)} |")
    return "\n".join(lines)


def kills() -> str:
    run = result("kill-and-resume")
    if run is None:
        return ""
    shares = sorted(run["kills_as_share_of_a_run"])
    return (
        f"Measured: {len(shares)} kills (`kill -9`) at random instants from {shares[0]:.0%} to"
        f" {shares[-1]:.0%} of a run, in {run['chains']} chains, seed {run['seed']}: weights identical"
        " each time."
    )


KOREAN = {
    "corpus | preset | this model, test | 95 % interval | recurrent half | linear baseline | command": (
        "데이터 | 프리셋 | 이 모델, 테스트 | 95 % 구간 | 그 순환 신경망만 | 선형 기준 모델 | 명령 전체"
    ),
    " min |": "분 |",
    "system | accuracy of | published | as published | repaired | default preset | linear baseline": (
        "시스템 | 정확도를 잰 곳 | 발표된 값 | 발표된 그대로 | 고친 것 | 기본 프리셋 | 선형 기준 모델"
    ),
    "the article's validation rows, last epoch": "원문의 검증 행, 마지막 에폭",
    "validation rows, best epoch": "검증 행, 최고 에폭",
    "the article's test rows": "원문의 테스트 행",
    "not run": "아직 없음",
    "| none |": "| 없음 |",
    " seeds)": "개 시드)",
    "Measured: ": "실측: ",
    " kills (`kill -9`) at random instants from ": "번의 강제 종료(`kill -9`), 무작위 시점 ",
    " to ": " ~ ",
    " of a run, in ": ", 연속 ",
    " chains, seed ": "회, 시드 ",
    ": weights identical each time.": ": 매번 가중치가 똑같았습니다.",
}

TABLES = {
    **ACCURACY,
    **DOCTOR,
    "recipes": recipes,
    "full-size": full_size,
    "defects": recipe_defects,
    "sentences": sentences,
    "misses": misses,
    "kills": kills,
    "cells": cells,
    "schemes": schemes,
    "indexing": indexing,
    "encoders": encoders,
    "vectors": vectors,
    "multilabel": multilabel,
    **PERFORMANCE,
    **EXPLANATIONS,
    **COMPARISON,
    **REPORTS,
}


def main() -> None:
    for name in DOCUMENTS:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        for marker, write in TABLES.items():
            pattern = rf"(<!-- table: {marker} -->\n).*?(<!-- end -->)"
            content = write()
            if name.endswith(".ko.md"):
                for english, korean in KOREAN.items():
                    content = content.replace(english, korean)
            text = re.sub(pattern, lambda m, c=content: f"{m[1]}{c}\n{m[2]}", text, flags=re.S)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
