"""Tables of what `benchmarks/report.py` and `benchmarks/trust.py` measured."""

from __future__ import annotations

from record import result

CORPORA = ("imdb", "nsmc")


def reports() -> str:
    lines = ["| report of | rows | size | time | requests | console | markup in the data |"]
    lines.append("|---|---|---|---|---|---|---|")
    for corpus in CORPORA:
        if run := result(f"report-{corpus}"):
            shown = "shows as text" if run["markup_as_text"] else "runs"
            console = "; ".join(run["console"]) or "nothing"
            lines.append(
                f"| {corpus}:test | {run['rows']:,} | {run['bytes'] / 1e6:.2f} MB | {run['seconds']:.0f} s"
                f" | {len(run['requests'])} | {console} | {shown} |"
            )
    return "\n".join(lines)


def trust() -> str:
    lines = ["| corpus | wanted | draws that miss it | answered | test rows answered | of these right |"]
    lines.append("|---|---|---|---|---|---|")
    for corpus in CORPORA:
        if run := result(f"trust-{corpus}"):
            for precision, missed in run["missed"].items():
                stored = run["stored"][precision]
                right = "" if stored["accuracy"] is None else f"{stored['accuracy']:.4f}"
                lines.append(
                    f"| {corpus} | {precision} | {'none found' if missed is None else f'{missed:.1%}'}"
                    f" | {run['covered'][precision]:.1%} | {stored['coverage']:.1%} | {right} |"
                )
    return "\n".join(lines)


TABLES = {"reports": reports, "trust": trust}
