"""Caption embedders: the small world's language model, a tiny sentence encoder, the names they go by."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from synthvlm_ui.backends import create_text_embedder, require_text_embedder
from synthvlm_ui.backends.text_embedders import split_name
from synthvlm_ui.config import MINIATURE
from synthvlm_ui.errors import ModelUnavailable, UnknownName

TEXTS = ["a red cat", "two yellow stars above a green boat on a sandy beach", "a red cat"]


def test_the_language_models_embedding_is_the_mean_of_its_last_layer() -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    embedder = create_text_embedder("lm", "cpu")
    found = embedder.embed_texts(TEXTS)
    assert found.shape == (3, embedder.dimension) and found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert found[0] == pytest.approx(found[2], abs=1e-5), "a text does not depend on its batch"
    network = AutoModel.from_pretrained(MINIATURE / "lm", dtype=torch.float32).eval()
    ids = AutoTokenizer.from_pretrained(MINIATURE / "lm")(TEXTS[1], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        mean = network(input_ids=ids).last_hidden_state[0].mean(0)
    assert found[1] == pytest.approx((mean / mean.norm()).numpy(), abs=1e-4)
    assert embedder.info.settings["pooling"] == "mean" and embedder.info.key.startswith("lm-")


def test_a_sentence_encoder_pools_as_its_own_file_says(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertConfig, BertModel

    tokenizer = AutoTokenizer.from_pretrained(MINIATURE / "lm")
    config = BertConfig(vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=16, max_position_embeddings=40)
    BertModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    mean = create_text_embedder(f"sentence:{tmp_path}", "cpu")
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    first = create_text_embedder(str(tmp_path), "cpu")
    assert (mean.info.settings["pooling"], first.info.settings["pooling"]) == ("mean", "first")
    assert mean.info.key != first.info.key
    one, other = mean.embed_texts(TEXTS), first.embed_texts(TEXTS)
    assert one.shape == other.shape == (3, 16) and not np.allclose(one, other)


def test_names_and_what_they_mean(tmp_path: Path) -> None:
    assert require_text_embedder("lm") == "lm"
    assert split_name("miniature") == ("clip-text", "miniature")
    assert split_name("org/encoder") == ("sentence", "org/encoder")
    assert require_text_embedder("clip-text:miniature") == "clip-text:miniature"
    with pytest.raises(UnknownName, match="unknown caption embedder"):
        require_text_embedder("nonsense")
    with pytest.raises(ModelUnavailable):
        require_text_embedder(f"lm:{tmp_path}")
