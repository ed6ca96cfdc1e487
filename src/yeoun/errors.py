"""Everything that Yeoun raises on purpose, one tree.

    YeounError
    ├── DataError        rows, files, corpora: what came in cannot be used
    ├── ConfigError      a preset, recipe, key or value that does not exist or does not fit
    ├── BundleError      a model folder that is missing, altered, or from a newer release
    ├── OutputError      an output that exists already, or cannot be written
    ├── ResumeError      a training state that belongs to other data, settings or versions
    └── UsageError       a command line whose parts do not fit together

Each message says what it got, what it expected and what to do.
"""


class YeounError(Exception):
    """Base of the tree; catching it catches everything Yeoun refuses."""


class DataError(YeounError):
    """The rows, file or corpus cannot be used as given."""


class ConfigError(YeounError, ValueError):
    """A configuration names something unknown or a value out of range."""


class BundleError(YeounError):
    """A model folder cannot be trusted or understood."""


class OutputError(YeounError):
    """An output exists already or cannot be written."""


class ResumeError(YeounError):
    """A saved training state does not belong to this run."""


class UsageError(YeounError):
    """The parts of a command line do not fit together."""
