"""VQAScore with any vision-language model of transformers: how surely the model says that an image shows its caption.

Lin et al. 2024 (arXiv 2404.01291): P("Yes" | image, 'Does this figure show "{caption}"? Please answer yes or no.').
Deviation: the probabilities of the first tokens of "Yes", " Yes", "yes" and " yes" are added, since chat models spell
differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from synthvlm_ui.backends.device import is_out_of_memory
from synthvlm_ui.backends.model_files import revision_of
from synthvlm_ui.backends.transformers_writer import directory_of
from synthvlm_ui.backends.vision_language import load_vision_language_model, question_inputs
from synthvlm_ui.errors import ModelUnavailable, OutOfMemory
from synthvlm_ui.models import torchvision_ops
from synthvlm_ui.protocols import ScoredBatch, UInt8Image
from synthvlm_ui.records import ScorerInfo

QUESTION = 'Does this figure show "{caption}"? Please answer yes or no.'
SPELLINGS = {"yes": ("Yes", " Yes", "yes", " yes"), "no": ("No", " No", "no", " no")}


class VqaScorer:
    """Writes ``vqascore``, P(yes), and ``vqascore_yes_no``, P(yes) / (P(yes) + P(no)), both float32 in [0, 1].

    Args: ``source`` is a directory or a Hub id. Raises: ModelUnavailable.
    """

    def __init__(self, source: str, device: str = "cpu") -> None:
        torchvision_ops.ensure_importable()
        directory = directory_of(source)
        self._processor, self._network = load_vision_language_model(directory, device)
        tokenizer = getattr(self._processor, "tokenizer", self._processor)
        self._answers = {answer: _first_tokens(tokenizer, words) for answer, words in SPELLINGS.items()}
        if not self._answers["yes"]:
            raise ModelUnavailable("this model's tokenizer has no word for yes", where=source,
                                   fix="Use a model that answers in English.")
        self.info = ScorerInfo("vqascore", ("vqascore", "vqascore_yes_no"), {
            "model": directory.name if Path(source).is_dir() else source, "weights": revision_of(directory),
            "question": QUESTION, "precision": str(self._network.dtype).removeprefix("torch.")})

    def score(self, images: Sequence[UInt8Image], captions: Sequence[str]) -> ScoredBatch:
        """Shapes: two (N,) columns; NaN for an image that the model's processor refuses. Raises: OutOfMemory."""
        rows = [self._one(image, caption) for image, caption in zip(images, captions, strict=True)]
        yes, no = (np.array([row[place] for row in rows], np.float32) for place in (0, 1))
        with np.errstate(invalid="ignore"):
            return ScoredBatch({"vqascore": yes, "vqascore_yes_no": yes / (yes + no)})

    def _one(self, image: UInt8Image, caption: str) -> tuple[float, float]:
        try:
            inputs = question_inputs(self._processor, self._network, QUESTION.format(caption=caption), image)
            with torch.inference_mode():
                logits = self._network(**inputs).logits[0, -1]
        except (ValueError, IndexError):
            return float("nan"), float("nan")
        except Exception as error:
            if is_out_of_memory(error):
                raise OutOfMemory("not even one image fits", where=str(self.info.settings["model"])) from error
            raise
        chances = torch.softmax(logits.float(), -1)
        yes, no = (float(chances[self._answers[answer]].sum()) for answer in ("yes", "no"))
        return yes, no


def _first_tokens(tokenizer: Any, words: Sequence[str]) -> list[int]:
    unknown = getattr(tokenizer, "unk_token_id", None)
    found = [tokenizer.encode(word, add_special_tokens=False) for word in words]
    return sorted({ids[0] for ids in found if ids and ids[0] != unknown})
