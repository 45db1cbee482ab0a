"""How captions are asked for by class, and what is checked before one is kept (Synth2 section 3.1).

Knows no writer, no store and no small world, which brings a profile of its own.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Protocol

from synthvlm_ui.captions.classes import ClassList, read_classes
from synthvlm_ui.captions.rows import Refusal, clean_text
from synthvlm_ui.errors import BadSetting

OBJECT = "[object]"
OPENING = "This is an image of"
# The prompt as the paper prints it; the paper leaves open whether a system prompt stands before it, and none does here.
SYNTH2_PROMPT = (
    f"Make up a human-annotated description of an image that contains the following object: {OBJECT}. "
    "The caption should be around 30-40 words long. Describing the different components of the scene in an objective "
    "and unbiased way. Do not add subjective judgments about the image, it should be as factual as possible. "
    "Do not use fluffy, poetic language. Respond only with the caption itself, beginning with "
    f"\u201c{OPENING}\u201d."
)
MAX_PROMPT_CHARACTERS = 4000
_REFUSAL = re.compile(
    r"\b(i['’]?m sorry|i am sorry|i can(?:no|['’])t|i am unable|i['’]m unable|as an ai\b|as a language model|"
    r"i am not able|i won['’]t|cannot (?:assist|help|fulfil|provide)|unable to (?:assist|help|provide))", re.IGNORECASE)
_QUOTES = {'"': '"', "\u201c": "\u201d", "'": "'", "\u2018": "\u2019", "«": "»"}
_WORD = re.compile(r"\S*\w\S*")


class WritingProfile(Protocol):
    """The prompts and the checks of one kind of writer. ``template`` is what a prompt was made from, for the record."""

    @property
    def name(self) -> str: ...

    @property
    def template(self) -> str: ...

    @property
    def max_new_tokens(self) -> int: ...

    def classes(self) -> ClassList: ...

    def prompt(self, name: str, seed: int) -> str: ...

    def problem(self, text: str, name: str) -> str | None:
        """Why this text is no caption of this class, in words that can be counted; None when it is one."""


@dataclass(frozen=True)
class Synth2Profile:
    """The paper's prompt and limits, for instruct models.

    "Around 30-40 words" is checked as 30 to 40 unless the user says otherwise. ``template`` holds [object].
    Raises: BadSetting.
    """

    min_words: int = 30
    max_words: int = 40
    template: str = SYNTH2_PROMPT
    name: str = "synth2"
    max_new_tokens: int = 160

    def __post_init__(self) -> None:
        if not 1 <= self.min_words <= self.max_words <= 400:
            raise BadSetting(f"captions of {self.min_words} to {self.max_words} words", where="--words",
                             fix="Give two whole numbers from 1 to 400, the smaller first, as in 30:40.")
        if OBJECT not in self.template or len(self.template) > MAX_PROMPT_CHARACTERS:
            raise BadSetting(f"the writing prompt has no {OBJECT} or more than {MAX_PROMPT_CHARACTERS} characters",
                             where="--writing-prompt", fix=f"Put {OBJECT} where the class goes.")

    def classes(self) -> ClassList:
        return read_classes()

    def prompt(self, name: str, seed: int) -> str:
        return self.template.replace(OBJECT, name)

    def problem(self, text: str, name: str) -> str | None:
        if _REFUSAL.search(text):
            return "refusal"
        if OPENING in self.template and not text.casefold().startswith(OPENING.casefold()):
            return f'does not begin with "{OPENING}"'
        if not names_object(text, name):
            return "does not name the object"
        words = len(_WORD.findall(text))
        if words < self.min_words:
            return f"fewer than {self.min_words} words"
        if words > self.max_words:
            return f"more than {self.max_words} words"
        return None


def word_range(text: str) -> tuple[int, int]:
    """``30:40`` as numbers. Raises: BadSetting."""
    least, colon, most = text.partition(":")
    if not colon or not least.strip().isdecimal() or not most.strip().isdecimal():
        raise BadSetting(f"{text!r} is no range of words", where="--words", fix="Write it as 30:40.")
    words = int(least), int(most)
    Synth2Profile(*words)
    return words


def tidy_caption(text: str) -> str:
    """A writer's answer as a caption: one line, without quotes around it. Raises: Refusal with the reason."""
    text = " ".join(text.split())
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return clean_text(text)


def names_object(text: str, name: str) -> bool:
    """Whether the text holds the name as whole words, in the singular or a regular plural; hyphens count as spaces."""
    words = [_fold(word) for word in re.findall(r"\w+", text)]
    wanted = [_fold(word) for word in re.findall(r"\w+", name)]
    if not wanted:
        return False
    last = _forms(wanted[-1])
    size = len(wanted)
    return any(words[at: at + size - 1] == wanted[:-1] and words[at + size - 1] in last
               for at in range(len(words) - size + 1))


def same_caption(text: str) -> str:
    """What two captions share when a reader would call them the same: letters and digits, case folded."""
    return " ".join(re.findall(r"\w+", _fold(text)))


def reason_of(text: str, name: str, profile: WritingProfile) -> tuple[str, str | None]:
    """The tidied caption, and why it is none (None when it is one)."""
    try:
        caption = tidy_caption(text)
    except Refusal as refusal:
        return text, str(refusal)
    return caption, profile.problem(caption, name)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _forms(word: str) -> set[str]:
    forms = {word, word + "s", word + "es"}
    if word.endswith("y"):
        forms.add(word[:-1] + "ies")
    for singular in ("f", "fe"):
        if word.endswith(singular):
            forms.add(word.removesuffix(singular) + "ves")
    if word.endswith("man"):
        forms.add(word[:-2] + "en")
    irregular = {"mouse": "mice", "goose": "geese", "foot": "feet", "tooth": "teeth", "child": "children", "ox": "oxen"}
    if word in irregular:
        forms.add(irregular[word])
    return forms
