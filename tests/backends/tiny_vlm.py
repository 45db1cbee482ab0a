"""A vision-language model of random weights, as save_pretrained would leave it."""

from __future__ import annotations

from pathlib import Path

WORDS = ("<image> <s> </s> <pad> <unk> USER: ASSISTANT: Does this figure show a cat dog please answer yes or no. Yes No"
         " left right tie").split()


def save_tiny_vlm(directory: Path) -> Path:
    import torch

    from synthvlm_ui.models import torchvision_ops

    torchvision_ops.ensure_importable()
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    words = {word: index for index, word in enumerate(WORDS)}
    inner = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
                                        unk_token="<unk>", additional_special_tokens=["<image>"])
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}),
        tokenizer=tokenizer, patch_size=8, vision_feature_select_strategy="default", image_token="<image>",
        num_additional_image_tokens=1)
    torch.manual_seed(0)
    network = LlavaForConditionalGeneration(LlavaConfig(
        vision_config=CLIPVisionConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
                                       image_size=16, patch_size=8, projection_dim=16),
        text_config=LlamaConfig(vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
                                num_attention_heads=2, max_position_embeddings=128, pad_token_id=words["<pad>"]),
        image_token_index=words["<image>"], vision_feature_layer=-1, vision_feature_select_strategy="default"))
    with torch.no_grad():  # larger than transformers' own start, so that a picture has a say in the words
        for weights in network.parameters():
            if weights.ndim > 1:
                weights.mul_(8)
    network.save_pretrained(directory, safe_serialization=True)
    processor.save_pretrained(directory)
    return directory
