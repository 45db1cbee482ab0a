"""A LLaVA, a language model and a vision tower with random weights, as transformers saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

TEXTS = ["a red wall on a blue meadow", "What is in the picture?", "USER: ASSISTANT: A chat between a user"]


def tokenizer(*, with_image: bool) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bytes_ = Tokenizer(models.BPE(unk_token="<unk>"))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<unk>", *["<image>"] * with_image]
    bytes_.train_from_iterator(TEXTS, trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return PreTrainedTokenizerFast(tokenizer_object=bytes_, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
                                   unk_token="<unk>")


def vision_config() -> dict[str, Any]:
    return {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": 32, "patch_size": 16, "projection_dim": 16}


def text_config(words: int) -> dict[str, Any]:
    return {"vocab_size": words, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 2, "max_position_embeddings": 256, "pad_token_id": 0, "bos_token_id": 1,
            "eos_token_id": 2, "tie_word_embeddings": False}


def image_processor() -> Any:
    from transformers import CLIPImageProcessor

    return CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


def save_llava(out: Path) -> Path:
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    torch.manual_seed(0)
    words = tokenizer(with_image=True)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**vision_config()), text_config=LlamaConfig(**text_config(len(words))),
        image_token_index=words.convert_tokens_to_ids("<image>"), image_seq_length=4)
    LlavaForConditionalGeneration(config).save_pretrained(out)
    LlavaProcessor(image_processor=image_processor(), tokenizer=words, patch_size=16,
                   vision_feature_select_strategy="default", num_additional_image_tokens=1).save_pretrained(out)
    return out


def save_parts(out: Path) -> tuple[Path, Path]:
    """A language model without pictures, and a vision tower."""
    from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    words = tokenizer(with_image=False)
    LlamaForCausalLM(LlamaConfig(**text_config(len(words)))).save_pretrained(out / "language")
    words.save_pretrained(out / "language")
    CLIPVisionModel(CLIPVisionConfig(**vision_config())).save_pretrained(out / "vision")
    image_processor().save_pretrained(out / "vision")
    return out / "language", out / "vision"
