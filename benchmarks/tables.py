"""Writes the tables between `<!-- table: NAME -->` and `<!-- end -->` from the result files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from record import result

ROOT = Path(__file__).parent.parent
DOCUMENTS = ("README.md", "README.ko.md")


def corpora() -> str:
    lines = ["| corpus | this model, test | 95 % interval | linear baseline | training | parameters |"]
    lines.append("|---|---|---|---|---|---|")
    for corpus in ("imdb", "nsmc", "20news"):
        run = result(f"balanced-{corpus}")
        if run is not None:
            test, train = run["test"], run["train"]
            low, high = test["accuracy_ci95"]
            lines.append(
                f"| {corpus} | {test['accuracy']:.4f} | {low:.4f} to {high:.4f}"
                f" | {test['linear_baseline']['accuracy']:.4f}"
                f" | {train['seconds'] / 60:.1f} min | {train['parameters']:,} |"
            )
    return "\n".join(lines)


def recipes() -> str:
    systems = (
        ("imdb-bilstm-attention", "IMDb test", "test"),
        ("imdb-lstm", "IMDb validation, best (last) epoch", "validation"),
        ("nsmc-bilstm", "NSMC article's validation rows", "rows"),
    )
    lines = ["| system | measured on | published | as published, here | repaired, here | linear baseline |"]
    lines.append("|---|---|---|---|---|---|")
    for name, where, kind in systems:
        published, repaired = result(f"recipe-{name}-as-published"), result(f"recipe-{name}")
        if published is None or repaired is None:
            continue
        figures = re.findall(r"0\.\d+", published["published"])
        said = {"test": figures[0], "validation": f"{figures[0]} ({figures[-1]})", "rows": figures[-1]}[kind]
        lines.append(
            f"| `{name}`{_size(published)} | {where} | {said} | {_figure(published, kind)}"
            f" | {_figure(repaired, kind)} | {_linear(repaired, kind):.4f} |"
        )
    return "\n".join(lines)


def _size(run: dict[str, Any]) -> str:
    changed = [f"{key.partition('.')[2]} {value}" for key, value in run["changed"].items()]
    return f" (at {', '.join(changed)})" if changed else ""


def _figure(run: dict[str, Any], kind: str) -> str:
    if kind != "validation":
        return f"{run['test']['accuracy']:.4f}"
    scores = [epoch["validation_accuracy"] for epoch in run["history"]]
    return f"{max(scores):.4f} ({scores[-1]:.4f})"


def _linear(run: dict[str, Any], kind: str) -> float:
    figures = run["train"] if kind == "validation" else run["test"]
    return float(figures["linear_baseline"]["accuracy"])


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
    "corpus | this model, test | 95 % interval | linear baseline | training | parameters": (
        "데이터 | 이 모델, 테스트 | 95 % 구간 | 선형 기준 모델 | 학습 시간 | 매개변수"
    ),
    " min |": "분 |",
    "system | measured on | published | as published, here | repaired, here | linear baseline": (
        "시스템 | 잰 곳 | 발표된 값 | 발표된 그대로, 여기서 | 고친 것, 여기서 | 선형 기준 모델"
    ),
    "IMDb test": "IMDb 테스트",
    "IMDb validation, best (last) epoch": "IMDb 검증, 최고 (마지막) 에폭",
    "NSMC article's validation rows": "NSMC, 원문의 검증 행",
    "Measured: ": "실측: ",
    " kills (`kill -9`) at random instants from ": "번의 강제 종료(`kill -9`), 무작위 시점 ",
    " to ": " ~ ",
    " of a run, in ": ", 연속 ",
    " chains, seed ": "회, 시드 ",
    ": weights identical each time.": ": 매번 가중치가 똑같았습니다.",
}

TABLES = {"corpora": corpora, "recipes": recipes, "kills": kills}


def main() -> None:
    for name in DOCUMENTS:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        for table, write in TABLES.items():
            pattern = rf"(<!-- table: {table} -->\n).*?(<!-- end -->)"
            content = write()
            if name.endswith(".ko.md"):
                for english, korean in KOREAN.items():
                    content = content.replace(english, korean)
            text = re.sub(pattern, lambda m, c=content: f"{m[1]}{c}\n{m[2]}", text, flags=re.S)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
