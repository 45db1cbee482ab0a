"""The short requests that stand before an image in a training conversation.

LLaVA's first stage throws them away, other trainers read them. Which one a pair gets depends only on the seed and the
pair's id, so neither order nor a resumed export changes it.
"""

from __future__ import annotations

from synthvlm_ui.records import short_hash

IMAGE_TOKEN = "<image>"
INSTRUCTIONS = (
    "Say briefly what can be seen here.",
    "Write one short caption for this picture.",
    "What does the picture show? One sentence is enough.",
    "Sum up the scene in a few words.",
    "Give the picture a plain, factual caption.",
    "In one line, what is in front of the camera?",
    "Name the main things in this picture and how they stand.",
    "Describe this for someone who cannot see it, in a single sentence.",
    "Put the content of this picture into words, without going into detail.",
    "What would a caption under this picture say?",
    "Tell me in short what is going on here.",
    "Note down the essence of this scene.",
)


def human_turn(seed: int, pair_id: str) -> str:
    """An instruction with the image token before or after it, on its own line."""
    draw = int(short_hash("instruction", seed, pair_id), 16)
    text = INSTRUCTIONS[(draw >> 1) % len(INSTRUCTIONS)]
    return f"{IMAGE_TOKEN}\n{text}" if draw & 1 else f"{text}\n{IMAGE_TOKEN}"
