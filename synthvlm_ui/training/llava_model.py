"""Opens a LLaVA model and its processor, and decides which weights each stage trains.

From a LLaVA directory, or composed of a language model and a CLIP vision tower with a new projector, as stage 1 of
LLaVA-1.5 starts. Local directories only. Knows no data and no loop.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from synthvlm_ui.errors import BadSetting, ModelUnavailable, OutOfMemory
from synthvlm_ui.training.conversations import IMAGE

# Every linear layer of the language model, as in LLaVA's LoRA script; not of the vision tower, not the projector.
_LORA_TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
PROJECTOR = "multi_modal_projector"


def open_llava(directory: Path, vision: Path | None, dtype: torch.dtype) -> tuple[Any, Any]:
    """Model and processor; ``vision`` is needed when the directory holds a language model only.

    Raises: ModelUnavailable, BadSetting.
    """
    from transformers import AutoProcessor, LlavaForConditionalGeneration

    kind = _kind(directory)
    try:
        if kind == "llava":
            model = LlavaForConditionalGeneration.from_pretrained(directory, dtype=dtype, local_files_only=True,
                                                                  use_safetensors=True)
            return model, AutoProcessor.from_pretrained(directory, local_files_only=True)
        if vision is None:
            raise BadSetting(f"a {kind or 'directory without a model'} has no vision tower", where=str(directory),
                             fix="Give a LLaVA model as --init-from, or --vision-tower beside a language model.")
        return _composed(directory, vision, dtype)
    except (OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ModelUnavailable(f"this model cannot be loaded: {reason}", where=str(directory)) from error


def open_untrained(directory: Path, vision: Path | None, seed: int) -> tuple[Any, Any]:
    """Model and processor as a training with this seed found them, on the processor. Raises: as ``open_llava``."""
    torch.manual_seed(seed)  # of a new projector
    return open_llava(directory, vision, torch.float32)


def _composed(language: Path, vision: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        CLIPImageProcessor,
        CLIPVisionModel,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tower: Any = CLIPVisionModel.from_pretrained(vision, dtype=dtype, local_files_only=True, use_safetensors=True)
    network: Any = AutoModelForCausalLM.from_pretrained(
        language, dtype=dtype, local_files_only=True, use_safetensors=True)
    tokenizer: Any = AutoTokenizer.from_pretrained(language, local_files_only=True)
    tokenizer.add_tokens([IMAGE], special_tokens=True)
    seen = (tower.config.image_size // tower.config.patch_size) ** 2
    config: Any = LlavaConfig(
        vision_config=tower.config, text_config=network.config, image_seq_length=seen,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE), tie_word_embeddings=False)
    config.text_config.tie_word_embeddings = False
    model: Any = LlavaForConditionalGeneration(config)
    model = model.to(dtype)
    model.model.vision_tower.load_state_dict(tower.state_dict())
    model.model.language_model.load_state_dict(network.base_model.state_dict())
    model.lm_head.weight.data.copy_(network.get_output_embeddings().weight.data)
    if len(tokenizer) > config.text_config.vocab_size:
        model.resize_token_embeddings(len(tokenizer))
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor.from_pretrained(vision, local_files_only=True), tokenizer=tokenizer,
        patch_size=tower.config.patch_size, vision_feature_select_strategy="default", num_additional_image_tokens=1)
    return model, processor


def prepare(model: Any, stage: str, *, rank: int = 128) -> Any:
    """Freezes what the stage does not train; for LoRA returns the wrapped model.

    Stage 1: the projector. Stage 2: projector and language model. LoRA: rank 128, alpha 256 on the language model's
    linear layers, and the projector whole. The vision tower is always frozen.
    """
    model.requires_grad_(False)
    projector = getattr(model.model, PROJECTOR)
    if stage == "llava-lora":
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.05, target_modules=_LORA_TARGETS,
                            modules_to_save=[PROJECTOR])
        model = get_peft_model(model, config)
    else:
        projector.requires_grad_(True)
        model.model.language_model.requires_grad_(stage == "llava-stage2")
        model.lm_head.requires_grad_(stage == "llava-stage2")
    for parameter in model.parameters():
        if parameter.requires_grad:  # in 16 bits a step of 2e-5 would often change nothing
            parameter.data = parameter.data.float()
    return model


def check_memory(model: Any, device: str) -> None:
    """Whether weights, gradients and moments fit onto a card, without activations. Raises: OutOfMemory."""
    if not device.startswith("cuda"):
        return
    needed = sum(p.numel() * (p.element_size() + 12 * p.requires_grad) for p in model.parameters())
    free = torch.cuda.mem_get_info()[0]
    if needed > free:
        raise OutOfMemory(f"training needs {needed / 2**30:.0f} GiB and more, {free / 2**30:.0f} GiB are free",
                          where=device, fix="Use llava-lora, or several cards with DeepSpeed or FSDP under accelerate.")


def _kind(directory: Path) -> str:
    try:
        return str(json.loads((directory / "config.json").read_text(encoding="utf-8"))["model_type"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
