"""Conversations as tensors: prompt formats, which words are learned, pictures, padding.

Formats are LLaVA-1.5's: "plain" for stage 1 (picture, caption, a line break; the question is dropped) and "v1" (Vicuna)
for stage 2. Only the answers are learned. Knows no training loop.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from synthvlm_ui.training.conversations import IMAGE, Conversations, Turns

Format = Literal["plain", "v1"]
IGNORED = -100
# The system prompt that Vicuna, and LLaVA-1.5 with it, was trained with: it has to be the same words.
SYSTEM = ("A chat between a curious user and an artificial intelligence assistant. "
          "The assistant gives helpful, detailed, and polite answers to the user's questions.")


def segments(turns: Turns, form: Format, end: str) -> list[tuple[str, bool]]:
    """The text of a conversation in pieces, each with whether it is learned."""
    if form == "plain":
        return [(IMAGE, False), (turns[0][1] + "\n", True)]
    pieces = [(SYSTEM + " ", False)]
    for question, answer in turns:
        asked = question.replace(IMAGE, "").strip()
        picture = f"{IMAGE}\n" if IMAGE in question else ""
        pieces += [(f"USER: {picture}{asked} ASSISTANT:", False), (f" {answer}{end}", True)]
    return pieces


@dataclass
class ConversationDataset:
    """One example per conversation: ids, labels, and the picture or None. For a loader of torch."""

    conversations: Conversations
    processor: Any
    form: Format
    picture_tokens: int
    max_length: int = 2048

    def __len__(self) -> int:
        return len(self.conversations)

    def __getitem__(self, index: int) -> dict[str, Any]:
        tokenizer = self.processor.tokenizer
        start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        ids, labels = list(start), [IGNORED] * len(start)
        for text, learned in segments(self.conversations.turns(index), self.form, tokenizer.eos_token or ""):
            for number, piece in enumerate(text.split(IMAGE)):
                if number:
                    ids += [tokenizer.convert_tokens_to_ids(IMAGE)] * self.picture_tokens
                    labels += [IGNORED] * self.picture_tokens
                new = tokenizer.encode(piece, add_special_tokens=False) if piece else []
                ids += new
                labels += new if learned else [IGNORED] * len(new)
        image = self.conversations.image(index)
        return {"ids": ids[: self.max_length], "labels": labels[: self.max_length],
                "image": None if image is None else _opened(image)}


@dataclass
class Collate:
    """Examples into one batch, padded on the right. An example whose picture is missing has no ``<image>`` either."""

    processor: Any

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Tensor]:
        tokenizer = self.processor.tokenizer
        pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        longest = max(len(example["ids"]) for example in examples)
        shape = (len(examples), longest)
        ids, labels = torch.full(shape, pad), torch.full(shape, IGNORED)
        mask = torch.zeros(shape, dtype=torch.long)
        for row, example in enumerate(examples):
            size = len(example["ids"])
            ids[row, :size], labels[row, :size] = torch.tensor(example["ids"]), torch.tensor(example["labels"])
            mask[row, :size] = 1
        batch = {"input_ids": ids, "labels": labels, "attention_mask": mask}
        images = [example["image"] for example in examples if example["image"] is not None]
        if images:
            batch["pixel_values"] = self.processor.image_processor(images, return_tensors="pt")["pixel_values"]
        return batch


def picture_tokens(processor: Any) -> int:
    """How many tokens the language model sees of one picture."""
    blank = Image.new("RGB", (32, 32))
    ids = processor(images=blank, text=IMAGE, return_tensors="pt")["input_ids"]
    return int((ids == processor.tokenizer.convert_tokens_to_ids(IMAGE)).sum())


def _opened(image: Any) -> Image.Image:
    opened = Image.fromarray(image) if isinstance(image, np.ndarray) else Image.open(io.BytesIO(image))
    return opened.convert("RGB")
