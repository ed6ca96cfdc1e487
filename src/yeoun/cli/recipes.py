"""yeoun recipes"""

from __future__ import annotations

import argparse
import textwrap

from ..recipes import read_recipe, recipe_names


def run(options: argparse.Namespace) -> None:
    """List the published systems, or tell one of them in words."""
    if options.name is None:
        for name in recipe_names():
            print(f"{name:<38}{read_recipe(name).about['title']}")
        return
    recipe = read_recipe(options.name)
    about = recipe.about
    print(f"{recipe.name}: {about['title']}\n")
    for key in ("source", "published", "features", "size"):
        if key in about:
            print(textwrap.fill(f"{key}: {about[key]}", 90, subsequent_indent="  "))
    for number, defect in enumerate(about.get("defects", ()), 1):
        print(textwrap.fill(f"defect {number}: {defect['words']}", 90, subsequent_indent="  "))
    for line in about.get("repairs", ()):
        print(textwrap.fill(f"repair: {line}", 90, subsequent_indent="  "))
    if "cpu" in about:
        smaller = ", ".join(f"{key} = {value}" for key, value in about["cpu"].items())
        print(textwrap.fill(f"on a CPU: {smaller}", 90, subsequent_indent="  "))
    for sentence, probability in about.get("sentences", {}).items():
        print(f"sentence: {sentence}, positive {probability}")
    valid = f" --valid {about['valid']}" if "valid" in about else ""
    print(f"\nyeoun train {about['train']}{valid} --recipe {recipe.name} --out {recipe.name}")
    print(f"yeoun reproduce {recipe.name}\n")
    for section, values in recipe.configuration.to_mapping().items():
        print(f"[{section}]")
        for key, value in values.items():
            print(f"{key} = {value!r}")
