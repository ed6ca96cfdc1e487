"""The padding check: it flags the articles' models as they were written, and passes every network of ours."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from yeoun.bundle import ModelBundle
from yeoun.config import ENCODERS, ModelConfig
from yeoun.errors import DataError
from yeoun.inference import predict_proba
from yeoun.nn.classifier import TextClassifier
from yeoun.nn.pooling import POOLINGS
from yeoun.testing import assert_padding_invariance, check_padding_invariance

WORDS = 1000
TEXTS = [
    "good",
    "a wonderful film from start to end",
    "정말 감동적인 영화였어요",
    "너무 지루하고 별로였다",
    "dull and far too long, sadly, with nobody in it that anyone could care about for a minute",
]
Predict = Callable[..., object]


def ids_of(texts: list[str]) -> list[list[int]]:
    return [[2 + crc32(word.encode()) % (WORDS - 2) for word in text.split()] for text in texts]


def padded(texts: list[str], length: int | None, padding: int | None, front: bool = False) -> Tensor:
    """Return token ids [texts, steps], cut and filled up with 0 to `length` (else to the longest text); or,
    with `padding`, to so many positions more than the longest."""
    rows = [row[:length] for row in ids_of(texts)]
    longest = max(map(len, rows))
    steps = longest + padding if padding is not None else length or longest
    filled = [[0] * (steps - len(row)) + row if front else row + [0] * (steps - len(row)) for row in rows]
    return torch.tensor(filled)


class SumOverTime(nn.Module):
    """imdb-bilstm: a stacked BiLSTM over texts padded behind, its outputs summed over time."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 16)
        self.lstm = nn.LSTM(16, 16, num_layers=3, bidirectional=True, batch_first=True)
        self.head = nn.Linear(32, 1)

    def forward(self, token_ids: Tensor) -> Tensor:
        outputs, _ = self.lstm(self.embedding(token_ids))
        return torch.sigmoid(self.head(outputs.sum(1))).squeeze()


class AttentionOverTime(SumOverTime):
    """imdb-bilstm-attention: the same, weighed by an attention that has no mask."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, token_ids: Tensor) -> Tensor:
        outputs, _ = self.lstm(self.embedding(token_ids))
        weights = torch.softmax(self.attention(outputs), 1)
        return torch.sigmoid(self.head((weights * outputs).sum(1))).squeeze()


class LastPosition(nn.Module):
    """The others: the output at the last position of the padded rectangle."""

    def __init__(self, cell: type[nn.RNNBase], size: int, outputs: int, **values: object) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, size)
        self.cell = cell(size, size, batch_first=True, **values)
        self.head = nn.Linear(size * (1 + self.cell.bidirectional), outputs)

    def forward(self, token_ids: Tensor) -> Tensor:
        outputs, _ = self.cell(self.embedding(token_ids))
        return self.head(outputs[:, -1])


# The network, the length that texts are padded to (None: the longest of the batch), whether in front.
ARTICLES: dict[str, tuple[Callable[[], nn.Module], int | None, bool]] = {
    "imdb-bilstm": (SumOverTime, 500, False),
    "imdb-bilstm-attention": (AttentionOverTime, 500, False),
    "imdb-gru": (lambda: LastPosition(nn.GRU, 32, 2), None, False),
    "imdb-simplernn": (lambda: LastPosition(nn.RNN, 32, 1), 500, True),
    "imdb-lstm": (lambda: LastPosition(nn.LSTM, 32, 1), 500, True),
    "nsmc-bilstm": (lambda: LastPosition(nn.LSTM, 32, 1, num_layers=2, bidirectional=True), 32, False),
    "nsmc-rnn": (lambda: LastPosition(nn.RNN, 32, 1, num_layers=2, bidirectional=True), 32, False),
}


def as_written(name: str) -> Predict:
    """Return an article's model, its weights untrained."""
    torch.manual_seed(0)
    build, length, front = ARTICLES[name]
    network = build().eval()

    @torch.inference_mode()
    def predict(texts: list[str], padding: int | None = None) -> Tensor:
        return network(padded(texts, length, padding, front))

    return predict


@pytest.mark.parametrize("name", ARTICLES)
def test_the_articles_models_are_flagged_as_they_were_written(name: str) -> None:
    seen = check_padding_invariance(as_written(name), TEXTS)
    assert not seen.passed
    assert seen.difference > 10 * seen.tolerance
    assert "padding changes answers" in str(seen)


def test_what_pads_to_the_longest_of_the_batch_is_flagged_by_its_neighbours_alone() -> None:
    predict = as_written("imdb-gru")
    seen = check_padding_invariance(lambda texts: predict(texts), TEXTS)
    assert "longer text" in seen.company
    assert set(seen.changed) == set(range(len(TEXTS)))


def test_what_pads_to_one_length_is_blind_to_neighbours_and_the_check_says_so() -> None:
    predict = as_written("nsmc-bilstm")
    blind = check_padding_invariance(lambda texts: predict(texts), TEXTS)
    assert blind.passed
    assert "give predict a keyword `padding`" in str(blind)
    assert not check_padding_invariance(predict, TEXTS).passed


def predict_with(network: TextClassifier) -> Predict:
    @torch.inference_mode()
    def predict(texts: list[str], padding: int = 0) -> Tensor:
        lengths = torch.tensor([len(row) for row in ids_of(texts)])
        return network(padded(texts, None, padding), lengths)

    return predict


@pytest.mark.parametrize(
    ("encoder", "bidirectional", "layers", "pooling"),
    list(itertools.product(ENCODERS, (False, True), (1, 3), POOLINGS)),
)
def test_every_network_of_ours_passes(encoder: str, bidirectional: bool, layers: int, pooling: str) -> None:
    torch.manual_seed(0)
    config = ModelConfig(
        encoder=encoder,
        hidden_size=16,
        layers=layers,
        bidirectional=bidirectional,
        embedding_size=12,
        pooling=pooling,
        initialization="torch",
    )
    network = TextClassifier(config, WORDS, 3).eval()
    assert_padding_invariance(predict_with(network), TEXTS, tolerance=1e-5)


def test_a_trained_model_passes_at_its_own_door(tiny_bundle: ModelBundle) -> None:
    assert_padding_invariance(lambda texts: predict_proba(tiny_bundle, texts), [*TEXTS, ""], tolerance=1e-5)


def test_a_repaired_model_passes() -> None:
    network = SumOverTime().eval()

    @torch.inference_mode()
    def predict(texts: list[str], padding: int = 0) -> Tensor:
        token_ids = padded(texts, None, padding)
        lengths = torch.tensor([len(row) for row in ids_of(texts)])
        packed = nn.utils.rnn.pack_padded_sequence(
            network.embedding(token_ids), lengths, batch_first=True, enforce_sorted=False
        )
        outputs, _ = nn.utils.rnn.pad_packed_sequence(network.lstm(packed)[0], batch_first=True)
        return network.head(outputs.sum(1))

    assert_padding_invariance(predict, TEXTS)


def test_a_callable_that_does_not_tell_its_parameters_is_checked_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def untold(predict: object) -> inspect.Signature:
        raise ValueError(f"no signature found for {predict}")  # as for some that are written in C

    monkeypatch.setattr(inspect, "signature", untold)
    assert check_padding_invariance(lambda texts: [len(text) for text in texts], TEXTS).passed


def test_dropout_that_is_on_is_not_taken_for_padding() -> None:
    generator = np.random.default_rng(0)
    seen = check_padding_invariance(lambda texts: generator.random(len(texts)), TEXTS)
    assert "the same call gives other answers" in str(seen)
    assert "padding changes" not in str(seen)


def by_longest(texts: list[str]) -> npt.NDArray[np.float64]:
    """The share of the batch's longest text: above a half alone, below it beside a longer one."""
    return np.array([len(text) / max(map(len, texts)) - 0.02 for text in texts])


def test_the_result_names_the_text_the_company_and_the_labels_that_flip() -> None:
    seen = check_padding_invariance(by_longest, ["a", "a b c d e f g h i j k l m n o p"])
    assert seen.text == "a"
    assert seen.difference == pytest.approx(1 - 1 / 63)
    assert "longer text" in seen.company
    assert seen.changed == (0, 1)
    assert seen.flipped == (0, 1)
    assert seen.tried[0] == "when asked again"
    with pytest.raises(AssertionError, match="2 texts change, 2 of them their label"):
        assert_padding_invariance(by_longest, ["a", "a b c d e f g h i j k l m n o p"])


@pytest.mark.parametrize(
    "form", [list, tuple, np.array, torch.tensor, lambda rows: torch.tensor(rows, requires_grad=True)]
)
def test_answers_may_be_a_list_an_array_or_a_tensor(form: Callable[[object], object]) -> None:
    seen = check_padding_invariance(lambda texts: form([[float(len(text)), 1.0] for text in texts]), TEXTS)
    assert seen.passed
    assert seen.difference == 0


def test_an_answer_that_is_no_number_has_changed() -> None:
    seen = check_padding_invariance(lambda texts: [0.5 if len(texts) == 1 else np.nan] * len(texts), TEXTS)
    assert seen.difference == np.inf
    assert len(seen.changed) == len(TEXTS)


@pytest.mark.parametrize(
    ("predict", "texts", "said"),
    [
        (len, [], "no texts"),
        (lambda texts: [0.5] * 3, TEXTS, "array of shape \\(3,\\) for 1 texts"),
        (lambda texts: [[0.5, 0.5]], TEXTS, "array of shape \\(1, 2\\) for 5 texts"),
    ],
)
def test_what_cannot_be_checked_is_refused(predict: Predict, texts: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        check_padding_invariance(predict, texts)
