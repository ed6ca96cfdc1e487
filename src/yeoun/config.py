"""The three configurations of a model: how text is read, the network, the training.

Flat, frozen, validated at construction; an unknown key or a value out of range is refused with the
values that would do. `Configuration` holds the three and turns itself into a mapping and back, which
is what recipes (TOML) and bundles (JSON) store.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from .errors import ConfigError
from .fields import check_types, refuse, require_one_of, require_within, typed_values

SCHEMES = ("whitespace", "words", "characters", "jamo", "bpe", "unigram", "kiwi", "okt", "spacy", "counts")
ENCODERS = ("rnn", "lstm", "gru", "convolution")
INPUTS = ("embedding", "counts")
POOLINGS = ("last", "last-position", "sum", "mean", "max", "mean-max", "attention")
OPTIMIZERS = ("adamw", "adam", "rmsprop", "keras-rmsprop")
PAD_ID, UNKNOWN_ID, START_ID = 0, 1, 2  # the first entries of every vocabulary
TOKENS_OF_PIECES = 4_000  # in a batch, about
PIECES = range(32, 257)  # how many there may be in one
TOPICS = 10  # labels, from which on they are taken for topics
WORD_PATTERN = r"\w+(?:['’]\w+)*|[^\w\s]"


@dataclass(frozen=True)
class TextConfig:
    """How a text becomes token ids.

    scheme: how a text is cut: at white space, into the matches of `pattern`, into characters, into
        characters with Hangul taken apart (jamo), into subwords (bpe, unigram), or into morphemes and
        words by an analyser that is an extra (kiwi, okt, spacy). `counts` cuts as `words` does and hands on
        how often each occurs, as a sequence of one step (a defect of published systems: nothing recurs).
    pattern: the regular expression of `words` and `counts` (Oniguruma syntax; what matches is a token).
    fold_repeats: a character that occurs more often in a row is cut to so many; 0 leaves it.
    lowercase: lower-case after Unicode normalisation (NFC), which always happens.
    vocabulary_size: at most so many entries, special tokens included; 0 keeps all.
    minimum_count: a token seen less often in the training text is unknown (unigram keeps every
        character and weighs pieces by itself).
    vocabulary_rows: `training` rows alone make the vocabulary; or `all`, the validation rows too (a defect of
        published systems, kept for their reproduction).
    maximum_length: at most so many tokens of a text are read, the start token included; 0 reads all.
    truncate: which end of a longer text is cut off: `front`, `back`, or the `middle`.
    word_ngrams, character_ngrams: where `model.ngrams` is true, the longest runs of words and of characters
        that are counted, always in lower case; 0 counts none. Of Hangul a run of characters also ends within
        one, behind any of its letters (jamo). Those of a message's title count apart, too (`text.titles`).
    start_token: put the token [SOS] in front of each text.
    pad_to: `none` (padding is never read), a length, or `batch` (the longest text of the batch).
        The last two make padding ordinary tokens, as published systems do; `batch` therefore breaks
        the law that a text's neighbours cannot change its answer.
    pad_side: where such padding goes.
    """

    scheme: str = "words"
    pattern: str = WORD_PATTERN
    fold_repeats: int = 0
    lowercase: bool = True
    vocabulary_size: int = 30000
    minimum_count: int = 2
    vocabulary_rows: str = "training"
    maximum_length: int = 400
    truncate: str = "back"
    word_ngrams: int = 2
    character_ngrams: int = 0
    start_token: bool = False
    pad_to: int | str = "none"
    pad_side: str = "back"

    @property
    def specials(self) -> int:
        """How many entries of the vocabulary come before its words."""
        return START_ID + self.start_token

    def __post_init__(self) -> None:
        check_types(self, "text")
        require_one_of("text.scheme", self.scheme, SCHEMES)
        require_within("text.fold_repeats", self.fold_repeats, 0, 1000)
        require_within("text.vocabulary_size", self.vocabulary_size, 0, 10_000_000)
        require_within("text.minimum_count", self.minimum_count, 1, 1_000_000)
        require_one_of("text.vocabulary_rows", self.vocabulary_rows, ("training", "all"))
        require_within("text.maximum_length", self.maximum_length, 0, 100_000_000)
        require_within("text.word_ngrams", self.word_ngrams, 0, 5)
        require_within("text.character_ngrams", self.character_ngrams, 0, 8)
        require_one_of("text.truncate", self.truncate, ("front", "back", "middle"))
        require_one_of("text.pad_side", self.pad_side, ("front", "back"))
        if isinstance(self.pad_to, str):
            if self.pad_to not in ("none", "batch"):
                refuse("text.pad_to", self.pad_to, "none, batch or a number")
        else:
            require_within("text.pad_to", self.pad_to, 1, 1_000_000)
            if self.maximum_length == 0 or self.maximum_length > self.pad_to:
                refuse(
                    "text.pad_to",
                    self.pad_to,
                    f"at least text.maximum_length, which is {self.maximum_length} and must not be 0",
                )


@dataclass(frozen=True)
class ModelConfig:
    """The network: embedding, encoder, pooling, head.

    inputs: what the encoder reads: an `embedding`, a learned vector a token; or the `counts` of the text
        scheme of that name, which sets it.
    encoder: the recurrent cell (LSTM alone has a fused kernel on the CPU), or
        a `convolution` over 3, 4 and 5 neighbouring words.
    hidden_size: units per direction and layer, or filters per width.
    layers: stacked layers. bidirectional: a second stack reads each text from its end (recurrent only).
    embedding_size: width of a token's vector.
    vectors: a text file of word vectors (word2vec, fastText, GloVe) to start the embedding from; empty
        starts from random ones.
    pooling: how the outputs over time become one vector. `last` is each direction's final state;
        `last-position` is both directions' output at the last token (the backward half has then read
        one step: a defect of published systems, kept for their reproduction).
    dropout: between layers and before the head. embedding_dropout: on embedded tokens, one mask for
        all steps of a text. word_dropout: share of tokens replaced by the unknown token in training.
        Pretraining drops 0.2 of embedded tokens' units and 0.1 of tokens at most.
    head: `softmax` over the labels, one `sigmoid` (two labels only), or `sigmoids`, one a label, for rows
        with several labels each.
    ngrams: add the score of a linear model over n-grams of words and characters to the logits.
    unknown: what an unknown token is read as once training is over: its `learned` vector, or the `average` of
        all words', each as often as it comes, which says next to nothing.
    initialization: `torch`'s or `keras`'s starting weights; the latter also means one bias per gate
        (two in a GRU, as there) and a forget bias of 1.
    """

    inputs: str = "embedding"
    encoder: str = "lstm"
    hidden_size: int = 128
    layers: int = 1
    bidirectional: bool = True
    embedding_size: int = 128
    vectors: str = ""
    pooling: str = "mean-max"
    dropout: float = 0.3
    embedding_dropout: float = 0.0
    word_dropout: float = 0.0
    head: str = "softmax"
    ngrams: bool = False
    unknown: str = "learned"
    initialization: str = "keras"

    def __post_init__(self) -> None:
        check_types(self, "model")
        require_one_of("model.encoder", self.encoder, ENCODERS)
        require_within("model.hidden_size", self.hidden_size, 1, 65536)
        require_within("model.layers", self.layers, 1, 64)
        require_within("model.embedding_size", self.embedding_size, 1, 65536)
        require_one_of("model.pooling", self.pooling, POOLINGS)
        for name in ("dropout", "embedding_dropout", "word_dropout"):
            require_within(f"model.{name}", getattr(self, name), 0.0, 0.95)
        require_one_of("model.head", self.head, ("softmax", "sigmoid", "sigmoids"))
        require_one_of("model.inputs", self.inputs, INPUTS)
        one_step = (self.layers, self.bidirectional, self.pooling, self.vectors) == (1, False, "last", "")
        if self.inputs == "counts" and (self.encoder == "convolution" or not one_step):
            needs = "layers=1, bidirectional=false, pooling=last, a recurrent encoder and no vectors"
            refuse("text.scheme", "counts", f"another scheme, or a model of one step: {needs}")
        require_one_of("model.unknown", self.unknown, ("learned", "average"))
        require_one_of("model.initialization", self.initialization, ("torch", "keras"))


@dataclass(frozen=True)
class TrainConfig:
    """How the weights are found.

    optimizer: `adamw`, `adam`, or `rmsprop` with the smoothing `decay`; `epsilon` is added to the
        root, in `keras-rmsprop` under it.
    learning_rate: the peak of the schedule `one-cycle` (a quarter of the steps up, then a cosine down),
        the `constant` rate, or on `plateau` the first, halved after every epoch without a lower validation
        loss.
    pretrain_epochs: passes over all texts, labelled or not, in which the network learns to say from a piece
        of a text which n-grams the rest has, before it learns labels; 0 starts from random weights.
    pretrain_piece: tokens of a piece, at most; a text has two pieces at least.
    epochs: passes over the training rows, at most. patience: stop after so many epochs without a
        better validation score; 0 never stops early.
    select_by: the epoch that is kept: that of the lowest validation `loss` (of scaled logits where
        they will be scaled: with `calibrate` or `model.ngrams`), of the highest `accuracy`, or the `last`.
    average: keep a moving average of the weights, which is scored and kept in their place: the share of the
        old average at each step, say 0.999; 0 does not. A step then moves the whole vocabulary's.
    beside_ngrams: with `model.ngrams` the network learns the labels beside n-grams that did not see them, so
        that it learns what they leave open; alone it is then a little worse.
    adversarial: train each batch a second time, each embedded text shifted by this share of a token's norm
        in the direction that raises the loss most (Miyato et al. 2017); 0 does not.
    consistency: read each batch twice, each time with other units dropped, and add to the loss so many times
        how far the two answers of a row are apart (R-Drop, Liang et al. 2021); 0 reads it once. Beside
        `adversarial` both are read once more, shifted.
    clip: largest norm of the gradient; 0 leaves it. weight_decay: of `adamw`, not on biases.
    label_smoothing: share of the target spread over all labels.
    class_weight: `balanced` weighs each row by how rare its label is; `none` weighs all alike.
    calibrate: scale the logits so that the probabilities mean what they say on the validation rows; with
        `model.ngrams` that always happens.
    validation_share: the part of the training rows held out when no validation rows are given.
    validation_split: `stratified` holds out the same share of each label and keeps equal texts
        together, and holds out runs of neighbouring rows; `random` cuts a shuffled order, as published
        systems do.
    """

    optimizer: str = "adamw"
    learning_rate: float = 2e-3
    schedule: str = "one-cycle"
    batch_size: int = 64
    pretrain_epochs: int = 0
    pretrain_piece: int = 32
    epochs: int = 5
    patience: int = 0
    select_by: str = "loss"
    average: float = 0.0
    beside_ngrams: bool = False
    adversarial: float = 0.0
    consistency: float = 0.0
    clip: float = 1.0
    weight_decay: float = 0.01
    label_smoothing: float = 0.0
    class_weight: str = "none"
    decay: float = 0.99
    epsilon: float = 1e-8
    calibrate: bool = False
    validation_share: float = 0.1
    validation_split: str = "stratified"

    def __post_init__(self) -> None:
        check_types(self, "train")
        require_one_of("train.optimizer", self.optimizer, OPTIMIZERS)
        if not 0 < self.learning_rate <= 100:
            refuse("train.learning_rate", self.learning_rate, "a number above 0, at most 100")
        require_one_of("train.schedule", self.schedule, ("one-cycle", "plateau", "constant"))
        require_within("train.batch_size", self.batch_size, 1, 1_000_000)
        require_within("train.pretrain_epochs", self.pretrain_epochs, 0, 100_000)
        require_within("train.pretrain_piece", self.pretrain_piece, 1, 1_000_000)
        require_within("train.epochs", self.epochs, 1, 100_000)
        require_within("train.patience", self.patience, 0, 100_000)
        require_one_of("train.select_by", self.select_by, ("loss", "accuracy", "last"))
        require_within("train.average", self.average, 0, 0.999999)
        require_within("train.adversarial", self.adversarial, 0, 10)
        require_within("train.consistency", self.consistency, 0, 100)
        require_within("train.clip", self.clip, 0, 1e9)
        require_within("train.weight_decay", self.weight_decay, 0, 10)
        require_within("train.label_smoothing", self.label_smoothing, 0, 0.9)
        require_one_of("train.class_weight", self.class_weight, ("none", "balanced"))
        require_within("train.decay", self.decay, 0, 0.999999)
        if not 0 < self.epsilon <= 1:
            refuse("train.epsilon", self.epsilon, "a number above 0, at most 1")
        require_within("train.validation_share", self.validation_share, 0.001, 0.9)
        require_one_of("train.validation_split", self.validation_split, ("stratified", "random"))


_Part = TypeVar("_Part", TextConfig, ModelConfig, TrainConfig)


@dataclass(frozen=True)
class Configuration:
    """A whole model's configuration: text, model, train."""

    text: TextConfig = field(default_factory=TextConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        if self.text.scheme == "counts":
            object.__setattr__(self, "model", replace(self.model, inputs="counts"))
        elif self.model.inputs == "counts":
            refuse("model.inputs", "counts", f"text.scheme = 'counts', not {self.text.scheme!r}")
        if self.model.ngrams and not (self.text.word_ngrams or self.text.character_ngrams):
            refuse("model.ngrams", True, "text.word_ngrams or text.character_ngrams above 0")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Configuration:
        """Return the configuration of `{"text": {...}, "model": {...}, "train": {...}}`.

        Missing keys take their defaults. Raises ConfigError for an unknown section or key, or a value
        of the wrong type or range.
        """
        unknown = sorted(set(values) - {part.name for part in fields(cls)})
        if unknown:
            raise ConfigError(f"section {unknown[0]!r}: expected one of text, model, train")
        return cls(
            text=_section(TextConfig, "text", values.get("text", {})),
            model=_section(ModelConfig, "model", values.get("model", {})),
            train=_section(TrainConfig, "train", values.get("train", {})),
        )

    def to_mapping(self) -> dict[str, dict[str, Any]]:
        """Return every value, resolved, as plain dicts (what `from_mapping` reads)."""
        return dataclasses.asdict(self)

    def for_labels(self, classes: int, multilabel: bool = False) -> Configuration:
        """Return a copy whose head fits so many classes: `sigmoids` where a row may have several, else
        the softmax or (of two classes) the sigmoid that was asked for."""
        single = "sigmoid" if self.model.head == "sigmoid" and classes <= 2 else "softmax"
        head = "sigmoids" if multilabel else single
        return self if head == self.model.head else replace(self, model=replace(self.model, head=head))

    def with_values(self, assignments: Mapping[str, Any]) -> Configuration:
        """Return a copy with `{"section.key": value}` changed; strings are read as the key's type.

        Raises ConfigError for an unknown section or key, or a value that does not fit.
        """
        sections: dict[str, dict[str, Any]] = {}
        for dotted, value in assignments.items():
            section, _, key = dotted.partition(".")
            if section not in ("text", "model", "train") or not key:
                raise ConfigError(f"{dotted!r}: expected section.key with section text, model or train")
            sections.setdefault(section, {})[key] = value
        parts = {name: getattr(self, name) for name in sections}
        return replace(
            self,
            **{
                name: replace(part, **typed_values(type(part), name, sections[name]))
                for name, part in parts.items()
            },
        )


def _section(cls: type[_Part], section: str, values: Any) -> _Part:
    if not isinstance(values, Mapping):
        raise ConfigError(f"section {section!r}: got {values!r}, expected a table of keys")
    return cls(**typed_values(cls, section, values))


def read_assignments(pairs: Sequence[str]) -> dict[str, str]:
    """Return `section.key=value` pairs as the mapping that `Configuration.with_values` reads. Raises
    ConfigError for one without a `=`."""
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"{pair!r}: expected section.key=value")
        values[key] = value
    return values


def score_width(classes: int, head: str) -> int:
    """Return how many scores a linear model gives: one for two classes, else one a class or label."""
    return 1 if classes == 2 and head != "sigmoids" else classes
