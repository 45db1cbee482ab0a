"""Any vision-language model of transformers as a writer that sees images, from the Hub or a local directory.

The counterpart of ``transformers_writer`` for models that read images and text; texts draw their words the same way,
each by a seed of its own. One request at a time, since processors cut pictures into unequal numbers of tokens. Knows no
caption and no judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from synthvlm_ui.backends.device import is_out_of_memory
from synthvlm_ui.backends.model_files import revision_of
from synthvlm_ui.backends.transformers_writer import NoiseOfEach, check_request, directory_of, greedy_by_default, plain
from synthvlm_ui.backends.vision_language import load_vision_language_model, question_inputs
from synthvlm_ui.errors import BadSetting, GenerationFailed, OutOfMemory
from synthvlm_ui.models import torchvision_ops
from synthvlm_ui.protocols import WriteRequest
from synthvlm_ui.records import WriterInfo


class VisionWriter:
    """Answers prompts, with the picture they are about where there is one, through the model's own chat template.

    Args: ``source`` is a directory or a Hub id. Raises: ModelUnavailable, OutOfMemory.
    """

    def __init__(self, source: Path | str, device: str = "cpu", name: str = "") -> None:
        torchvision_ops.ensure_importable()
        directory = directory_of(source)
        self._processor, self._network = load_vision_language_model(directory, device)
        greedy_by_default(self._network)
        self.info = WriterInfo(
            name=name or str(source), model=str(source), revision=revision_of(directory), accepts_images=True,
            concurrency=1, notes="Requests are answered one by one, so a text does not depend on its neighbours.")

    def write(self, requests: Sequence[WriteRequest]) -> list[str | Exception]:
        """One answer per request, in order, or why there is none. Raises: OutOfMemory."""
        return [self._one(request) for request in requests]

    def _one(self, request: WriteRequest) -> str | Exception:
        try:
            check_request(request, self.info.name)
            return self._answer(request)
        except BadSetting as error:
            return error
        except Exception as error:
            if is_out_of_memory(error):
                raise OutOfMemory("too little memory for one text", where=self.info.name,
                                  fix="Use a smaller model or another device.") from error
            return GenerationFailed(f"the model broke: {type(error).__name__}: {error}"[:300])

    @torch.no_grad()
    def _answer(self, request: WriteRequest) -> str:
        inputs = question_inputs(self._processor, self._network, request.prompt, request.image)
        given = int(inputs["input_ids"].shape[1])
        config: Any = self._network.config
        room = int(getattr(config.get_text_config(), "max_position_embeddings", 0) or 2**20)
        if given + request.max_new_tokens > room:
            raise BadSetting(f"{given} + {request.max_new_tokens} tokens where the model has {room}",
                             where=self.info.name, fix="Shorten the prompt or ask for fewer new tokens.")
        written = self._network.generate(
            **inputs, do_sample=False, num_beams=1, max_new_tokens=request.max_new_tokens, pad_token_id=self._pad(),
            logits_processor=[NoiseOfEach([request])])[0]
        # An encoder-decoder gives its answer alone, every other model what it was asked before it.
        new = written if config.is_encoder_decoder else written[given:]
        return plain(self._tokenizer.decode(new, skip_special_tokens=True))

    @property
    def _tokenizer(self) -> Any:
        return getattr(self._processor, "tokenizer", self._processor)

    def _pad(self) -> int:
        found = (self._tokenizer.pad_token_id, self._tokenizer.eos_token_id)
        return next((int(token) for token in found if token is not None), 0)
