"""Puts a loaded pipeline together as the user or a preset asks: scheduler, distilled weights, tiny decoder, refiner,
and lays its parts where ``engine_choice`` says. Knows no request.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from synthvlm_ui.backends.engine_choice import VAE_MODES, EngineChoice
from synthvlm_ui.backends.model_files import cached_file, content_digest, download_file, looks_like_hub_id, revision_of
from synthvlm_ui.backends.presets import SCHEDULERS, TINY_VAES
from synthvlm_ui.errors import BadSetting, ModelUnavailable, SynthVLMError, UnknownName


def set_scheduler(pipeline: Any, name: str) -> None:
    """Replaces the sampler, keeping what the model was trained with. Raises: UnknownName, BadSetting."""
    import diffusers

    if name not in SCHEDULERS:
        raise UnknownName.of("scheduler", name, list(SCHEDULERS))
    kind, changes = SCHEDULERS[name]
    if "FlowMatch" in type(pipeline.scheduler).__name__:
        raise BadSetting(f"the scheduler {name} cannot sample a flow-matching model", where=type(pipeline).__name__,
                         fix="Leave --scheduler out.")
    pipeline.scheduler = getattr(diffusers, kind).from_config(pipeline.scheduler.config, **changes)


def load_unet(pipeline: Any, reference: str) -> Path:
    """Puts the weights of a distilled UNet into the pipeline; returns their file. Raises: ModelUnavailable."""
    from safetensors.torch import load_file

    path = _file_of(reference, "*.safetensors")
    _try(path, lambda: pipeline.unet.load_state_dict(load_file(path)))
    return path


def load_lora(pipeline: Any, reference: str) -> Path:
    """Adds a LoRA into the weights themselves, so that it costs nothing later; returns its file.

    Raises: ModelUnavailable.
    """
    path = _file_of(reference, "*.safetensors")

    def load() -> None:
        pipeline.load_lora_weights(path.parent, weight_name=path.name, local_files_only=True)
        pipeline.fuse_lora()
        pipeline.unload_lora_weights()

    _try(path, load)
    return path


def set_tiny_vae(pipeline: Any, source: str, dtype: Any) -> Path:
    """Replaces the decoder by a tiny one (TAESD): of the pipeline's family for "tiny", else a directory or Hub id.

    Raises: ModelUnavailable, BadSetting.
    """
    from diffusers import AutoencoderTiny

    if source == "tiny":
        family = type(pipeline).__name__
        if family not in TINY_VAES:
            raise BadSetting(f"no tiny decoder is known for {family}", where="--vae",
                             fix="Give its directory or Hub id.")
        source = TINY_VAES[family]
    weights = _file_of(source, "diffusion_pytorch_model.safetensors")
    if looks_like_hub_id(source):
        download_file(source, "config.json")
    directory = weights.parent
    vae = _try(directory, lambda: AutoencoderTiny.from_pretrained(directory, dtype=dtype, local_files_only=True))
    channels = pipeline.vae.config.latent_channels
    if vae.config.latent_channels != channels:
        raise BadSetting(f"this decoder reads {vae.config.latent_channels} channels, the model makes {channels}",
                         where=str(directory), fix="Give the tiny decoder of this family.")
    pipeline.vae = vae
    return directory


def place(pipeline: Any, choice: EngineChoice, device: str) -> None:
    """Lays the parts where they were chosen to lie and turns on what was chosen. Raises: BadSetting."""
    import torch

    if getattr(pipeline, "vae", None) is not None:
        if pipeline.vae.dtype == torch.float16 and getattr(pipeline.vae.config, "force_upcast", False):
            pipeline.vae.to(torch.float32)  # this decoder overflows in half precision
        if choice.vae in ("sliced", "tiled"):
            getattr(pipeline.vae, {"sliced": "enable_slicing", "tiled": "enable_tiling"}[choice.vae])()
    if choice.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif choice.offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    else:
        pipeline.to(device)
    network = denoiser(pipeline)
    if choice.fuse_qkv:
        _turn_on("fused QKV projections", lambda: network.fuse_qkv_projections())
    _set_attention(pipeline, network, choice.attention)
    if device.startswith("cuda") and choice.offload == "none" and hasattr(pipeline, "unet"):
        pipeline.unet.to(memory_format=torch.channels_last)
        pipeline.vae.to(memory_format=torch.channels_last)
    if choice.compile:
        _turn_on("compiled blocks", lambda: _compile(network))


def denoiser(pipeline: Any) -> Any:
    """The network that is run once a step."""
    return getattr(pipeline, "transformer", None) or getattr(pipeline, "unet", None)


def is_tiny(vae: str) -> bool:
    """Whether this value of --vae replaces the decoder."""
    return vae == "tiny" or vae not in VAE_MODES


def digest_of(path: Path) -> str:
    """What identifies a file or directory that was put in."""
    return revision_of(path) if path.is_dir() else content_digest(path)


def _compile(network: Any) -> None:
    """The blocks that repeat, each kind once: seconds to minutes less than the whole network, and as fast."""
    if getattr(network, "_repeated_blocks", None):
        network.compile_repeated_blocks(fullgraph=True)
    else:  # SD3 does not name its blocks
        for block in network.transformer_blocks:
            block.compile(fullgraph=True)


def _set_attention(pipeline: Any, network: Any, attention: str) -> None:
    if attention == "native":
        return  # torch's scaled dot product attention is diffusers' default
    if attention == "sliced":
        pipeline.enable_attention_slicing()
    elif attention == "xformers" and hasattr(pipeline, "unet"):
        _turn_on("xformers attention", lambda: pipeline.enable_xformers_memory_efficient_attention())
    elif hasattr(pipeline, "unet"):
        raise BadSetting(f"a UNet cannot use {attention} attention", where="--attention",
                         fix="Give auto, sliced or xformers.")
    else:
        _turn_on(f"{attention} attention", lambda: network.set_attention_backend(attention))


def _turn_on(what: str, call: Callable[[], object]) -> None:
    try:
        call()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:160]
        raise BadSetting(f"{what} cannot be turned on here: {reason}", fix="Leave that option out.") from error


def _try(where: Path, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except SynthVLMError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ModelUnavailable(f"this does not fit the pipeline: {reason}", where=str(where),
                               fix="Give weights made for this model.") from error


def _file_of(reference: str, pattern: str) -> Path:
    """The file that "org/name:FILE", a directory or a path means. Raises: ModelUnavailable."""
    name, _, file = reference.rpartition(":") if ":" in reference else (reference, "", "")
    if looks_like_hub_id(name):
        file = file or (pattern if "*" not in pattern else "pytorch_lora_weights.safetensors")
        return cached_file(name, file) or download_file(name, file)
    path = Path(reference).expanduser()
    found = [path] if path.is_file() else sorted(path.glob(file or pattern))
    if not found or found[0].suffix != ".safetensors":
        raise ModelUnavailable("there are no such weights (safetensors)", where=reference,
                               fix="Give a *.safetensors file, a directory with one, or a Hub id.")
    return found[0]
