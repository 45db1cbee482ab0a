"""Perplexity against the library's own loss, on the small world's language model."""

import math

import pytest
import torch

from synthvlm_ui.config import MINIATURE
from synthvlm_ui.errors import EmptyInput, ModelUnavailable
from synthvlm_ui.evaluation.perplexity import perplexity
from synthvlm_ui.models import torchvision_ops

TEXTS = ["a red apple on a green meadow", "two blue cars", "on a sandy beach, a cat to the left of a dog"]


def test_it_is_the_exponential_of_the_library_s_loss():
    torchvision_ops.ensure_importable()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(MINIATURE / "lm", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(MINIATURE / "lm")
    total = count = 0
    for text in TEXTS:
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            total += float(model(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1)
        count += ids.shape[1] - 1
    found = perplexity(MINIATURE / "lm", TEXTS)
    assert found["perplexity"] == pytest.approx(math.exp(total / count), rel=1e-4) and found["tokens"] == count


def test_nonsense_is_more_perplexing_and_batches_do_not_matter():
    sense = perplexity(MINIATURE / "lm", TEXTS * 10)
    assert sense["perplexity"] == pytest.approx(perplexity(MINIATURE / "lm", TEXTS)["perplexity"], rel=1e-5)
    mixed = [" ".join(reversed(text.split())) for text in TEXTS]
    assert perplexity(MINIATURE / "lm", mixed)["perplexity"] > 3 * sense["perplexity"]


def test_bad_input_is_said(tmp_path):
    with pytest.raises(ModelUnavailable):
        perplexity(tmp_path, TEXTS)
    with pytest.raises(EmptyInput):
        perplexity(MINIATURE / "lm", [])
