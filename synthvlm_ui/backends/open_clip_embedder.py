"""Any CLIP model of open_clip as an Embedder, from safetensors.

Every model is loaded from a directory in open_clip's own layout (open_clip_config.json, open_clip_model.safetensors,
tokenizer files), which models of the Hub have too; the activation (QuickGELU or GELU) is then the one written beside
the weights and cannot be mistaken. Knows no prefix and no score.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.backends.clip_preprocess import ClipPreprocess
from synthvlm_ui.backends.device import embedder_dtype, is_out_of_memory, release_memory
from synthvlm_ui.backends.model_files import cached_snapshot, download, read_json, revision_of
from synthvlm_ui.errors import BadSetting, ModelUnavailable, OutOfMemory, UnknownName
from synthvlm_ui.models.torchvision_ops import ensure_importable
from synthvlm_ui.protocols import FloatMatrix, UInt8Image
from synthvlm_ui.records import ScorerInfo

if TYPE_CHECKING:
    import torch

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
# Narrow networks lose most by rounding (0.005 of the small world's cosine) and cost a millisecond or two anyway.
_WORTH_ROUNDING = 20_000_000
_PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


class OpenClipEmbedder:
    """Embeds images and texts with one model on one device.

    Args: ``name`` as the registry takes it; ``directory`` or ``hub_id`` say where its files are, and a name alone is
    open_clip's "MODEL/TAG". ``precision`` is fp32, bf16, fp16 or auto (fp16 on cards; on processors bf16 where they
    multiply it and the model is large enough to gain, else fp32). ``batch_size`` bounds what is on the device at once.
    Raises: ModelUnavailable, UnknownName, BadSetting.
    """

    def __init__(self, name: str, *, directory: Path | None = None, hub_id: str = "", device: str = "cpu",
                 precision: str = "auto", batch_size: int = 64) -> None:
        self._device, self._batch_size = device, batch_size
        directory = directory or _fetch(hub_id or _hub_id_of(name))
        config = read_json(directory / CONFIG)
        _check_activation(hub_id or name, config)
        model, self._tokenizer = _load(directory, config, device)
        self._dtype = _dtype_of(precision, device, sum(each.numel() for each in model.parameters()))
        self._model = model.to(dtype=self._dtype).eval()
        side = self._model.visual.image_size
        self._preprocess = ClipPreprocess.of(config.get("preprocess_cfg") or {},
                                             side[0] if isinstance(side, tuple | list) else side)
        self._context = int(self._tokenizer.context_length)
        self.dimension = int(config["model_cfg"]["embed_dim"])
        self.info = ScorerInfo("open_clip", (), {
            "model": directory.name if ":" in name or Path(name).is_dir() else name,
            "weights": revision_of(directory),
            "library": "open_clip",
            "precision": next(short for short, long in _PRECISIONS.items() if str(self._dtype) == f"torch.{long}"),
            "side_px": self._preprocess.side_px,
            "resize": f"{self._preprocess.resize_mode}, {self._preprocess.interpolation}, antialiased, uint8",
            "context_tokens": self._context,
        })

    def image_tower(self) -> tuple[Any, tuple[float, ...], tuple[float, ...], int]:
        """The network that reads images, and the mean, standard deviation and side in px of what it reads."""
        return self._model.visual, self._preprocess.mean, self._preprocess.std, self._preprocess.side_px

    def embed_images(self, images: Sequence[UInt8Image]) -> FloatMatrix:
        """Shapes: N arrays (height, width, 3) uint8 to (N, D) float32, rows of norm 1. Raises: OutOfMemory."""
        return self._in_batches(images, self._encode_images)

    def embed_texts(self, texts: Sequence[str]) -> FloatMatrix:
        """Shapes: N texts, cut at the model's context, to (N, D) float32, rows of norm 1. Raises: OutOfMemory."""
        return self._in_batches(texts, self._encode_texts)

    def truncated(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Shapes: (N,). Whether the model's context cuts a text; start and end tokens count."""
        return np.array([self._token_count(text) > self._context for text in texts], np.bool_)

    def _encode_images(self, images: Sequence[UInt8Image]) -> torch.Tensor:
        return self._model.encode_image(self._preprocess.batch(images, self._device, self._dtype))

    def _encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        return self._model.encode_text(self._tokenizer(list(texts)).to(self._device))

    def _in_batches(self, items: Sequence[Any], encode: Any) -> FloatMatrix:
        import torch

        found = np.zeros((len(items), self.dimension), np.float32)
        start = 0
        while start < len(items):
            batch = items[start : start + self._batch_size]
            try:
                with torch.inference_mode():
                    vectors = torch.nn.functional.normalize(encode(batch).float(), dim=-1)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if len(batch) == 1:
                    raise OutOfMemory(f"not even one item fits into the memory of {self._device}",
                                      where=str(self.info.settings["model"])) from error
                self._batch_size = len(batch) // 2
                release_memory()
                continue
            found[start : start + len(batch)] = vectors.cpu().numpy()
            start += len(batch)
        return found

    def _token_count(self, text: str) -> int:
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is not None:  # a tokenizer of transformers, which adds its own start and end
            return len(inner(self._tokenizer.clean_fn(text), truncation=False, verbose=False)["input_ids"])
        return len(self._tokenizer.encode(text)) + 2


def _dtype_of(precision: str, device: str, parameters: int) -> torch.dtype:
    import torch

    if precision == "auto":
        small = device == "cpu" and parameters < _WORTH_ROUNDING
        return torch.float32 if small else embedder_dtype(device)
    if precision not in _PRECISIONS:
        raise BadSetting(f"precision {precision!r} is not known", fix=f"Use auto, {', '.join(_PRECISIONS)}.")
    dtype: torch.dtype = getattr(torch, _PRECISIONS[precision])
    return dtype


def _check_activation(name: str, config: dict[str, Any]) -> None:
    """OpenAI's weights were trained with QuickGELU; with GELU they load and give other numbers. Raises: BadSetting."""
    if name.endswith((".openai", "/openai")) and not (config.get("model_cfg") or {}).get("quick_gelu"):
        raise BadSetting("this configuration has another activation than OpenAI's weights were trained with",
                         where=name, fix='Set "quick_gelu": true in its open_clip_config.json.')


def _load(directory: Path, config: dict[str, Any], device: str) -> tuple[Any, Any]:
    """Model and tokenizer of a directory. Raises: ModelUnavailable."""
    if not isinstance(config.get("model_cfg"), dict) or not (directory / WEIGHTS).is_file():
        raise ModelUnavailable(f"no open_clip model ({CONFIG} and {WEIGHTS})", where=str(directory),
                               fix="Pickled weights are not loaded; save them as safetensors.")
    ensure_importable()
    import open_clip

    place = f"local-dir:{directory}"
    try:
        # Weights in a step of their own, since open_clip would take a pickled file if it found that first.
        with _without_random_weights_warning():
            model = open_clip.create_model(place, load_weights=False, pretrained_hf=False, device=device)
        open_clip.load_checkpoint(model, str(directory / WEIGHTS), device="cpu")
        tokenizer = open_clip.get_tokenizer(place)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ModelUnavailable(f"this open_clip model cannot be loaded: {reason}", where=str(directory)) from error
    return model, tokenizer


@contextmanager
def _without_random_weights_warning() -> Iterator[None]:
    """open_clip warns on the root logger that the weights are random, which they are for one more line.

    Its warning that the activation is not that of the weights is no warning here. Raises: BadSetting.
    """

    def keep(record: logging.LogRecord) -> bool:
        if "QuickGELU mismatch" in record.getMessage():
            raise BadSetting(record.getMessage(), fix="Choose the configuration whose name ends in -quickgelu.")
        return "No pretrained weights loaded" not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(keep)
    try:
        yield
    finally:
        root.removeFilter(keep)


def _hub_id_of(name: str) -> str:
    """The Hub model behind open_clip's "MODEL/TAG"."""
    ensure_importable()
    import open_clip

    architecture, _, tag = name.partition("/")
    tagged = open_clip.get_pretrained_cfg(architecture, tag)
    config = open_clip.get_model_config(architecture)
    if not tagged or not config:
        raise UnknownName.of("weights tag", name, open_clip.list_pretrained_tags_by_model(architecture))
    if bool(tagged.get("quick_gelu")) != bool(config.get("quick_gelu")):
        right = architecture.removesuffix("-quickgelu") + ("-quickgelu" if tagged.get("quick_gelu") else "")
        raise BadSetting(f"{architecture} has another activation than these weights were trained with", where=name,
                         fix=f"Use {right}/{tag}.")
    hub_id = "/".join(str(tagged.get("hf_hub", "")).split("/")[:2]).strip("/")
    if not hub_id:
        raise ModelUnavailable(f"{name} is published as a pickled file only", fix="Choose weights with safetensors.")
    return hub_id


def _fetch(hub_id: str) -> Path:
    snapshot = cached_snapshot(hub_id, WEIGHTS)
    if snapshot is not None and (snapshot / CONFIG).is_file():
        return snapshot
    return download(hub_id, (CONFIG, WEIGHTS, "tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json"))
