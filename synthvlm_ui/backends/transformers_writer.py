"""Any instruct model of transformers as a caption writer, from the Hub or a local directory, safetensors only.

Each text has a seed of its own: words are drawn by the Gumbel-max trick, adding noise of a generator per text to the
logits and taking the largest, which samples from their softmax exactly and lets texts share a batch. Knows no caption.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from synthvlm_ui.backends.device import is_out_of_memory, pipeline_dtype, release_memory
from synthvlm_ui.backends.model_files import cached_snapshot, download, looks_like_hub_id, revision_of
from synthvlm_ui.errors import BadSetting, GenerationFailed, ModelUnavailable, OutOfMemory
from synthvlm_ui.models import torchvision_ops
from synthvlm_ui.protocols import WriteRequest
from synthvlm_ui.records import WriterInfo

CONFIG = "config.json"
_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
_BATCH = {"cpu": 4}
_GPU_BATCH = 32
_THOUGHTS = re.compile(r"^\s*<think>.*?</think>\s*", re.DOTALL)


class TransformersWriter:
    """Answers prompts through the model's own chat template.

    Args: ``source`` is a directory or a Hub id. Raises: ModelUnavailable, OutOfMemory.
    """

    def __init__(self, source: Path | str, device: str = "cpu", name: str = "") -> None:
        torchvision_ops.ensure_importable()
        directory = directory_of(source)
        self._device = device
        self._tokenizer, self._network = load_causal_model(directory, device)
        batch = _BATCH.get(device, _GPU_BATCH)
        self.info = WriterInfo(
            name=name or str(source), model=str(source), revision=revision_of(directory), concurrency=batch,
            notes="A text does not depend on its batch up to rounding of the engine.")

    def write(self, requests: Sequence[WriteRequest]) -> list[str | Exception]:
        """One answer per request, in order, or why there is none. Raises: OutOfMemory for a single text."""
        results: list[str | Exception] = [GenerationFailed("not written")] * len(requests)
        prompts: dict[int, list[int]] = {}
        for index, request in enumerate(requests):
            try:
                prompts[index] = self._encode(request)
            except BadSetting as error:
                results[index] = error
        size, waiting = self.info.concurrency, sorted(prompts, key=lambda index: len(prompts[index]))
        while waiting:
            members = waiting[:size]
            try:
                texts = self._answer([requests[i] for i in members], [prompts[i] for i in members])
            except Exception as error:
                if not is_out_of_memory(error):
                    texts = [GenerationFailed(f"the model broke: {type(error).__name__}: {error}"[:300])] * len(members)
                elif size == 1:
                    raise OutOfMemory("too little memory for one text", where=self.info.name,
                                      fix="Use a smaller model or another device.") from error
                else:
                    release_memory()
                    size = max(1, size // 2)
                    continue
            for index, text in zip(members, texts, strict=True):
                results[index] = text
            waiting = waiting[size:]
        return results

    def _encode(self, request: WriteRequest) -> list[int]:
        if request.image is not None:
            raise BadSetting("this writer reads no images", where=self.info.name, fix="Name a vision-language model.")
        check_request(request, self.info.name)
        text, chat = request.prompt, bool(self._tokenizer.chat_template)
        if chat:
            turns = [{"role": "user", "content": text}]
            text = self._tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False,
                                                       enable_thinking=False)
        ids = list(self._tokenizer.encode(text, add_special_tokens=not chat))
        room = int(getattr(self._network.config, "max_position_embeddings", 0) or 2**20)
        if len(ids) + request.max_new_tokens > room:
            raise BadSetting(f"{len(ids)} + {request.max_new_tokens} tokens where the model has {room}",
                             where=self.info.name, fix="Shorten the prompt or ask for fewer new tokens.")
        return ids

    @torch.no_grad()
    def _answer(self, requests: Sequence[WriteRequest], prompts: Sequence[list[int]]) -> list[str | Exception]:
        width, pad = max(map(len, prompts)), self._pad()
        ids = torch.full((len(prompts), width), pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, tokens in enumerate(prompts):
            ids[row, width - len(tokens):] = torch.tensor(tokens)
            mask[row, width - len(tokens):] = 1
        written = self._network.generate(
            input_ids=ids.to(self._device), attention_mask=mask.to(self._device), do_sample=False, num_beams=1,
            max_new_tokens=max(request.max_new_tokens for request in requests), pad_token_id=pad,
            logits_processor=[NoiseOfEach(requests)])
        answers: list[str | Exception] = []
        for row, request in enumerate(requests):
            new = written[row, width: width + request.max_new_tokens]
            answers.append(plain(self._tokenizer.decode(new, skip_special_tokens=True)))
        return answers

    def _pad(self) -> int:
        for found in (self._tokenizer.pad_token_id, self._tokenizer.eos_token_id):
            if found is not None:
                return int(found)
        return 0


def check_request(request: WriteRequest, name: str) -> None:
    """Raises BadSetting for a temperature or a length that no model of transformers takes."""
    if not 0 <= request.temperature <= 10 or request.max_new_tokens < 1:
        raise BadSetting(f"temperature {request.temperature:g}, {request.max_new_tokens} new tokens", where=name,
                         fix="Use a temperature of 0 to 10 and at least 1 token.")


def plain(text: str) -> str:
    """An answer without what a reasoning model thought before it."""
    return _THOUGHTS.sub("", text).strip()


def greedy_by_default(network: Any) -> None:
    """Takes away the sampling settings that come with a model: they would be applied on top of the requests' own."""
    defaults = network.generation_config
    defaults.do_sample, defaults.temperature, defaults.top_p, defaults.top_k = False, None, None, None
    defaults.max_length = None


class NoiseOfEach:
    """Turns the largest logit into a draw from softmax(logits / temperature), one generator per text."""

    def __init__(self, requests: Sequence[WriteRequest]) -> None:
        self._temperatures = [request.temperature for request in requests]
        self._chances = [torch.Generator().manual_seed(request.seed) for request in requests]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        noisy = scores.float()
        for row, (temperature, chance) in enumerate(zip(self._temperatures, self._chances, strict=True)):
            if temperature > 0:
                # float64: in float32 a uniform draw is often exactly 0 among 150,000 words, and log(0) is no number.
                uniform = torch.rand(scores.shape[-1], generator=chance, dtype=torch.float64).clamp_min(1e-300)
                noise = -torch.log(-torch.log(uniform))
                noisy[row] = noisy[row] / temperature + noise.to(noisy)
        return noisy


def directory_of(source: Path | str) -> Path:
    """Where a model's files lie: a directory, or a Hub id from the cache or downloaded. Raises: ModelUnavailable."""
    if isinstance(source, str) and looks_like_hub_id(source):
        found = cached_snapshot(source, CONFIG)
        if found is not None and any(found.glob("*.safetensors")):
            return found
        return download(source, _FILES)
    return Path(source).expanduser()


def load_causal_model(directory: Path, device: str) -> tuple[Any, Any]:
    """(tokenizer, network), frozen. Raises: ModelUnavailable, OutOfMemory."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        network: Any = AutoModelForCausalLM.from_pretrained(
            directory, dtype=pipeline_dtype(device), local_files_only=True, trust_remote_code=False,
            use_safetensors=True)
        network = network.to(device).eval().requires_grad_(False)
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory("this device has too little memory for the model", where=str(directory),
                              fix="Use a smaller model or another device.") from error
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ModelUnavailable(f"no causal language model of transformers: {reason}", where=str(directory),
                               fix="Give a directory with config.json, a tokenizer and *.safetensors.") from error
    greedy_by_default(network)
    return tokenizer, network
