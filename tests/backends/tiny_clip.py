"""open_clip models with tiny random weights, saved in open_clip's own directory layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from synthvlm_ui.models.torchvision_ops import ensure_importable

WORDS = "a photo depicts red blue cat dog on the left of mat house tree with and two three small big".split()
CONTEXT = 16


def save_tiny_clip(path: Path, *, seed: int = 0, resize_mode: str = "shortest", own_words: bool = True) -> Path:
    """A 2-layer ViT of 32 px; with its own word tokenizer (16 tokens), or CLIP's byte pairs (77); returns ``path``."""
    ensure_importable()
    import open_clip
    import torch
    from safetensors.torch import save_file

    path.mkdir(parents=True, exist_ok=True)
    text: dict[str, Any] = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    if own_words:
        _save_tokenizer(path)
        text |= {"context_length": CONTEXT, "vocab_size": 4 + len(WORDS), "hf_tokenizer_name": "own",
                 "pool_type": "eos", "eos_id": 2, "pad_id": 0}
    config = {
        "model_cfg": {
            "embed_dim": 24, "quick_gelu": True, "text_cfg": text,
            "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
        },
        "preprocess_cfg": {"mean": [0.48, 0.45, 0.4], "std": [0.27, 0.26, 0.28], "interpolation": "bicubic",
                           "resize_mode": resize_mode},
    }
    (path / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(seed)
    model = open_clip.create_model(f"local-dir:{path}", load_weights=False)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()},
              path / "open_clip_model.safetensors")
    return path


def _save_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["<pad>", "<start>", "<end>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 2)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<start>", eos_token="<end>", unk_token="<unk>",
    ).save_pretrained(path)
