"""The command line: a verb, its flags, its function. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

import argparse
import errno
import io
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from ..errors import UsageError, YeounError
from ..process import prepare_process
from ..version import __version__

COMPARED = "presets, recipes, TOML files, linear; `NAME+section.key=value` changes a value"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    parser = build_parser()
    options, left = parser.parse_known_args(arguments)
    if options.verb == "predict" and not any(each.startswith("-") for each in left):
        options.texts += left  # those behind an option
    elif left:
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    if options.verb is None:
        parser.print_help()
        return 2
    _accept_any_bytes()
    prepare_process()
    try:
        import_module(f".{options.verb}", __package__).run(options)
        sys.stdout.flush()
    except YeounError as error:
        _fail(str(error))
        return 2 if isinstance(error, UsageError) else 1
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.raise_signal(signal.SIGPIPE)
        advice = "; free some space" if error.errno == errno.ENOSPC else ""
        return _fail(f"{error.filename or 'output'}: {error.strerror or error}{advice}")
    except KeyboardInterrupt:
        resumable = _is_resumable(options)
        print("\nyeoun: interrupted" + ("; go on with --resume" if resumable else ""), file=sys.stderr)
        return 130
    return 0


def _is_resumable(options: argparse.Namespace) -> bool:
    if options.verb in ("train", "pretrain"):
        return not os.path.exists(options.out)
    output = options.output if options.verb == "predict" else None
    return bool(output) and os.path.exists(f"{output}.progress")


def _accept_any_bytes() -> None:
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def _fail(message: str) -> int:
    print("yeoun: " + " ".join(message.split("\n")), file=sys.stderr)
    return 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    parser = argparse.ArgumentParser(
        prog="yeoun", description="Recurrent text classifiers: train, evaluate, predict, explain."
    )
    parser.add_argument("--version", action="version", version=f"yeoun {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")

    quickstart = verbs.add_parser("quickstart", help="train on the built-in reviews and predict")
    quickstart.add_argument("--out", default="quickstart-model", metavar="DIR")
    quickstart.add_argument("--force", action="store_true", help="replace DIR")

    train = verbs.add_parser("train", help="train a model on rows of text")
    _source(train)
    train.add_argument("--out", required=True, metavar="DIR", help="where the model will lie")
    start = train.add_mutually_exclusive_group()
    start.add_argument("--preset", default="balanced", help="fast, balanced (default) or accurate")
    start.add_argument("--recipe", metavar="NAME", help="a published system; see `yeoun recipes`")
    start.add_argument("--config", metavar="FILE", help="a TOML file with text, model, train tables")
    train.add_argument("--valid", metavar="SOURCE", help="rows to choose the epoch on")
    train.add_argument("--unlabelled", metavar="SOURCE", help="texts without labels to learn from, too")
    train.add_argument("--start-from", metavar="DIR", help="what `yeoun pretrain` left")
    _run(train)

    pretrain = verbs.add_parser("pretrain", help="learn from text alone; then train --start-from DIR")
    pretrain.add_argument("source", metavar="SOURCE", help="a file, or a corpus as in imdb:unlabelled")
    pretrain.add_argument("--text", metavar="COLUMN", help="the text column, or several: subject,body")
    pretrain.add_argument("--data-dir", metavar="DIR", help="a folder with the corpora's official files")
    pretrain.add_argument("--out", required=True, metavar="DIR", help="where what was learned will lie")
    start = pretrain.add_mutually_exclusive_group()
    start.add_argument("--preset", default="accurate", help="fast, balanced or accurate (default)")
    start.add_argument("--config", metavar="FILE", help="a TOML file with text, model, train tables")
    _run(pretrain)

    evaluate = verbs.add_parser("evaluate", help="score a model on labelled rows")
    evaluate.add_argument("bundle", metavar="BUNDLE")
    _source(evaluate)
    _abstain_below(evaluate)
    evaluate.add_argument(
        "--explanations", action="store_true", help="are explanations faithful? of at most 100 of the rows"
    )
    evaluate.add_argument("--picture", metavar="FILE", help="draw the confusion matrix as .png or .svg")
    evaluate.add_argument("--force", action="store_true", help="replace the picture")
    _json(evaluate)

    predict = verbs.add_parser("predict", help="label texts")
    predict.add_argument("bundle", metavar="BUNDLE")
    predict.add_argument("texts", nargs="*", metavar="TEXT")
    predict.add_argument("--input", metavar="FILE", help="a file of rows, or - for a text a line")
    predict.add_argument(
        "--text", metavar="COLUMN", help="the text column of the file, or several: subject,body"
    )
    predict.add_argument("--output", metavar="FILE", help="a table with label and probability, or -")
    predict.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    predict.add_argument("--runtime", default="torch", metavar="NAME", help="torch, onnx or onnx-int8")
    _abstain_below(predict)
    again = predict.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    again.add_argument("--force", action="store_true", help="replace FILE and any interrupted run")
    _json(predict)

    explain = verbs.add_parser("explain", help="show what a label came from")
    explain.add_argument("bundle", metavar="BUNDLE")
    explain.add_argument("text", metavar="TEXT")
    methods = "integrated-gradients (default), occlusion, attention or gates"
    explain.add_argument("--method", metavar="NAME", help=methods)
    explain.add_argument("--label", metavar="LABEL", help="another label than the one the text gets")
    explain.add_argument("--layer", type=whole_number, metavar="N", help="of --method gates, from 1")
    explain.add_argument("--html", metavar="FILE", help="write it as a page, scores on hover")
    explain.add_argument("--picture", metavar="FILE", help="draw it as .png or .svg")
    explain.add_argument("--force", action="store_true", help="replace the page or picture")
    _json(explain)

    report = verbs.add_parser("report", help="write a report as one HTML file")
    report.add_argument("bundle", metavar="BUNDLE")
    _source(report, optional=True)
    report.add_argument("--out", required=True, metavar="FILE.html", help="where the report will lie")
    report.add_argument("--force", action="store_true", help="replace FILE.html")

    doctor = verbs.add_parser("doctor", help="find what is wrong with rows, or a model that reads padding")
    _source(doctor, optional=True)
    doctor.add_argument(
        "--test", metavar="SOURCE", help="test rows, of which none should be among the others"
    )
    doctor.add_argument(
        "--model", metavar="MODULE:CALLABLE", help="texts to probabilities: does padding count?"
    )
    _json(doctor)

    export = verbs.add_parser("export", help="add the network to BUNDLE as an ONNX graph")
    export.add_argument("bundle", metavar="BUNDLE")
    export.add_argument("--onnx", nargs="?", const="", metavar="FILE", help="in fp32; FILE gets a copy")
    export.add_argument("--int8", action="store_true", help="also with 8-bit weights")
    export.add_argument("--force", action="store_true", help="replace FILE")
    export.add_argument("--check", metavar="SOURCE", help="rows to check on (else the built-in reviews)")
    export.add_argument("--text", metavar="COLUMN", help="the text column of SOURCE, or several")
    export.add_argument("--data-dir", metavar="DIR", help="a folder with the corpora's official files")
    _json(export)

    summary = verbs.add_parser("summary", help="layers and parameters of a network")
    summary.add_argument("bundle", nargs="?", metavar="BUNDLE")
    summary.add_argument("--recipe", metavar="NAME")
    _values(summary)

    neighbours = verbs.add_parser("neighbours", help="words with a learned vector like WORD's")
    neighbours.add_argument("bundle", metavar="BUNDLE")
    neighbours.add_argument("word", metavar="WORD")
    neighbours.add_argument("--count", type=whole_number, default=10, metavar="N")
    _json(neighbours)

    embeddings = verbs.add_parser("embeddings", help="write the learned vectors (word2vec text format)")
    embeddings.add_argument("bundle", metavar="BUNDLE")
    embeddings.add_argument("--output", required=True, metavar="FILE")
    embeddings.add_argument("--force", action="store_true", help="replace FILE")

    recipes = verbs.add_parser("recipes", help="the published systems, or one of them in words")
    recipes.add_argument("name", nargs="?", metavar="NAME")

    reproduce = verbs.add_parser("reproduce", help="run the published systems, a result file a run")
    reproduce.add_argument("names", nargs="*", metavar="NAME", help="recipes (all of them without any)")
    reproduce.add_argument("--out", default="reproduced", metavar="DIR", help="where the results lie")
    reproduce.add_argument("--seeds", type=whole_number, default=1, metavar="N", help="seeds 0 to N - 1")
    reproduce.add_argument("--full-size", action="store_true", help="a GPU's sizes also without one")
    reproduce.add_argument("--data-dir", metavar="DIR", help="a folder with the corpora's official files")

    compare = verbs.add_parser(
        "compare", help="train configurations on the same rows and say which is better"
    )
    _source(compare)
    compare.add_argument("--recipes", required=True, metavar="NAME,NAME", help=COMPARED)
    part = compare.add_mutually_exclusive_group()
    part.add_argument("--test", metavar="SOURCE", help="the rows to score on")
    part.add_argument("--test-share", type=share, default=0.2, metavar="S", help="else this part of SOURCE")
    compare.add_argument("--split-seed", type=whole_number, default=0, metavar="N", help="which rows that is")
    compare.add_argument("--seeds", type=whole_number, default=1, metavar="N", help="seeds 0 to N - 1")
    compare.add_argument("--out", required=True, metavar="DIR", help="where the results lie")
    _json(compare)

    corpora = verbs.add_parser("corpora", help="the named corpora, or fetch one")
    corpora.add_argument("action", nargs="?", choices=("fetch",), metavar="fetch")
    corpora.add_argument("name", nargs="?", metavar="NAME")
    corpora.add_argument("--data-dir", metavar="DIR")
    return parser


def _source(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    help_text = "a file, or imdb, nsmc, 20news (also :test)"
    parser.add_argument("source", nargs="?" if optional else None, metavar="SOURCE", help=help_text)
    parser.add_argument("--text", metavar="COLUMN", help="the text column, or several: subject,body")
    parser.add_argument("--label", metavar="COLUMN", help="the label column")
    parser.add_argument("--data-dir", metavar="DIR", help="a folder with the corpora's official files")


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=whole_number, default=0, metavar="N")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    _values(parser)
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    again.add_argument("--force", action="store_true", help="replace DIR and any interrupted run")
    _json(parser)


def _abstain_below(parser: argparse.ArgumentParser) -> None:
    words = "no label below this probability, or below each label's own for precision=0.95 (0.9, 0.99)"
    parser.add_argument("--abstain-below", default="0", metavar="P", help=words)


def _values(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", dest="values")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def whole_number(value: str) -> int:
    number = int(value) if value.isdecimal() else -1
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"{value}: expected a whole number from 0 to {2**32 - 1}")
    return number


def share(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{value}: expected a number between 0 and 1")
    return number
