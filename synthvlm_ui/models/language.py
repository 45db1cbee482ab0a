"""The frozen language model: writes captions and encodes the generator's text.

One model has both roles, as in Synth2. Knows nothing about pictures or training.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from synthvlm_ui.errors import ModelUnavailable

REFERENCE = "reference.json"


@dataclass(frozen=True)
class EncodedText:
    """Texts as the generator reads them.

    Attributes:
        states: (N, length, width) float32, hidden states of the frozen model.
        mask: (N, length) bool, False on padding.
        truncated: (N,) bool, True where the text was longer than `length` tokens.
    """

    states: Tensor
    mask: Tensor
    truncated: Tensor

    def repeat(self, count: int) -> EncodedText:
        """The same single text `count` times."""
        return EncodedText(
            self.states.expand(count, -1, -1), self.mask.expand(count, -1), self.truncated.expand(count)
        )


class LanguageModel:
    """A causal LM and its tokenizer, never trained further.

    Args:
        network: a transformers causal LM.
        tokenizer: its fast tokenizer, which adds the start token itself.
        length: tokens per encoded text; fixed, so that a text's states do not depend on its batch.
    """

    def __init__(self, network: Any, tokenizer: Any, length: int = 28) -> None:
        self.network = network.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.length = length

    @property
    def state_width(self) -> int:
        """Channels of the encoded states: word embedding and last hidden state side by side."""
        return 2 * int(self.network.config.hidden_size)

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> EncodedText:
        """Hidden states of texts, cut or padded on the right to `length` tokens.

        The word embeddings are kept beside the last layer, because the last layer of a next-word
        model says more about the word that follows than about the word itself.
        """
        ids, mask, truncated = self.tokenize(texts)
        device, width = self.network.device, self.network.config.hidden_size
        out = self.network.base_model(
            input_ids=ids.to(device), attention_mask=mask.to(device), output_hidden_states=True,
            use_cache=False,
        )  # fmt: skip
        # Each on unit scale: raw word embeddings are twenty times smaller than the last layer, and
        # a generator that reads both as they are does not notice which object is asked for.
        parts = [functional.layer_norm(out.hidden_states[i].float(), (width,)) for i in (0, -1)]
        states = torch.cat(parts, dim=-1)
        return EncodedText(states, mask.to(device), truncated.to(device))

    def tokenize(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Ids (N, length) int64, mask (N, length) bool, truncated (N,) bool."""
        end = self.tokenizer.eos_token_id
        # A tokenizer that adds no start token leaves nothing of an empty text, and attention needs one word to look at.
        rows = [self.tokenizer.encode(text) or [end] for text in texts]
        pad = end if self.tokenizer.pad_token_id is None else self.tokenizer.pad_token_id
        ids = torch.full((len(rows), self.length), pad, dtype=torch.long)
        for row, tokens in enumerate(rows):
            kept = tokens[: self.length]
            ids[row, : len(kept)] = torch.tensor(kept)
        lengths = torch.tensor([len(tokens) for tokens in rows])
        return ids, torch.arange(self.length) < lengths.unsqueeze(1), lengths > self.length

    @torch.no_grad()
    def write(self, count: int, seed: int, prefix: str = "", temperature: float = 1.0) -> list[str]:
        """Sample `count` texts that start with `prefix`; the same seed gives the same texts."""
        chance = torch.Generator().manual_seed(seed)
        end = self.tokenizer.eos_token_id
        start = [t for t in self.tokenizer.encode(prefix) if t != end]
        ids = torch.tensor(start).repeat(count, 1)
        done = torch.zeros(count, dtype=torch.bool)
        while ids.shape[1] < self.length and not bool(done.all()):
            logits = self.network(input_ids=ids.to(self.network.device), use_cache=False).logits
            chances = (logits[:, -1].float().cpu() / temperature).softmax(-1)
            drawn = torch.multinomial(chances, 1, generator=chance)
            drawn[done] = end
            ids = torch.cat([ids, drawn], dim=1)
            done |= drawn[:, 0] == end
        texts = self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return [text.replace(" ,", ",").strip() for text in texts]

    @torch.no_grad()
    def continue_each(self, prefixes: Sequence[str], seeds: Sequence[int], temperatures: Sequence[float],
                      new_tokens: Sequence[int]) -> list[str]:
        """Continue each prefix with its own seed and temperature (above 0), at most `new_tokens` more words.

        A text does not depend on the others: every row draws from a generator of its own, and a causal model's
        logits at a row's last word know nothing of the padding to its right.
        """
        end, pad = self.tokenizer.eos_token_id, self.tokenizer.pad_token_id
        rows = [[t for t in self.tokenizer.encode(prefix) if t != end] for prefix in prefixes]
        limits = [min(self.length, len(row) + new) for row, new in zip(rows, new_tokens, strict=True)]
        chances = [torch.Generator().manual_seed(seed) for seed in seeds]
        open_rows = [index for index, row in enumerate(rows) if len(row) < limits[index]]
        while open_rows:
            width = max(len(rows[index]) for index in open_rows)
            ids = torch.full((len(open_rows), width), pad, dtype=torch.long)
            for line, index in enumerate(open_rows):
                ids[line, : len(rows[index])] = torch.tensor(rows[index])
            logits = self.network(input_ids=ids.to(self.network.device), use_cache=False).logits.float().cpu()
            for line, index in enumerate(open_rows):
                odds = (logits[line, len(rows[index]) - 1] / temperatures[index]).softmax(-1)
                rows[index].append(int(torch.multinomial(odds, 1, generator=chances[index])))
            open_rows = [i for i in open_rows if rows[i][-1] != end and len(rows[i]) < limits[i]]
        texts = self.tokenizer.batch_decode(rows, skip_special_tokens=True)
        return [text.replace(" ,", ",").strip() for text in texts]


def load_language_model(directory: Path, device: str = "cpu", length: int = 28) -> LanguageModel:
    """Read a language model saved by transformers, from a local directory only; texts are `length` tokens.

    Where `REFERENCE` lies in the directory, the model is in the one that it names (a large one is not copied).

    transformers imports torchvision; where that needs help, the caller gives it first.

    Raises:
        ModelUnavailable: the directory holds none.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    directory = _followed(directory)
    try:
        network: Any = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelUnavailable("no language model here", where=str(directory)) from error
    return LanguageModel(network.to(device), tokenizer, length)


def _followed(directory: Path) -> Path:
    try:
        return Path(json.loads((directory / REFERENCE).read_text(encoding="utf-8"))["directory"])
    except (OSError, ValueError, KeyError, TypeError):
        return directory
