"""Prompt echo, difficulty flags, tokens, the gate's answers and perplexity: texts whose answer anybody can tell."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from synthvlm_ui.captions.rules import (
    BY_NAME,
    changed,
    decide,
    kenlm_perplexities,
    measure_texts,
    missing_language_model,
    preset_settings,
    question,
    skills_of,
    verdict_of,
)
from synthvlm_ui.captions.rules.length import clip_tokenizer, clip_vocabulary, count_tokens
from synthvlm_ui.errors import ModelUnavailable

ARPA = """\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.3
-0.8\t</s>
-0.6\tred\t-0.2
-0.7\tfox\t-0.1

\\2-grams:
-0.2\t<s> red
-0.4\tred fox

\\end\\
"""


@pytest.mark.parametrize(("text", "echo"), [
    ("Sure! Here is a caption for you: a fox", 1), ("Caption: a fox in the snow", 1),
    ("As an AI language model I cannot see", 1), ("a photo of [object] in a field", 1), ("<image> a fox", 1),
    ("This is an image of a fox in the snow", 0), ("a captain reads a sign", 0), ("here is the cat", 0),
    ("an assistant helps a user at a desk", 0),
])
def test_echo(text: str, echo: int) -> None:
    assert measure_texts([text], {})["prompt_echo"][0] == echo


@pytest.mark.parametrize(("text", "skills"), [
    ("three small dogs on grass", ["count"]), ("two sheep", ["count"]), ("a cat to the left of a bus", ["position"]),
    ("a red car and a blue bus", ["colour"]), ('a sign that says "open late"', ["text"]), ("a red car", []),
    ('"a caption in quotation marks"', []), ("a dog", []), ("four birds under a green tree beside a yellow house",
                                                              ["count", "position", "colour"]),
])
def test_skills(text: str, skills: list[str]) -> None:
    assert skills_of(measure_texts([text], {})["difficulty"][0]) == skills


def test_skills_reject_only_when_excluded() -> None:
    columns = measure_texts(["three dogs", "a dog"], {})
    off = preset_settings("plain")
    assert decide(off, columns, 2, {}).survives.all()
    assert decide(changed(off, ["difficulty.exclude=count,text"]), columns, 2, {}).survives.tolist() == [False, True]


@pytest.mark.skipif(clip_vocabulary() is None, reason="open_clip is not installed")
def test_tokens_are_those_of_open_clip() -> None:
    from synthvlm_ui.models import torchvision_ops

    torchvision_ops.ensure_importable()
    import open_clip

    theirs = open_clip.get_tokenizer("ViT-B-32", context_length=400)
    texts = ["a diagram", "A Photo   of 12,345 cats' toys!!", "naïve café Straße 北京 🐈 it's they'll", "x" * 300, "",
             "This is an image of a fox."]
    for text in texts:
        assert count_tokens(text) == int((theirs([text])[0] != 0).sum()), text
    long = " ".join(["fox"] * 90)
    assert count_tokens(long) == 92
    [(start, end)] = BY_NAME["tokens"].mark(long, {})
    assert long[:start].split() == ["fox"] * 75 and end == len(long), "75 words are read, the rest is marked"
    assert clip_tokenizer() is clip_tokenizer()


@pytest.mark.parametrize(("answer", "verdict"), [("Yes", 1.0), (" no.", 0.0), ("**Yes**, because", 1.0), ("NO", 0.0),
                                                 ("Perhaps", math.nan), ("", math.nan)])
def test_the_gate_reads_yes_and_no(answer: str, verdict: float) -> None:
    found = verdict_of(answer)
    assert found == verdict or math.isnan(found) and math.isnan(verdict)
    assert "a fox {in} snow" in question("a fox\n{in} snow"), "braces and line breaks of a caption do no harm"


def test_without_a_model_perplexity_says_so(tmp_path: Path) -> None:
    assert "no language model" in missing_language_model({"model": None})
    assert "no file" in missing_language_model({"model": str(tmp_path / "none.arpa")})
    with pytest.raises(ModelUnavailable):
        kenlm_perplexities({"model": str(tmp_path / "none.arpa")})


def test_kenlm_perplexity_by_hand(tmp_path: Path) -> None:
    pytest.importorskip("kenlm")
    (tmp_path / "tiny.arpa").write_text(ARPA)
    measure = kenlm_perplexities({"model": str(tmp_path / "tiny.arpa")})
    # <s> red: -0.2, red fox: -0.4, back off from fox to </s>: -0.1 - 0.8; three steps in all
    assert measure(["red fox"]) == [round(10 ** (1.5 / 3), 1)]
    assert measure([""]) == [0.0]
