"""The word-level tokenizer of the small world, shared by the language model and CLIP.

Knows nothing about models.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from synthvlm_ui.miniature import words

SPECIAL: tuple[str, ...] = ("<pad>", "<s>", "</s>", "<unk>")
PAD, START, END, UNKNOWN = range(4)


def build_tokenizer() -> Any:
    """`transformers.PreTrainedTokenizerFast` with one id per word, `<s>` ... `</s>` around a text."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate((*SPECIAL, *words.all_words()))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", START), ("</s>", END)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        unk_token="<unk>",
    )  # fmt: skip


def encode(texts: list[str], length: int) -> list[list[int]]:
    """Ids of grammar captions, `<s>` ... `</s>` and padded (or cut) to `length`."""
    from synthvlm_ui.miniature.grammar import split_words

    ids = {word: i for i, word in enumerate((*SPECIAL, *words.all_words()))}
    rows = []
    for text in texts:
        row = [START, *(ids.get(w, UNKNOWN) for w in split_words(text))][: length - 1] + [END]
        rows.append(row + [PAD] * (length - len(row)))
    return rows


def write_vocabulary(path: Path) -> None:
    """The plain word list that the prompt box uses, with 12 captions that can be drawn."""
    examples = [
        "a red apple to the left of a blue car on a green meadow",
        "two yellow stars in a night sky",
        "a pink cupcake above a purple teapot on a wooden table",
        "a white rabbit in front of a green dotted wall",
        "three orange fishes on a calm sea",
        "a penguin to the right of a blue umbrella on a snowy field",
        "a castle below a red balloon in a blue sky",
        "four green cactuses on a sandy beach",
        "there is a purple octopus and a yellow crab on a sandy beach",
        "a brick wall with a red clock",
        "on a green meadow, a cat to the left of a dog",
        "this is an image of a blue rocket above a white house in a night sky",
    ]
    path.write_text(json.dumps({"words": list(words.all_words()), "examples": examples}, indent=1) + "\n")
