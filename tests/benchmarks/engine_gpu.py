"""Images per second of SDXL on one card, with random weights of the real configuration: same work as trained ones.

    python tests/benchmarks/engine_gpu.py                  30 steps with guidance and 4 steps without, 1024 px, bf16
    python tests/benchmarks/engine_gpu.py --tiny           the same code on a processor, on a pipeline of toy size

Nothing is downloaded. One JSON line per number of steps:
(a) plain: diffusers, one image after the other, as PIL, then scored and saved as PNG; (b) engine: this program's chunk,
drawn, scored, encoded, written, overlapped on a card only; (c) unet: the denoiser alone, same calls;
(d) back_to_back: denoiser, decoder, CLIP and SSIM with nothing else. ``matrix_share``: the denoiser's arithmetic in (b)
over the rate of a large matrix product measured on the same card. Goals: (b) >= 0.95 (d) and >= 1.5 (a).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "backends"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch

from synthvlm_ui.backends import create_embedder
from synthvlm_ui.backends.diffusers_assembly import place
from synthvlm_ui.backends.diffusers_generator import DiffusersGenerator
from synthvlm_ui.backends.diffusers_loading import Loaded
from synthvlm_ui.backends.engine_choice import EngineChoice
from synthvlm_ui.generation import Plan, plan_items, resolve_settings
from synthvlm_ui.models.torchvision_ops import ensure_importable
from synthvlm_ui.pipeline import ChunkEngines, make_chunk
from synthvlm_ui.records import Caption, GenerationRequest, GenerationSettings
from synthvlm_ui.scoring import build_scorers
from synthvlm_ui.store import Workspace

PROMPT = "a photograph of {} red apples beside a blue bicycle in front of a house"


def sdxl(tiny: bool, folder: Path) -> Any:
    """A StableDiffusionXLPipeline with random weights: the real configuration, or toy size."""
    from tiny_pipelines import _tokenizer, save_tiny_sdxl

    ensure_importable()
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    if tiny:
        return StableDiffusionXLPipeline.from_pretrained(save_tiny_sdxl(folder / "sdxl"))
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        unet = UNet2DConditionModel(
            sample_size=128, in_channels=4, out_channels=4, block_out_channels=(320, 640, 1280), layers_per_block=2,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 10), attention_head_dim=(5, 10, 20), cross_attention_dim=2048,
            use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816)
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4, layers_per_block=2, sample_size=1024,
            scaling_factor=0.13025)
        small = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                               projection_dim=768)
        large = CLIPTextConfig(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20,
                               projection_dim=1280, hidden_act="gelu")
        encoders = CLIPTextModel(small), CLIPTextModelWithProjection(large)
    torch.set_default_dtype(torch.float32)
    tokenizer = _tokenizer(folder / "vocabulary")
    return StableDiffusionXLPipeline(
        vae=vae, text_encoder=encoders[0], text_encoder_2=encoders[1], tokenizer=tokenizer, tokenizer_2=tokenizer,
        unet=unet, scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                                                    timestep_spacing="leading", steps_offset=1))


def engine_of(pipeline: Any, device: str, dtype: str, compiled: bool, folder: Path) -> DiffusersGenerator:
    choice = EngineChoice(dtype, "native", "whole", "none", compiled, False, "random weights")
    pipeline.set_progress_bar_config(disable=True)
    place(pipeline, choice, device)
    (folder / "facts").mkdir(exist_ok=True)
    return DiffusersGenerator.of_pipeline(Loaded(pipeline, folder / "facts", choice, "sdxl, random", "0" * 16), device,
                                          "sdxl")


class Bench:
    """One setting on one pipeline; every method draws ``images`` and returns images per second."""

    def __init__(self, engine: DiffusersGenerator, scorers: list[Any], side_px: int, steps: int, options: Any) -> None:
        self.engine, self.scorers, self.side_px, self.steps = engine, scorers, side_px, steps
        self.guidance = 5.0 if steps > 8 else 0.0
        self.images, self.batch, self.device = options.images, options.batch_size, engine.device
        self.prompts = [PROMPT.format(number) for number in range(self.images)]

    def requests(self, prompts: list[str]) -> list[GenerationRequest]:
        return [GenerationRequest(prompt, number, self.side_px, self.side_px, self.steps, self.guidance)
                for number, prompt in enumerate(prompts)]

    def rate(self, work: Callable[[], object], images: int) -> float:
        self.wait()
        started = time.perf_counter()
        work()
        self.wait()
        return images / (time.perf_counter() - started)

    def wait(self) -> None:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()

    def plain(self) -> float:
        """The loop that one writes first."""
        pipeline, few = self.engine._pipeline, self.prompts[:max(2, self.images // 8)]
        with tempfile.TemporaryDirectory() as folder:
            def work() -> None:
                for number, prompt in enumerate(few):
                    image = pipeline(prompt, num_inference_steps=self.steps, guidance_scale=self.guidance,
                                     width=self.side_px, height=self.side_px).images[0]
                    for scorer in self.scorers:
                        scorer.score([np.asarray(image)], [prompt])
                    image.save(Path(folder) / f"{number}.png")
            return self.rate(work, len(few))

    def chunk(self) -> float:
        captions = [Caption(f"c{number}", prompt) for number, prompt in enumerate(self.prompts)]
        settings = resolve_settings(GenerationSettings(
            "sdxl", num_inference_steps=self.steps, guidance_scale=self.guidance, width=self.side_px,
            height=self.side_px, batch_size=self.batch), self.engine.info)
        plan = Plan("set", settings, self.engine.info, plan_items(captions, [[one.caption] for one in captions]),
                    self.images, "2026-01-01")
        with tempfile.TemporaryDirectory() as folder:
            workspace = Workspace.open(Path(folder) / "workspace")
            tools = ChunkEngines(self.engine, self.scorers, self.device.startswith("cuda"))
            rate = self.rate(lambda: make_chunk(
                workspace, plan, 0, tools, is_done=lambda _: False, show=lambda _: None, should_stop=lambda: False),
                self.images)
            workspace.close()
        return rate

    def unet(self) -> tuple[float, float]:
        """Images per second of the denoiser alone, and the operations of one image."""
        from torch.utils.flop_counter import FlopCounterMode

        pipeline = self.engine._pipeline
        texts = self.engine._texts_of(pipeline, self.requests(self.prompts[:self.batch]))
        guided, unet = self.guidance > 1, pipeline.unet
        prompt, pooled = texts["prompt_embeds"], texts["pooled_prompt_embeds"]
        if guided:
            prompt = torch.cat([texts["negative_prompt_embeds"], prompt])
            pooled = torch.cat([texts["negative_pooled_prompt_embeds"], pooled])
        side = self.side_px // pipeline.vae_scale_factor
        latents = torch.randn(len(prompt), 4, side, side, device=self.device, dtype=unet.dtype)
        size = torch.tensor([[self.side_px, self.side_px, 0, 0, self.side_px, self.side_px]], device=self.device,
                            dtype=unet.dtype).repeat(len(prompt), 1)
        call = {"encoder_hidden_states": prompt, "added_cond_kwargs": {"text_embeds": pooled, "time_ids": size}}
        batches = max(1, self.images // self.batch)
        with torch.inference_mode():
            with FlopCounterMode(display=False) as counter:
                unet(latents, 500, **call)
            rate = self.rate(lambda: [unet(latents, 500, **call) for _ in range(batches * self.steps)],
                             batches * self.batch)
        return rate, counter.get_total_flops() * self.steps / self.batch

    def back_to_back(self) -> float:
        """Denoiser, decoder and scores of one batch after the other, texts encoded before the clock starts."""
        requests = self.requests(self.prompts)
        self.engine.prepare(requests)

        def work() -> None:
            for start in range(0, self.images, self.batch):
                images = self.engine.decode(self.engine.denoise(requests[start:start + self.batch]))
                for scorer in self.scorers:
                    scorer.score(images, self.prompts[start:start + self.batch])
        return self.rate(work, self.images)


def matrix_rate(device: str, dtype: torch.dtype, side: int) -> float:
    """Operations per second of a large matrix product."""
    first, second = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    best = 0.0
    for _ in range(4):
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(8):
            first @ second
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        best = max(best, 8 * 2 * side**3 / (time.perf_counter() - started))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="toy size on a processor: only that the code runs")
    parser.add_argument("--steps", type=int, nargs="+", default=[30, 4])
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--clip-model", default="miniature", help="an embedder of this program (default: miniature)")
    options = parser.parse_args()
    device, dtype = ("cpu", "float32") if options.tiny else ("cuda", "bfloat16")
    with tempfile.TemporaryDirectory() as folder:
        engine = engine_of(sdxl(options.tiny, Path(folder)), device, dtype, options.compile, Path(folder))
        peak = matrix_rate(device, getattr(torch, dtype), 512 if options.tiny else 8192)
        scorers = build_scorers("clip,ssim", lambda: create_embedder(options.clip_model, device))
        for steps in options.steps:
            bench = Bench(engine, scorers, 32 if options.tiny else 1024, steps, options)
            engine.generate(bench.requests(bench.prompts[:options.batch_size]))  # kernels chosen, blocks compiled
            plain, unet = bench.plain(), bench.unet()
            back, chunk = bench.back_to_back(), bench.chunk()
            print(json.dumps({
                "benchmark": "engine_gpu", "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
                "steps": steps, "batch": options.batch_size, "images": options.images, "compiled": options.compile,
                "plain_per_s": round(plain, 4), "engine_per_s": round(chunk, 4), "unet_per_s": round(unet[0], 4),
                "back_to_back_per_s": round(back, 4), "engine_of_plain": round(chunk / plain, 3),
                "engine_of_back_to_back": round(chunk / back, 3), "engine_of_unet": round(chunk / unet[0], 3),
                "matrix_tflops": round(peak / 1e12, 2), "matrix_share": round(chunk * unet[1] / peak, 4)}), flush=True)


if __name__ == "__main__":
    main()
