"""The yes/no question to a language model: is this caption good enough to draw?

Criteria: SynthVLM appendix (level of detail, logical coherence, clarity, sufficiency for a diffusion model; yes or no
only). The wording is ours. Knows no model: whoever writes captions can answer.
"""

from __future__ import annotations

import re

import numpy as np

from synthvlm_ui.captions.rules.rule import Parameter, Rule

QUESTION = """You review captions from which a text-to-image diffusion model will draw pictures.
Judge the caption below by four criteria:
1. Detail: does it say concretely what is to be seen?
2. Coherence: do its parts fit together, without contradiction?
3. Clarity: can it be understood in one way only, in sound language?
4. Sufficiency: could a picture be drawn from it alone?
Caption: {caption}
Answer with one word, Yes if it meets all four and No if not."""
MAX_NEW_TOKENS = 8
_ANSWER = re.compile(r"[a-z]+", re.IGNORECASE)


def question(caption: str) -> str:
    """What the model is asked about one caption."""
    return QUESTION.replace("{caption}", " ".join(caption.split()))


def verdict_of(answer: str) -> float:
    """1 for yes, 0 for no, NaN for an answer that is neither: then the caption is not judged."""
    found = _ANSWER.search(answer)
    word = found.group().lower() if found else ""
    return 1.0 if word == "yes" else 0.0 if word == "no" else np.nan


GATE_RULE = Rule(
    "llm_gate", "Language model's verdict", "1 when a language model finds the caption good enough to draw.",
    family="model", digits=0,
    parameters={"writer": Parameter("text", "the writer that answers: a name that info lists, or a model"),
                "question": Parameter("text", "another question, with {caption} in it")})
