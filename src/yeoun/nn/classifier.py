"""TextClassifier: embed, encode, pool, head. Four steps, each open to explanations on its own; beside them
the scores of n-grams, which are added to the logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..config import ModelConfig, score_width
from .convolution import ConvolutionStack
from .counts import CountCell, count_weight, weigh_counts
from .dropout import locked_dropout, word_dropout
from .encoded import Encoded
from .ngrams import NgramFeatures, NgramScores
from .pooling import POOLINGS
from .recurrent import RecurrentStack
from .shards import by_rows

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class TextClassifier(nn.Module):
    """Token ids, and the features of `ngrams` known n-grams, to one row of logits a text.

    `precision` is that of the encoder ("fp32" or "bf16"); weights, pooling and head stay fp32.
    """

    def __init__(
        self, config: ModelConfig, vocabulary_size: int, classes: int, ngrams: int | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.precision = "fp32"
        if config.inputs == "counts":
            self.embedding = count_weight(config.encoder, config.hidden_size, vocabulary_size)
        else:
            self.embedding = nn.Embedding(vocabulary_size, config.embedding_size)
        self.encoder = build_encoder(config)
        width = self.encoder.width
        self.pooling = POOLINGS[config.pooling](width)
        pooled = width * (2 if config.pooling == "mean-max" else 1)
        self.head = nn.Linear(pooled, 1 if config.head == "sigmoid" else classes)
        self.ngrams = None if ngrams is None else NgramScores(ngrams, score_width(classes, config.head))
        if config.initialization == "keras":
            nn.init.uniform_(self.embedding.weight, -0.05, 0.05)
            for layer in (m for m in self.modules() if isinstance(m, nn.Linear)):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def embed(
        self, token_ids: Tensor, lengths: Tensor, most_words: float = 1.0, most_units: float = 1.0
    ) -> Tensor:
        """Return the vectors [T, N, E] (fp32) of `token_ids` [N, T], time first; of counts one step.

        most_words, most_units: in training no larger shares are dropped of words and of their vectors."""
        if self.config.inputs == "counts":
            return weigh_counts(token_ids, lengths, self.embedding.weight).unsqueeze(0)
        ids = word_dropout(token_ids.T, min(most_words, self.config.word_dropout), self.training)
        embedded = functional.embedding(ids, self.embedding.weight, sparse=self.embedding.sparse)
        return locked_dropout(embedded, min(most_units, self.config.embedding_dropout), self.training)

    def steps(self, lengths: Tensor) -> Tensor:
        """Return how many steps of each row are read: its `lengths` [N], of counts one."""
        return torch.ones_like(lengths) if self.config.inputs == "counts" else lengths

    def encode(self, embedded: Tensor, lengths: Tensor) -> Encoded:
        """Return the encoder's outputs, in its precision; anything at padding."""
        encoded: Encoded = self.encoder(embedded.to(DTYPES[self.precision]), lengths)
        return encoded

    def pool(self, encoded: Encoded, lengths: Tensor) -> Tensor:
        """Return one vector a text (fp32), [N, D] or [N, 2D]; zeros for a text without a token."""
        return self.pooling(encoded, lengths)

    def classify(self, pooled: Tensor) -> Tensor:
        """Return the logits: [N, C] with a softmax head, [N, 1] with a sigmoid head."""
        pooled = functional.dropout(pooled, self.config.dropout, self.training)
        logits: Tensor = self.head(pooled)
        return logits

    def summarize(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return what `embed` gave, encoded and pooled: one vector a text (fp32)."""
        reads = (p for name, p in self.named_parameters() if name.startswith(("encoder.", "pooling.")))
        return by_rows(self._read_rows, embedded, self.steps(lengths), reads)

    def read(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits of what `embed` gave: encoded, pooled, classified."""
        return self.classify(self.summarize(embedded, lengths))

    def _read_rows(self, embedded: Tensor, steps: Tensor) -> Tensor:
        return self.pool(self.encode(embedded, steps), steps)

    def forward(self, token_ids: Tensor, lengths: Tensor, features: NgramFeatures | None = None) -> Tensor:
        """Return the logits of `token_ids` [N, T] (int64), of which row n has `lengths[n]` real, and of the
        texts' n-grams, which a network with that branch needs."""
        logits = self.read(self.embed(token_ids, lengths), lengths)
        if self.ngrams is None:
            return logits
        assert features is not None
        scores: Tensor = self.ngrams(features)
        # Of two classes the single score stands for the second.
        return logits + functional.pad(scores, (logits.shape[1] - scores.shape[1], 0))


def build_encoder(config: ModelConfig) -> RecurrentStack | ConvolutionStack | CountCell:
    """Return the encoder that `config` names."""
    if config.inputs == "counts":
        return CountCell(config.encoder, config.hidden_size)
    if config.encoder == "convolution":
        return ConvolutionStack(config.embedding_size, config.hidden_size, config.layers, config.dropout)
    return RecurrentStack(
        config.encoder,
        config.embedding_size,
        config.hidden_size,
        config.layers,
        config.bidirectional,
        config.dropout,
        config.initialization,
    )


@torch.no_grad()
def average_word(table: Tensor, specials: int) -> Tensor:
    """Return the mean of the words' vectors, [E], of a `table` [V, E] that begins with so many `specials`.

    Each counts as often as it comes, which its place tells: the most frequent word is the first, and the one
    at rank r comes in proportion to 1 / (r + 2.7) (Zipf's law in Mandelbrot's form).
    """
    words = table[specials:]
    often = 1 / (torch.arange(len(words)).to(words) + 3.7)
    return often @ words / often.sum()


def count_parameters(network: nn.Module) -> int:
    """Return how many numbers training may change."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
