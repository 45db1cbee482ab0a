"""Vision-language models of transformers as the scorer and the writer share them: loading, and a question as input.

Reads safetensors only and runs no code of a model's repository. Knows no caption and no answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from synthvlm_ui.backends.device import is_out_of_memory, pipeline_dtype
from synthvlm_ui.errors import ModelUnavailable, OutOfMemory
from synthvlm_ui.protocols import UInt8Image


def load_vision_language_model(directory: Path, device: str) -> tuple[Any, Any]:
    """(processor, network), frozen. Raises: ModelUnavailable, OutOfMemory."""
    if not any(directory.glob("*.safetensors")):
        raise ModelUnavailable("no safetensors weights", where=str(directory),
                               fix="Save the model with safe_serialization=True.")
    from transformers import AutoModelForImageTextToText, AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        network: Any = AutoModelForImageTextToText.from_pretrained(
            directory, local_files_only=True, trust_remote_code=False, use_safetensors=True,
            dtype=pipeline_dtype(device))
        network = network.to(device).eval().requires_grad_(False)
    except Exception as error:  # a directory can be wrong in as many ways as there are models
        if is_out_of_memory(error):
            raise OutOfMemory("this device has too little memory for the model", where=str(directory),
                              fix="Use a smaller model or another device.") from error
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ModelUnavailable(f"this vision-language model cannot be loaded: {reason}", where=str(directory),
                               fix="Give a model of transformers that reads images and text.") from error
    return processor, network


def question_inputs(processor: Any, network: Any, question: str, image: UInt8Image | None) -> Any:
    """What the network takes for one question, with or without an image, on the network's device and in its precision.

    Goes through the model's own chat template; a model without one gets LLaVA's form, which such models follow.
    Raises: whatever the processor makes of an image that it cannot take.
    """
    if getattr(processor, "chat_template", None):
        shown = [] if image is None else [{"type": "image"}]
        turns = [{"role": "user", "content": [*shown, {"type": "text", "text": question}]}]
        text = processor.apply_chat_template(turns, add_generation_prompt=True)
    else:
        place = "" if image is None else f"{getattr(processor, 'image_token', '<image>')}\n"
        text = f"USER: {place}{question} ASSISTANT:"
    picture = None if image is None else Image.fromarray(image)
    inputs = processor(images=picture, text=text, return_tensors="pt").to(network.device)
    if "pixel_values" in inputs:
        inputs["pixel_values"] = inputs["pixel_values"].to(network.dtype)
    return inputs
