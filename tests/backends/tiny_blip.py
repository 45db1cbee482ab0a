"""A BLIP image-text matching model of random weights, as save_pretrained would leave it."""

from __future__ import annotations

from pathlib import Path

WORDS = "[PAD] [UNK] [CLS] [SEP] a the fox red in snow caption 0 1 2 3 4".split()


def save_tiny_blip(directory: Path) -> Path:
    import torch

    from synthvlm_ui.models import torchvision_ops

    torchvision_ops.ensure_importable()
    from transformers import BertTokenizer, BlipConfig, BlipForImageTextRetrieval

    directory.mkdir(parents=True, exist_ok=True)
    (directory / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizer(str(directory / "vocab.txt")).save_pretrained(directory)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = BlipConfig(
        text_config={**small, "vocab_size": len(WORDS), "encoder_hidden_size": 16, "max_position_embeddings": 32,
                     "pad_token_id": 0, "bos_token_id": 2, "sep_token_id": 3, "eos_token_id": 3},
        vision_config={**small, "image_size": 32, "patch_size": 16}, projection_dim=16, image_text_hidden_size=16)
    BlipForImageTextRetrieval(config).save_pretrained(directory, safe_serialization=True)
    return directory
