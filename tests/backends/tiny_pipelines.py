"""Pipelines of diffusers' real classes with tiny random weights, saved as a user would find them in a directory.

They draw noise, but through the same code as the full-size models, offline and in a fraction of a second. Text encoders
and tokenizers are built from a vocabulary of single letters, so any prompt can be encoded.
"""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

from synthvlm_ui.models.torchvision_ops import ensure_importable

VAE_SCALE = 2
LATENT_SIDE = 16
NATIVE_PX = VAE_SCALE * LATENT_SIDE
CONTEXT_TOKENS = 77


def save_tiny_sd(path: Path, seed: int = 0) -> Path:
    """A StableDiffusionPipeline that draws 32 px natively and accepts multiples of 2 px; returns ``path``."""
    _imports(seed)
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    StableDiffusionPipeline(
        vae=_vae(), text_encoder=_text_encoder(), tokenizer=_tokenizer(path.parent / f"{path.name}-vocabulary"),
        unet=_unet(cross_attention_dim=32), scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(path, safe_serialization=True)
    return path


def save_tiny_sdxl(path: Path, seed: int = 0) -> Path:
    """A StableDiffusionXLPipeline with two text encoders; size as save_tiny_sd."""
    _imports(seed)
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    tokenizer = _tokenizer(path.parent / f"{path.name}-vocabulary")
    StableDiffusionXLPipeline(
        vae=_vae(), text_encoder=_text_encoder(), text_encoder_2=_text_encoder(projected=True), tokenizer=tokenizer,
        tokenizer_2=tokenizer, scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012),
        unet=_unet(cross_attention_dim=64, addition_embed_type="text_time", addition_time_embed_dim=8,
                   projection_class_embeddings_input_dim=80, use_linear_projection=True),
    ).save_pretrained(path, safe_serialization=True)
    return path


def save_tiny_sd3(path: Path, seed: int = 0) -> Path:
    """A StableDiffusion3Pipeline (flow matching, transformer, no T5): multiples of 2 x patch 2 px."""
    _imports(seed)
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    tokenizer = _tokenizer(path.parent / f"{path.name}-vocabulary")
    StableDiffusion3Pipeline(
        vae=_vae(quantised=False, shift_factor=0.06), text_encoder=_text_encoder(projected=True),
        text_encoder_2=_text_encoder(projected=True), text_encoder_3=None, tokenizer=tokenizer, tokenizer_2=tokenizer,
        tokenizer_3=None, scheduler=FlowMatchEulerDiscreteScheduler(),
        transformer=SD3Transformer2DModel(
            sample_size=LATENT_SIDE, patch_size=2, in_channels=4, num_layers=1, attention_head_dim=8,
            num_attention_heads=4, joint_attention_dim=64, caption_projection_dim=32, pooled_projection_dim=64,
            out_channels=4, pos_embed_max_size=LATENT_SIDE),
    ).save_pretrained(path, safe_serialization=True)
    return path


def save_tiny_flux(path: Path, seed: int = 0) -> Path:
    """A FluxPipeline (packed latents, CLIP and T5): multiples of 4 px."""
    _imports(seed)
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

    folder = path.parent / f"{path.name}-vocabulary"
    tokenizer = _tokenizer(folder)
    letters = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, pad_token="<|endoftext|>",
                                      eos_token="<|endoftext|>", model_max_length=CONTEXT_TOKENS)
    t5 = T5Config(vocab_size=2 + 2 * len(_letters()), d_model=32, d_ff=37, d_kv=8, num_layers=1, num_heads=4,
                  feed_forward_proj="gated-gelu")
    FluxPipeline(
        vae=_vae(quantised=False, shift_factor=0.06), text_encoder=_text_encoder(), tokenizer=tokenizer,
        text_encoder_2=T5EncoderModel(t5), tokenizer_2=letters,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        transformer=FluxTransformer2DModel(
            patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8),
            guidance_embeds=True),
    ).save_pretrained(path, safe_serialization=True)
    return path


def save_tiny_amused(path: Path, seed: int = 0) -> Path:
    """The parts of aMUSEd, laid out as its pipeline saves them: 16 x 16 tokens of 32 codes, 32 px."""
    _imports(seed)
    from diffusers import AmusedScheduler, UVit2DModel, VQModel

    codes = 32
    UVit2DModel(
        hidden_size=32, use_bias=False, hidden_dropout=0.0, cond_embed_dim=32, micro_cond_encode_dim=2,
        micro_cond_embed_dim=10, encoder_hidden_size=32, vocab_size=codes + 1, codebook_size=codes, in_channels=32,
        block_out_channels=32, num_res_blocks=1, downsample=False, upsample=False, block_num_heads=4,
        num_hidden_layers=1, num_attention_heads=4, attention_dropout=0.0, intermediate_size=64,
        layer_norm_eps=1e-6, ln_elementwise_affine=True, sample_size=LATENT_SIDE,
    ).save_pretrained(path / "transformer", safe_serialization=True)
    VQModel(
        act_fn="silu", block_out_channels=[32, 32], down_block_types=["DownEncoderBlock2D"] * 2, in_channels=3,
        latent_channels=8, layers_per_block=1, norm_num_groups=8, num_vq_embeddings=codes, out_channels=3,
        sample_size=NATIVE_PX, up_block_types=["UpDecoderBlock2D"] * 2, mid_block_add_attention=False,
        lookup_from_codebook=True,
    ).save_pretrained(path / "vqvae", safe_serialization=True)
    _text_encoder(projected=True).save_pretrained(path / "text_encoder", safe_serialization=True)
    _tokenizer(path.parent / f"{path.name}-vocabulary").save_pretrained(path / "tokenizer")
    AmusedScheduler(mask_token_id=codes).save_pretrained(path / "scheduler")
    (path / "model_index.json").write_text(json.dumps({
        "_class_name": "AmusedPipeline", "scheduler": ["diffusers", "AmusedScheduler"],
        "text_encoder": ["transformers", "CLIPTextModelWithProjection"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "transformer": ["diffusers", "UVit2DModel"], "vqvae": ["diffusers", "VQModel"]}))
    return path


def save_tiny_refiner(path: Path, base: Path, seed: int = 1) -> Path:
    """The refiner of save_tiny_sdxl's pipeline at ``base``: one text encoder, aesthetic scores."""
    _imports(seed)
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLImg2ImgPipeline
    from transformers import CLIPTextModelWithProjection

    StableDiffusionXLImg2ImgPipeline(
        vae=AutoencoderKL.from_pretrained(base / "vae"), text_encoder=None, tokenizer=None,
        text_encoder_2=CLIPTextModelWithProjection.from_pretrained(base / "text_encoder_2"),
        tokenizer_2=_tokenizer(path.parent / f"{path.name}-vocabulary"),
        unet=_unet(cross_attention_dim=32, addition_embed_type="text_time", addition_time_embed_dim=8,
                   projection_class_embeddings_input_dim=72, use_linear_projection=True),
        scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012), requires_aesthetics_score=True,
    ).save_pretrained(path, safe_serialization=True)
    return path


def save_tiny_decoder(path: Path, seed: int = 1) -> Path:
    """An AutoencoderTiny (TAESD) for the latents of save_tiny_sd and save_tiny_sdxl."""
    _imports(seed)
    from diffusers import AutoencoderTiny

    AutoencoderTiny(encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), num_encoder_blocks=(1, 1),
                    num_decoder_blocks=(1, 1), latent_channels=4).save_pretrained(path, safe_serialization=True)
    return path


def save_safety_checker(path: Path) -> None:
    """Adds diffusers' real safety checker, with weights that object to everything, to a tiny pipeline."""
    import torch
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPTextConfig, CLIPVisionConfig

    vision = CLIPVisionConfig(hidden_size=32, intermediate_size=37, num_hidden_layers=1, num_attention_heads=4,
                              image_size=30, patch_size=15, projection_dim=16)
    text = CLIPTextConfig(hidden_size=32, intermediate_size=37, num_hidden_layers=1, num_attention_heads=4,
                          vocab_size=64, projection_dim=16)
    checker = StableDiffusionSafetyChecker(
        CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=16))
    with torch.no_grad():
        checker.concept_embeds_weights.fill_(-10)
        checker.concept_embeds.fill_(1)
    checker.save_pretrained(path / "safety_checker", safe_serialization=True)
    CLIPImageProcessor(size={"shortest_edge": 30}, crop_size={"height": 30, "width": 30}).save_pretrained(
        path / "feature_extractor")
    index = json.loads((path / "model_index.json").read_text())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    index["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    (path / "model_index.json").write_text(json.dumps(index))


def _imports(seed: int) -> None:
    ensure_importable()
    import torch

    torch.manual_seed(seed)


def _vae(quantised: bool = True, **options: Any) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(32, 64), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, norm_num_groups=8, layers_per_block=1,
        sample_size=NATIVE_PX, use_quant_conv=quantised, use_post_quant_conv=quantised, **options)


def _unet(**options: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=LATENT_SIDE, in_channels=4, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=8, norm_num_groups=8, **options)


def _text_encoder(projected: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        bos_token_id=0, eos_token_id=1, pad_token_id=1, hidden_size=32, projection_dim=32, intermediate_size=37,
        num_attention_heads=4, num_hidden_layers=2, vocab_size=2 + 2 * len(_letters()),
        max_position_embeddings=CONTEXT_TOKENS)
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def _letters() -> str:
    return string.ascii_lowercase + string.digits + string.punctuation


def _tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    words = ["<|startoftext|>", "<|endoftext|>", *(letter for letter in _letters()),
             *(f"{letter}</w>" for letter in _letters())]
    vocabulary = {word: number for number, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=CONTEXT_TOKENS)
