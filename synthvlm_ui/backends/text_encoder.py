"""Any text model of transformers as a caption embedder: a language model or a sentence encoder, safetensors only.

A language model's embedding is the mean of its last hidden layer over the caption's tokens, as in Synth2 section 4.2.2;
a sentence encoder's is what its own pooling file says (mean of the tokens, or the first). Knows no caption and no file
of a workspace.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from synthvlm_ui.backends.device import is_out_of_memory, release_memory
from synthvlm_ui.backends.model_files import cached_snapshot, download, looks_like_hub_id, read_json, revision_of
from synthvlm_ui.errors import ModelUnavailable, OutOfMemory
from synthvlm_ui.models import torchvision_ops
from synthvlm_ui.protocols import FloatMatrix
from synthvlm_ui.records import ScorerInfo

Pooling = Literal["mean", "first"]
_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "1_Pooling/config.json")
_MAX_TOKENS = 512
_BATCH = {"cpu": 64}


class TextEncoder:
    """Embeds texts with one model on one device.

    Args: ``source`` is a directory or a Hub id; ``kind`` "lm" takes the mean of the last hidden layer, "sentence" the
    model's own pooling. Raises: ModelUnavailable, OutOfMemory.
    """

    def __init__(self, source: Path | str, kind: Literal["lm", "sentence"], device: str = "cpu",
                 batch_size: int | None = None) -> None:
        torchvision_ops.ensure_importable()
        directory = _directory_of(source)
        self._device, self._batch_size = device, batch_size or _BATCH.get(device, 256)
        self._tokenizer, self._network = _load(directory, device)
        self._pooling: Pooling = "mean" if kind == "lm" else _pooling_of(directory)
        config = self._network.config
        room = (getattr(config, "max_position_embeddings", 0) or _MAX_TOKENS,
                getattr(self._tokenizer, "model_max_length", 0) or _MAX_TOKENS, _MAX_TOKENS)
        self._context = int(min(room))
        self.dimension = int(config.hidden_size)
        self.info = ScorerInfo(kind, (), {
            "model": directory.name if Path(source).is_dir() else str(source), "weights": revision_of(directory),
            "layer": "last hidden", "pooling": self._pooling, "context_tokens": self._context,
            "precision": str(self._network.dtype).removeprefix("torch."), "library": "transformers"})

    def embed_texts(self, texts: Sequence[str]) -> FloatMatrix:
        """Shapes: N texts, cut at the model's context, to (N, D) float32, rows of norm 1. Raises: OutOfMemory."""
        found = np.zeros((len(texts), self.dimension), np.float32)
        # Texts of one length share a batch: padding costs as much as words.
        waiting = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        while waiting:
            batch = waiting[: self._batch_size]
            try:
                found[batch] = self._encode([texts[place] for place in batch])
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if len(batch) == 1:
                    raise OutOfMemory(f"not even one text fits into the memory of {self._device}",
                                      where=str(self.info.settings["model"])) from error
                self._batch_size = len(batch) // 2
                release_memory()
                continue
            waiting = waiting[len(batch):]
        return found

    @torch.inference_mode()
    def _encode(self, texts: Sequence[str]) -> FloatMatrix:
        end = self._tokenizer.eos_token_id
        pad = self._tokenizer.pad_token_id
        # Most tokenizers of language models say nothing of padding: any token will do, since the mask hides it.
        rows = [(self._tokenizer.encode(text)[: self._context] or [end or 0]) for text in texts]
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), pad if pad is not None else end or 0, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        given = {"input_ids": ids.to(self._device), "attention_mask": mask.to(self._device)}
        states = self._network(**given, return_dict=True).last_hidden_state.float()
        if self._pooling == "first":
            pooled = states[:, 0]
        else:
            weights = given["attention_mask"].unsqueeze(-1)
            pooled = (states * weights).sum(1) / weights.sum(1)
        vectors: FloatMatrix = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
        return vectors


def _directory_of(source: Path | str) -> Path:
    if isinstance(source, str) and looks_like_hub_id(source):
        found = cached_snapshot(source, "config.json")
        return found if found is not None and any(found.glob("*.safetensors")) else download(source, _FILES)
    return Path(source).expanduser()


def _pooling_of(directory: Path) -> Pooling:
    """What sentence-transformers wrote beside the weights; the mean where nothing is written."""
    return "first" if read_json(directory / "1_Pooling" / "config.json").get("pooling_mode_cls_token") else "mean"


def _load(directory: Path, device: str) -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        network: Any = AutoModel.from_pretrained(
            directory, dtype=torch.float32 if device == "cpu" else torch.float16, local_files_only=True,
            trust_remote_code=False, use_safetensors=True)
        if network.config.is_encoder_decoder:
            network = network.get_encoder()
        return tokenizer, network.to(device).eval().requires_grad_(False)
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory("this device has too little memory for the model", where=str(directory),
                              fix="Use a smaller model or another device.") from error
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ModelUnavailable(f"no text model of transformers: {reason}", where=str(directory),
                               fix="Give a directory with config.json, a tokenizer and *.safetensors.") from error
