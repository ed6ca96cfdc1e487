"""yeoun quickstart"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..data.rows import statistics
from ..data.sources import read_builtin
from ..data.splits import stratified_split
from ..presets import resolve
from .display import TrainingDisplay, in_words, note
from .train import require_place

SENTENCES = (
    "정말 감동적인 영화였어요",
    "너무 지루하고 별로였다",
    "A wonderful film, I loved every minute of it",
    "Dull and disappointing, a waste of an evening",
)


def run(options: argparse.Namespace) -> None:
    """Train on the built-in reviews, score held-out ones, predict four sentences, say where all lies."""
    from ..estimator import save_model
    from ..evaluation.metrics import wilson_interval
    from ..inference import predict, predict_proba
    from ..process import tune_process
    from ..training.fit import fit

    tune_process()
    out = Path(options.out)
    require_place(out, options.force)
    reviews = read_builtin()
    kept, held_out = stratified_split(reviews, 0.25, seed=1)
    train, test = reviews.take(kept), reviews.take(held_out)
    note(f"{len(reviews)} built-in reviews, Korean and English; {len(test)} of them held out")
    configuration = resolve("balanced", statistics(train))
    bundle = fit(
        train,
        configuration,
        provenance={"source": "the built-in reviews", "name": "balanced"},
        watch=TrainingDisplay(),
    )
    save_model(bundle, out, out.absolute().with_name(out.absolute().name + ".saving"), replace=options.force)
    assert bundle.baseline is not None
    ours = int((predict_proba(bundle, test.texts).argmax(1) == test.targets).sum())
    right = int((bundle.baseline.predict(test.texts) == test.targets).sum())
    low, high = wilson_interval(ours, len(test))
    low_linear, high_linear = wilson_interval(right, len(test))
    print(f"\n{len(test)} held-out reviews          accuracy  95 % interval")
    print(f"  this model                    {ours / len(test):.3f}   {low:.3f} to {high:.3f}")
    print(f"  linear baseline               {right / len(test):.3f}   {low_linear:.3f} to {high_linear:.3f}")
    print("a few hundred rows let the machine be seen running; they do not make a good model\n")
    for sentence, answer in zip(SENTENCES, predict(bundle, SENTENCES), strict=True):
        print(f"{sentence}\n  {in_words(answer)}")
    print(f"\nthe model     {out}/  (config.json, tokenizer.json, model.safetensors)")
    print(f"its figures   {out}/metrics.json, {out}/history.jsonl, {out}/README.md")
    print(f"its curves    {out}/plots/history.png")
    print(f'next          yeoun predict {out} "your own sentence"')
