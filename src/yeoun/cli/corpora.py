"""yeoun corpora"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..data.corpora import CORPORA, cache_dir, fetch
from ..errors import UsageError


def run(options: argparse.Namespace) -> None:
    """List the named corpora, or download one."""
    if options.action == "fetch":
        if options.name is None:
            raise UsageError(f"fetch what? expected one of {', '.join(CORPORA)}")
        print(fetch(options.name, Path(options.data_dir) if options.data_dir else None))
        return
    for name, corpus in CORPORA.items():
        print(f"{name:<16} {corpus.title}")
        print(f"{'':<16} parts: {', '.join(corpus.parts)}")
        for download in corpus.downloads:
            print(f"{'':<16} {download.url}")
    print(f"\ndownloads go to {cache_dir()}; --data-dir or YEOUN_DATA_DIR name a folder instead")
