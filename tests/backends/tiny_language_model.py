"""A language model of random weights with a chat template, as save_pretrained would leave it."""

from __future__ import annotations

from pathlib import Path

WORDS = ("this is an image of a the cat dog house red blue green on in beside two standing <s> </s> <pad> <unk>"
         " user assistant : .").split()
TEMPLATE = ("{% for turn in messages %}user : {{ turn['content'] }} {% endfor %}"
            "{% if add_generation_prompt %}assistant :{% endif %}")


def save_tiny_language_model(directory: Path, *, template: bool = True) -> Path:
    import torch

    from synthvlm_ui.models import torchvision_ops

    torchvision_ops.ensure_importable()
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = {word: index for index, word in enumerate(dict.fromkeys(WORDS))}
    inner = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
                                        unk_token="<unk>")
    if template:
        tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    network = LlamaForCausalLM(LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=64, bos_token_id=words["<s>"], eos_token_id=words["</s>"], pad_token_id=words["<pad>"]))
    network.save_pretrained(directory, safe_serialization=True)
    tokenizer.save_pretrained(directory)
    return directory
