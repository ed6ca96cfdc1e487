"""Reading files inside a .tar.gz in place. Nothing is extracted, so nothing can be written anywhere."""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import DataError


def read_members(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    """Yield `(name, content)` of each regular file whose whole name matches `pattern`, in the
    archive's order. Links are never followed. Raises DataError for a broken archive."""
    wanted = re.compile(pattern)
    try:
        with gzip.open(archive) as whole, tarfile.open(fileobj=whole, mode="r|") as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if member.isfile() and wanted.fullmatch(name):
                    content = tar.extractfile(member)
                    if content is not None:
                        yield name, content.read()
            while whole.read(1 << 20):  # to the end, where gzip compares checksum and length
                pass
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(
            f"{archive}: cannot be read as .tar.gz ({error}); expected a whole archive: fetch it again"
        ) from None
