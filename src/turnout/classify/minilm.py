"""all-MiniLM-L6-v2 on numpy: sentences to vectors, without torch or onnxruntime.

Six layers of a BERT encoder (post-norm, exact GELU, absolute positions), mean pooling over the tokens, unit length:
what sentence-transformers does with the same weights. Vectors are 384 float32 numbers of unit length, so their dot
product is the cosine. Sources: the package's ``config.json``, ``modules.json`` and ``sentence_bert_config.json``.

Known limitations: English; text beyond 256 tokens is cut off; needs the extra ``embedding`` and the weights' package.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout.classify.blas import one_blas_thread
from turnout.config.extras import require
from turnout.upstream.local.weights import MINILM_TOKENIZER, MINILM_WEIGHTS, verified

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

DIMENSIONS = 384
"""Numbers in a vector."""

MOST_TOKENS = 256
"""Tokens of a text that are read, the two special ones included."""

LAYERS = 6
"""How many encoder layers the model has."""

_HEADS = 12
_EPSILON = 1e-12
_BATCH_TOKENS = 256
_REMEMBERED = 8


class MiniLM:
    """The model, loaded; safe to use from several threads, whose calls wait for each other.

    Args:
        weights: ``model.safetensors``.
        tokenizer: ``tokenizer.json``.

    Raises:
        MissingExtraError: numpy, safetensors or tokenizers is not installed.
    """

    def __init__(self, weights: Path, tokenizer: Path) -> None:
        self._np = require("numpy", extra="embedding")
        self._tokenizer: Any = require("tokenizers", extra="embedding").Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MOST_TOKENS)
        tensors = require("safetensors.numpy", extra="embedding").load_file(weights)
        self._words: Vectors = tensors["embeddings.word_embeddings.weight"]
        # Every token is of type 0, so its embedding is a part of the position's.
        self._positions: Vectors = (
            tensors["embeddings.position_embeddings.weight"][:MOST_TOKENS]
            + tensors["embeddings.token_type_embeddings.weight"][0]
        )
        self._norm = _norm_of(tensors, "embeddings.LayerNorm")
        self._latest: OrderedDict[tuple[str, int], Vectors] = OrderedDict()
        self._layers = [_Layer(tensors, f"encoder.layer.{index}.", self._np) for index in range(LAYERS)]

    def embed(self, texts: Sequence[str], *, layers: int = LAYERS) -> Vectors:
        """One vector a text, in their order: shape (texts, 384). No texts give shape (0, 384).

        The vectors of the latest texts that came alone are remembered: a classifier and what looks at the same request
        beside it ask for the same one.

        Args:
            texts: What to embed.
            layers: How many of the layers to run, 1 to 6. All of them give the vectors that the model was trained for,
                which say what a text is about; earlier ones say more of how it is put.

        Raises:
            ValueError: There are no so many layers.
        """
        if not 1 <= layers <= LAYERS:
            raise ValueError(f"layers must be between 1 and {LAYERS}, got {layers}")
        if len(texts) != 1:
            return self._embedded(texts, layers)
        key = (texts[0], layers)
        found = self._latest.get(key)
        if found is None:
            found = self._latest[key] = self._embedded(texts, layers)
            if len(self._latest) > _REMEMBERED:
                self._latest.popitem(last=False)
        return found.copy()

    def _embedded(self, texts: Sequence[str], layers: int) -> Vectors:
        np = self._np
        # Not encode_batch: its own threads gain nothing on short texts and make later forks of the process complain.
        ids = [self._tokenizer.encode(text).ids for text in texts]
        vectors = np.empty((len(ids), DIMENSIONS), np.float32)
        with one_blas_thread():
            for batch in _batches([len(tokens) for tokens in ids]):
                vectors[batch] = self._forward([ids[index] for index in batch], layers)
        return vectors  # type: ignore[no-any-return]  # numpy is imported at run time, so its types are not known here

    def _forward(self, ids: list[list[int]], layers: int) -> Vectors:
        np = self._np
        longest = max(map(len, ids))
        tokens = np.zeros((len(ids), longest), np.int64)
        present = np.zeros((len(ids), longest, 1), np.float32)
        for row, text_ids in enumerate(ids):
            tokens[row, : len(text_ids)] = text_ids
            present[row, : len(text_ids)] = 1.0
        # Added to the attention's scores: nothing attends to padding.
        hidden_padding = None if present.all() else (present[:, None, None, :, 0] - 1.0) * np.float32(1e9)
        x = _layer_norm(np, self._words[tokens] + self._positions[:longest], self._norm)
        for layer in self._layers[:layers]:
            x = layer(x, hidden_padding)
        pooled = (x * present).sum(axis=1) / present.sum(axis=1)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)  # type: ignore[no-any-return]  # as above


class _Layer:
    """One encoder layer: self-attention, then the feed-forward net, each with its residual and norm."""

    def __init__(self, tensors: dict[str, Any], prefix: str, np: Any) -> None:
        self._np = np
        parts = [prefix + f"attention.self.{part}." for part in ("query", "key", "value")]
        # Queries, keys and values in one product.
        self._qkv = np.concatenate([tensors[part + "weight"] for part in parts]).T
        self._qkv_bias = np.concatenate([tensors[part + "bias"] for part in parts])
        self._out = _dense_of(tensors, prefix + "attention.output.dense")
        self._norm1 = _norm_of(tensors, prefix + "attention.output.LayerNorm")
        self._up = _dense_of(tensors, prefix + "intermediate.dense")
        self._down = _dense_of(tensors, prefix + "output.dense")
        self._norm2 = _norm_of(tensors, prefix + "output.LayerNorm")

    def __call__(self, x: Any, hidden_padding: Any) -> Any:
        np = self._np
        texts, tokens, width = x.shape
        per_head = width // _HEADS
        qkv = (x @ self._qkv + self._qkv_bias).reshape(texts, tokens, 3, _HEADS, per_head)
        query, key, value = qkv.transpose(2, 0, 3, 1, 4)
        scores = query @ key.transpose(0, 1, 3, 2) * np.float32(per_head**-0.5)
        if hidden_padding is not None:
            scores += hidden_padding
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        attended = (scores @ value).transpose(0, 2, 1, 3).reshape(texts, tokens, width)
        x = _layer_norm(np, x + attended @ self._out[0] + self._out[1], self._norm1)
        raised = _gelu(np, x @ self._up[0] + self._up[1])
        return _layer_norm(np, x + raised @ self._down[0] + self._down[1], self._norm2)


_shared: MiniLM | None = None
_shared_lock = threading.Lock()


def shared_minilm() -> MiniLM:
    """The packaged model, loaded once for the process, from weights that were checked.

    Raises:
        MissingExtraError: The extra ``embedding`` is not installed.
        WeightsError: The weights' package is not installed, or its files are not the expected ones.
    """
    global _shared
    with _shared_lock:
        if _shared is None:
            require("numpy", extra="embedding")  # first: the smaller thing that may be missing
            _shared = MiniLM(verified(MINILM_WEIGHTS), verified(MINILM_TOKENIZER))
        return _shared


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Indices in groups of about equal length, so that little padding is computed."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        # Sorted, so this text is the longest of its batch and sets the padding of all.
        if batches and (len(batches[-1]) + 1) * lengths[index] <= _BATCH_TOKENS:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def _dense_of(tensors: dict[str, Any], name: str) -> tuple[Any, Any]:
    return tensors[name + ".weight"].T, tensors[name + ".bias"]


def _norm_of(tensors: dict[str, Any], name: str) -> tuple[Any, Any]:
    return tensors[name + ".weight"], tensors[name + ".bias"]


def _layer_norm(np: Any, x: Any, norm: tuple[Any, Any]) -> Any:
    x = x - x.mean(axis=-1, keepdims=True)
    variance = (x * x).mean(axis=-1, keepdims=True)
    return x / np.sqrt(variance + np.float32(_EPSILON)) * norm[0] + norm[1]


def _gelu(np: Any, x: Any) -> Any:
    """x/2 * (1 + erf(x / sqrt 2)); erf by Abramowitz and Stegun 7.1.26, wrong by at most 1.5e-7."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1.0 / (1.0 + np.float32(0.3275911) * z)
    polynomial = t * (
        np.float32(0.254829592)
        + t
        * (
            np.float32(-0.284496736)
            + t * (np.float32(1.421413741) + t * (np.float32(-1.453152027) + t * np.float32(1.061405429)))
        )
    )
    erf = np.sign(x) * (1.0 - polynomial * np.exp(-z * z))
    return np.float32(0.5) * x * (1.0 + erf)
