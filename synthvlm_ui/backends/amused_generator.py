"""aMUSEd: a masked-token generator of diffusers' parts, sampled here; diffusers no longer maintains its pipeline.

The published open relative of Synth2's generator: text in, a grid of VQ tokens out, a picture when one is wanted.
Sampling follows MUSE (arXiv 2301.00704, aMUSEd arXiv 2401.01808): every step draws all masked tokens, keeps the surest
under Gumbel noise that cools down, and masks the others again on a cosine schedule. Noise is drawn per
image on the CPU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from synthvlm_ui.backends.decoding import pictured
from synthvlm_ui.backends.device import (
    device_lost,
    device_memory,
    is_device_lost,
    is_out_of_memory,
    release_memory,
    torch_dtype,
)
from synthvlm_ui.backends.engine_choice import check_engine, choose_engine, parameters_of
from synthvlm_ui.backends.generator_facts import GeneratorFacts, pipeline_facts
from synthvlm_ui.backends.model_files import looks_like_hub_id, read_json, revision_of
from synthvlm_ui.errors import BadSetting, GenerationFailed, ModelUnavailable, OutOfMemory
from synthvlm_ui.protocols import TokenMatrix, UInt8Image
from synthvlm_ui.records import EngineSettings, GenerationRequest, GeneratorInfo

if TYPE_CHECKING:
    import torch

MAX_STEPS = 256
HOTTEST = 2.0
AESTHETIC_SCORE = 6.0
DEFAULT_STEPS, DEFAULT_GUIDANCE = 12, 10.0
_TEXT_BATCH, _TEXTS_KEPT = 16, 8192


@dataclass
class Tokens:
    """What ``denoise`` hands to ``decode``: token rows by index of their request, or why there are none."""

    rows: dict[int, torch.Tensor]
    problems: dict[int, Exception]
    size_px: dict[int, tuple[int, int]]


class AmusedGenerator:
    """Draws tokens, and pictures of them: a ``protocols.StagedGenerator`` and a ``protocols.TokenGenerator``.

    Raises: ModelUnavailable, BadSetting, OutOfMemory.
    """

    def __init__(self, directory: Path, *, device: str = "cpu", name: str = "", preset: GeneratorFacts | None = None,
                 engine: EngineSettings | None = None) -> None:
        engine = engine or EngineSettings()
        check_engine(engine)
        facts = preset or pipeline_facts(name, directory)
        # The masked transformer runs in half precision on a card; the decoder overflows there and stays as it is.
        best = "float16" if device.startswith("cuda") else "float32"
        self.choice = choose_engine(engine, best, parameters_of(directory), device_memory(device), facts.native_px)
        if self.choice.offload != "none":
            raise OutOfMemory(f"{directory.name} does not fit into the memory of {device}", where=self.choice.reason,
                              fix="Choose another device.")
        self.device = device
        self._load(directory, torch_dtype(self.choice.dtype))
        self._largest_batch = 2**30
        self._texts: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        config = self._transformer.config
        self._scale = int(2 ** (len(self._vqvae.config.block_out_channels) - 1))
        scheduler = read_json(directory / "scheduler" / "scheduler_config.json")
        self._mask_id = int(scheduler.get("mask_token_id", config.vocab_size - 1))
        side = int(config.sample_size) * self._scale
        self.info = GeneratorInfo(
            name=name or directory.name,
            model=preset.model if preset else name if looks_like_hub_id(name) else directory.name,
            revision=revision_of(directory), sampler="masked-token cosine, Gumbel", native_width_px=side,
            native_height_px=side, default_num_inference_steps=DEFAULT_STEPS, default_guidance_scale=DEFAULT_GUIDANCE,
            size_multiple_px=self._scale, max_prompt_tokens=int(self._tokenizer.model_max_length),
            token_grid=(side // self._scale, side // self._scale), licence=facts.licence,
            notes="Pictures do not depend on the batch; across devices and number formats only up to rounding.",
            engine=str(self.choice))

    def _load(self, directory: Path, dtype: torch.dtype) -> None:
        from diffusers import UVit2DModel, VQModel
        from transformers import CLIPTextModelWithProjection, CLIPTokenizer

        options: dict[str, Any] = {"use_safetensors": True, "local_files_only": True}
        try:
            self._transformer = UVit2DModel.from_pretrained(directory / "transformer", dtype=dtype, **options)
            self._vqvae = VQModel.from_pretrained(directory / "vqvae", **options)
            self._text = CLIPTextModelWithProjection.from_pretrained(directory / "text_encoder", dtype=dtype, **options)
            self._tokenizer = CLIPTokenizer.from_pretrained(directory / "tokenizer", local_files_only=True)
            for part in (self._transformer, self._vqvae, self._text):
                cast(Any, part).to(self.device).eval()
        except Exception as error:
            if is_out_of_memory(error):
                raise OutOfMemory(f"{directory.name} does not fit into the memory of {self.device}",
                                  fix="Choose another device.") from error
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            raise ModelUnavailable(f"this pipeline cannot be loaded: {reason}", where=str(directory)) from error

    def check(self, request: GenerationRequest) -> None:
        """Raises BadSetting with the accepted values when this request could never be drawn."""
        for name, side in (("width", request.width), ("height", request.height)):
            if side < self._scale or side % self._scale:
                raise BadSetting(f"{name} is {side}, which is no multiple of {self._scale}", where=self.info.name,
                                 fix=f"Give {self.info.native_width_px}, or another multiple of {self._scale}.")
        if not 1 <= request.num_inference_steps <= MAX_STEPS:
            raise BadSetting(f"num_inference_steps is {request.num_inference_steps}", where=self.info.name,
                             fix=f"Give a whole number from 1 to {MAX_STEPS}.")
        if not (math.isfinite(request.guidance_scale) and request.guidance_scale >= 0):
            raise BadSetting(f"guidance_scale is {request.guidance_scale}", where=self.info.name, fix="Give 0 or more.")

    def generate(self, requests: Sequence[GenerationRequest]) -> list[UInt8Image | Exception]:
        """One picture per request, in order, or what kept it from being drawn. Raises: OutOfMemory, DeviceLost."""
        return self.decode(self.denoise(requests))

    def prepare(self, requests: Sequence[GenerationRequest]) -> None:
        """Encodes the texts of a chunk and forgets those of the one before."""
        self._texts = {}
        self._remember([text for request in requests for text in (request.prompt, request.negative_prompt or "")])

    def denoise(self, requests: Sequence[GenerationRequest]) -> Tokens:
        """Tokens of every request that can be drawn. Raises: OutOfMemory, DeviceLost."""
        begun = Tokens({}, {}, {index: (one.height, one.width) for index, one in enumerate(requests)})
        alike: dict[tuple[object, ...], list[int]] = {}
        for index, request in enumerate(requests):
            try:
                self.check(request)
            except BadSetting as error:
                begun.problems[index] = error
                continue
            key = (request.height, request.width, request.num_inference_steps, request.guidance_scale)
            alike.setdefault(key, []).append(index)
        for members in alike.values():
            while members:
                batch = members[:self._largest_batch]
                try:
                    rows = self._sample([requests[index] for index in batch])
                except Exception as error:
                    self._survive(error, len(batch))
                    continue
                begun.rows |= zip(batch, rows, strict=True)
                members = members[len(batch):]
        return begun

    def decode(self, latents: Tokens) -> list[UInt8Image | Exception]:
        """Pictures of what ``denoise`` returned, in the order of its requests."""
        return [latents.problems[index] if index in latents.problems else self._paint(latents.rows[index], *size)
                for index, size in sorted(latents.size_px.items())]

    def generate_tokens(self, requests: Sequence[GenerationRequest]) -> TokenMatrix:
        """Token ids (N, rows * columns) uint16, row-major, of requests of one size. Raises: BadSetting."""
        begun = self.denoise(requests)
        for problem in begun.problems.values():
            raise problem
        return np.stack([begun.rows[index].cpu().numpy().astype(np.uint16) for index in range(len(requests))])

    def decode_tokens(self, tokens: TokenMatrix) -> list[UInt8Image]:
        """Pictures (side, side, 3) uint8 of token rows of square grids, in order. Raises: GenerationFailed."""
        import torch

        side = math.isqrt(tokens.shape[1]) * self._scale
        painted = [self._paint(torch.from_numpy(row.astype(np.int64)).to(self.device), side, side) for row in tokens]
        for one in painted:
            if isinstance(one, Exception):
                raise one
        return cast("list[UInt8Image]", painted)

    def _survive(self, error: Exception, tried: int) -> None:
        """Halves the batch when memory ran out. Raises: OutOfMemory, DeviceLost, the error itself."""
        if is_device_lost(error):
            raise device_lost(self.device, error, "while drawing") from error
        if not is_out_of_memory(error):
            raise error
        if tried == 1:
            raise OutOfMemory(f"not even one image fits into the memory of {self.device}", where=self.info.name,
                              fix="Choose a smaller size or model.") from error
        self._largest_batch = tried // 2
        release_memory()

    def _sample(self, requests: Sequence[GenerationRequest]) -> torch.Tensor:
        """Token ids (N, rows * columns) int64 of requests alike in size, steps and guidance."""
        import torch

        first = requests[0]
        grid = first.height // self._scale, first.width // self._scale
        guided = first.guidance_scale > 1
        texts = [request.prompt for request in requests]
        if guided:
            texts = [request.negative_prompt or "" for request in requests] + texts
        with torch.inference_mode():
            hidden, pooled = self._encode(texts)
            size = torch.tensor([first.width, first.height, 0, 0, AESTHETIC_SCORE], device=self.device,
                                dtype=hidden.dtype).expand(len(texts), -1)
            masks = [torch.Generator("cpu").manual_seed(request.seed) for request in requests]
            tokens = torch.full((len(requests), grid[0] * grid[1]), self._mask_id, dtype=torch.long, device=self.device)
            for step in range(first.num_inference_steps):
                doubled = tokens.view(-1, *grid).repeat(2 if guided else 1, 1, 1)
                logits = self._transformer(doubled, micro_conds=size, pooled_text_emb=pooled,
                                           encoder_hidden_states=hidden)
                if guided:
                    empty, worded = logits.chunk(2)
                    logits = empty + first.guidance_scale * (worded - empty)
                tokens = _unmask(tokens, logits.flatten(2).transpose(1, 2).float(), self._mask_id, masks,
                                 (step, first.num_inference_steps))
        return tokens

    def _encode(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states of the last layer but one, (N, length, width), and projected embeddings, (N, width)."""
        import torch

        self._remember(texts)
        found = [self._texts[text] for text in texts]
        return torch.cat([one[0] for one in found]), torch.cat([one[1] for one in found])

    def _remember(self, texts: Sequence[str]) -> None:
        import torch

        with torch.inference_mode():
            if len(self._texts) > _TEXTS_KEPT:
                self._texts = {}
            missing = [text for text in dict.fromkeys(texts) if text not in self._texts]
            for start in range(0, len(missing), _TEXT_BATCH):
                batch = missing[start:start + _TEXT_BATCH]
                ids = self._tokenizer(batch, return_tensors="pt", padding="max_length", truncation=True,
                                      max_length=self._tokenizer.model_max_length).input_ids.to(self.device)
                encoded = self._text(ids, return_dict=True, output_hidden_states=True)
                self._texts |= zip(batch, zip(encoded.hidden_states[-2].split(1), encoded.text_embeds.split(1),
                                              strict=True), strict=True)

    def _paint(self, row: torch.Tensor, height: int, width: int) -> UInt8Image | Exception:
        import torch

        shape = (1, height // self._scale, width // self._scale, self._vqvae.config.latent_channels)
        try:
            with torch.inference_mode():
                decoded = self._vqvae.decode(row[None], force_not_quantize=True, shape=shape).sample[0]
                image = decoded.float().clamp(0, 1)
                broken = not bool(torch.isfinite(image).all())
                pixels = (image * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
        except RuntimeError as error:
            self._survive(error, 1)
            raise GenerationFailed(str(error)) from error
        return pictured(pixels, broken, False)


def _unmask(tokens: torch.Tensor, logits: torch.Tensor, mask_id: int, noise: Sequence[torch.Generator],
            step: tuple[int, int]) -> torch.Tensor:
    """One step: draws the masked tokens and masks the least sure again, as many as the schedule says.

    Shapes: tokens (N, L), logits (N, L, codes). ``step`` is (number, of how many). Each image uses its own noise.
    """
    import torch

    def uniform() -> torch.Tensor:
        drawn = torch.stack([torch.rand(tokens.shape[1], generator=source) for source in noise])
        return drawn.to(tokens.device)

    number, steps = step
    chances = logits.softmax(-1)
    # By the inverse of the cumulated chances: one random number per token, whatever the size of the codebook.
    drawn = (chances.cumsum(-1) < uniform()[..., None] * chances.sum(-1, keepdim=True)).sum(-1)
    drawn = drawn.clamp_max(chances.shape[-1] - 1)
    masked = tokens == mask_id
    tokens = torch.where(masked, drawn, tokens)
    again = math.floor(tokens.shape[1] * math.cos((number + 1) / steps * math.pi / 2))
    if number == steps - 1 or again < 1:
        return tokens
    heat = HOTTEST * (1 - number / max(steps - 1, 1))
    gumbel = -torch.log(-torch.log(uniform().clamp(1e-20, 1 - 1e-7)))
    surety = chances.gather(-1, tokens[..., None])[..., 0].clamp_min(1e-20).log() + heat * gumbel
    surety = surety.masked_fill(~masked, torch.inf)  # what stood before this step stays
    again = min(again, int(masked.sum(1).min()) - 1)
    return tokens.scatter(1, surety.argsort(1)[:, :max(again, 1)], mask_id)
