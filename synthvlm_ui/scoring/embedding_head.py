"""Heads: a linear layer or a small MLP on stored CLIP embeddings, such as an aesthetic or an NSFW predictor, or one
learnt from a user's own verdicts.

A head is a safetensors file whose matrices stand in the order of the numbers in their names (``layers.0.weight``,
``layers.0.bias``, ...); its metadata may say ``activation`` (none, relu, gelu), ``final`` (none, sigmoid), ``clip_key``
and more. Needs numpy only: no image is decoded, so a million embeddings take seconds. Knows no store.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, UnreadableFile
from synthvlm_ui.records import ScorerInfo

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
ACTIVATIONS = ("none", "relu", "gelu")
FINALS = ("none", "sigmoid")
_NUMBERS = re.compile(r"\d+")


class EmbeddingHead:
    """Turns L2-normalised embeddings into one number each. Shapes: layers of (out, in) weights and (out,) biases."""

    def __init__(self, name: str, layers: Sequence[Layer], metadata: Mapping[str, str], digest: str) -> None:
        self._layers = layers
        self._activation, self._final = metadata.get("activation", "none"), metadata.get("final", "none")
        if self._activation not in ACTIVATIONS or self._final not in FINALS:
            raise BadSetting(f"activation {self._activation!r}, final {self._final!r}", where=name,
                             fix=f"Use {', '.join(ACTIVATIONS)}, and {', '.join(FINALS)}.")
        self.dimension = int(layers[0][0].shape[1])
        self.metadata = dict(metadata)
        column = "head_" + re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        self.info = ScorerInfo(column, (column,), {"weights": digest, **self.metadata})

    def score(self, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
        """Shapes: (N, D) -> (N,); NaN where an embedding is not finite. Raises: BadSetting for another D."""
        if embeddings.shape[1] != self.dimension:
            raise BadSetting(f"the head {self.info.name} reads {self.dimension} numbers, an embedding here has "
                             f"{embeddings.shape[1]}", fix="Score with the CLIP model that the head was made for.")
        x = np.asarray(embeddings, np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            x = x / np.linalg.norm(x, axis=1, keepdims=True)
        for number, (weight, bias) in enumerate(self._layers):
            x = x @ weight.T + bias
            if number + 1 < len(self._layers):
                x = _activated(x, self._activation)
        y = x[:, 0]
        if self._final == "sigmoid":
            y = 1 / (1 + np.exp(-np.clip(y, -60, 60)))
        return np.asarray(y, np.float32)


def load_head(path: Path, name: str = "") -> EmbeddingHead:
    """A head from its file. Raises: UnreadableFile, BadSetting when the layers do not follow from one another."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            metadata = dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise UnreadableFile(f"no head in safetensors: {error}", where=str(path),
                             fix="See docs/scorers.md for the form of the file.") from error
    weights = sorted((key for key in tensors if key.endswith("weight") and tensors[key].ndim == 2), key=_place)
    layers: list[Layer] = []
    for key in weights:
        weight = np.asarray(tensors[key], np.float32)
        bias = tensors.get(key.removesuffix("weight") + "bias", np.zeros(len(weight)))
        if layers and weight.shape[1] != len(layers[-1][1]):
            raise BadSetting(f"{key} does not take what the layer before it gives", where=str(path))
        layers.append((weight, np.asarray(bias, np.float32)))
    if not layers or len(layers[-1][1]) != 1:
        raise BadSetting("the layers do not end in one number", where=str(path),
                         fix="See docs/scorers.md for the form of the file.")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return EmbeddingHead(name or path.stem, layers, metadata, digest)


def head_bytes(layers: Sequence[Layer], metadata: Mapping[str, Any]) -> bytes:
    """The safetensors file of a head."""
    from safetensors.numpy import save

    tensors: dict[str, NDArray[Any]] = {}
    for number, (weight, bias) in enumerate(layers):
        tensors[f"layers.{number}.weight"] = np.ascontiguousarray(weight, np.float32)
        tensors[f"layers.{number}.bias"] = np.ascontiguousarray(bias, np.float32)
    return bytes(save(tensors, {key: str(value) for key, value in metadata.items()}))


def _activated(x: NDArray[np.float32], activation: str) -> NDArray[np.float32]:
    if activation == "relu":
        return np.maximum(x, 0)
    if activation == "gelu":  # the form by tanh, within 1e-3 of the exact one
        return np.asarray(0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3))), np.float32)
    return x


def _place(key: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _NUMBERS.findall(key))
