"""A sealed folder: files that match the checksums in its `config.json`. Nothing executable, nothing pickled.

A model is one, and so is what pretraining leaves.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .errors import BundleError, OutputError
from .files import write_durably
from .version import __version__

FORMAT = 4
Read = Callable[[str], bytes | None]  # a file's content by name, None where there is none


def seal(config: Mapping[str, Any], contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the content of each file of the folder, by name: `contents`, and a `config.json` of `config`
    with their checksums."""
    whole: dict[str, Any] = {"format": FORMAT, "yeoun": __version__, **config}
    whole["sha256"] = {name: _sha256(content) for name, content in sorted(contents.items())}
    whole["sha256"]["config.json"] = _config_checksum(whole)
    return {**contents, "config.json": to_json(whole)}


def unseal(read: Read, place: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the `config.json` and the content of each other file of the sealed folder that `read` reads.

    Raises BundleError for a missing file, one that does not match its checksum, or a format newer than this
    release reads; `place` is what it calls the folder.
    """
    config = _read_config(read("config.json"), place)
    return config, {name: _verified(read, name, digest, place) for name, digest in config["sha256"].items()}


def reader(folder: Path) -> Read:
    """Return what reads the files of `folder`."""

    def read(name: str) -> bytes | None:
        return (folder / name).read_bytes() if (folder / name).is_file() else None

    return read


def write_sealed(folder: Path, contents: Mapping[str, bytes], staging: Path, replace: bool = False) -> None:
    """Write what `seal` gave to `folder`, which appears whole, by one rename of `staging`.

    Raises OutputError when the folder exists and is not to be replaced, or cannot be written; then nothing
    stands at `folder` that did not before.
    """
    replaced = staging.with_name(staging.name + ".replaced")
    if not folder.exists() and is_sealed(replaced):  # killed between the two renames
        replaced.rename(folder)
    require_room(folder, replace)
    try:
        _remove(staging)
        for name, content in contents.items():
            write_durably(staging / name, content)
        if folder.exists():
            _remove(replaced)
            folder.rename(replaced)
        try:
            staging.rename(folder)
        except OSError:
            if replaced.exists():
                replaced.rename(folder)
            raise
        _remove(replaced)
    except OSError as error:
        _remove(staging)
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from None


def add_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Put files, by name, into the sealed folder, and their checksums into its `config.json`, which is
    written last; all else stays as it is. At every instant the folder is whole, without the files or with
    them: those that are replaced are left out of it first."""
    config = json.loads((folder / "config.json").read_bytes())
    others = {name: digest for name, digest in config["sha256"].items() if name not in contents}
    if len(others) < len(config["sha256"]):
        _write_config(folder, config, others)
    for name, content in contents.items():
        write_durably(folder / name, content)
    _write_config(folder, config, others | {name: _sha256(each) for name, each in contents.items()})


def _write_config(folder: Path, config: Mapping[str, Any], digests: Mapping[str, str]) -> None:
    whole: dict[str, Any] = {**config, "sha256": dict(sorted(digests.items()))}
    whole["sha256"]["config.json"] = _config_checksum(whole)
    write_durably(folder / "config.json", to_json(whole))


def _remove(path: Path) -> None:
    """Delete a folder, or a link to one, if it is there."""
    if path.is_symlink():
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)


def is_sealed(folder: Path) -> bool:
    """Return whether a sealed folder lies at `folder`, intact or not."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and {"yeoun", "format", "sha256"} <= config.keys()


def require_room(folder: Path, replace: bool) -> None:
    """Raise OutputError when something stands at `folder` that may not be replaced: only a model may,
    and only when that is asked for."""
    if folder.exists() and not replace:
        raise OutputError(f"{folder}: exists already; choose another place or use --force (force=True)")
    if folder.exists() and not is_sealed(folder):
        raise OutputError(f"{folder}: exists and is no model, so it is not replaced; choose another place")


def _read_config(content: bytes | None, place: str) -> dict[str, Any]:
    if content is None:
        raise BundleError(
            f"{place}: no model there (no config.json); expected a folder that train or pretrain wrote"
        )
    try:
        config = json.loads(content)
        if config["format"] > FORMAT:
            raise BundleError(
                f"{place}: format {config['format']}, this release reads up to {FORMAT}; install the"
                f" Yeoun that wrote it ({config.get('yeoun', 'newer')}) or later"
            )
        as_written = to_json(config) == content  # nor is a byte changed that leaves the meaning
        intact = as_written and config["sha256"].pop("config.json") == _config_checksum(config)
    except (ValueError, KeyError, TypeError, AttributeError):
        intact = False
    if not intact:
        raise BundleError(f"{place}/config.json: altered or truncated since it was written; restore it")
    return dict(config)


def _verified(read: Callable[[str], bytes | None], name: str, digest: str, place: str) -> bytes:
    content = read(name)
    if content is None:
        raise BundleError(f"{place}: {name} is missing; restore the folder")
    if _sha256(content) != digest:
        raise BundleError(f"{place}/{name}: altered or truncated since it was written; restore it")
    return content


def _config_checksum(config: Mapping[str, Any]) -> str:
    files = {name: digest for name, digest in config["sha256"].items() if name != "config.json"}
    return _sha256(to_json({**config, "sha256": files}))


def to_json(value: Any, indent: int | None = 2) -> bytes:
    """Return `value` as JSON that ends with a line end."""
    return (json.dumps(value, ensure_ascii=False, indent=indent) + "\n").encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
