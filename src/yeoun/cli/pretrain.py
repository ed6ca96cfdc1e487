"""yeoun pretrain"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..data.rows import Dataset, fingerprint, statistics
from ..data.sources import read_texts
from ..errors import DataError, ResumeError
from ..pretrained import Pretrained
from .display import TrainingDisplay, emit, note, readable
from .train import check_configuration, configured, require_place


def run(options: argparse.Namespace) -> None:
    """Learn to guess the rest of the texts of SOURCE from a piece; OUT appears whole or not at all."""
    from ..process import tune_process
    from ..training.pretraining import pretrain
    from ..training.state import TrainingFolder

    tune_process()
    out = Path(options.out)
    require_place(out, options.force or options.resume)
    folder = TrainingFolder.of(out)
    check_configuration(options)
    texts = read_texts(options.source, options.text, options.data_dir)
    if not len(texts):
        raise DataError(f"{options.source}: no texts; expected at least one")
    note(f"{len(texts):,} texts")
    configuration = configured(options, statistics(Dataset(texts, None, ())))
    if not configuration.train.pretrain_epochs:
        configuration = configuration.with_values({"train.pretrain_epochs": 1})
    if out.exists() and options.resume:
        pretrained = Pretrained.load(out)
        asked = {
            "texts": fingerprint(texts),
            "configuration": configuration.to_mapping(),
            "seed": options.seed,
        }
        if other := [name for name, value in asked.items() if pretrained.provenance.get(name) != value]:
            raise ResumeError(
                f"{out}: whole already, of other {other[0]}; choose another place or use --force"
            )
        folder.remove()
        note(f"{out} is whole already")
    else:
        with folder:
            pretrained = pretrain(
                texts,
                configuration,
                seed=options.seed,
                precision=options.precision,
                device=options.device,
                provenance={"source": readable(options.source)},
                folder=folder,
                resume=options.resume,
                force=options.force,
                watch=TrainingDisplay(),
            )
            pretrained.save(out, folder.path / "pretrained", replace=options.force)
            folder.remove()
    figures = pretrained.figures
    if options.json:
        emit({"out": str(out), **figures})
        return
    print(f"{out}: {figures['epochs']} passes over {figures['tokens']:,} tokens, {figures['seconds']:.0f} s")
    if figures["perplexity"] is not None:
        print(f"  perplexity {figures['perplexity']:.1f} on texts held out")
    print(f"next: yeoun train SOURCE --preset accurate --start-from {out} --out MODEL")
