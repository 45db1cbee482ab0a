"""How much a visitor of a public demo may add, and for how long it is kept. Knows numbers and no workspace."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from synthvlm_ui.errors import BadSetting, LimitReached


@dataclass(frozen=True)
class Limits:
    """What one visitor may add to the demo, and how many visitors there are at once.

    Attributes:
        images, rows, mb: images, captions and megabytes beyond those of the demo.
        minutes: after the last request of a visitor their copy is deleted.
        at_once: visitors with a copy of their own; further ones look at the demo.
    """

    images: int = 300
    rows: int = 1000
    mb: int = 200
    minutes: int = 30
    at_once: int = 20

    @classmethod
    def parse(cls, text: str) -> Limits:
        """``images=300,rows=1000``: the named ones instead of the defaults. Raises: BadSetting."""
        known = [field.name for field in fields(cls)]
        chosen: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = part.partition("=")
            name = name.strip().replace("-", "_")
            if name not in known or not value.strip().isdecimal() or int(value) < 1:
                raise BadSetting(f"{part!r} is no limit of visitors", where="--visitor-limits",
                                 fix=f"Give numbers from 1 for some of {', '.join(known)}: images=300,minutes=30.")
            chosen[name] = int(value)
        return replace(cls(), **chosen)


@dataclass(frozen=True)
class Used:
    """What a visitor has added so far."""

    images: int
    rows: int
    bytes: int

    def check(self, limits: Limits, images: int = 0, rows: int = 0) -> None:
        """Whether so many more may be added. Raises: LimitReached, saying what is left."""
        for what, used, more, most in (("images", self.images, images, limits.images),
                                       ("captions", self.rows, rows, limits.rows)):
            if used + more > most:
                left = max(0, most - used)
                raise LimitReached(f"a visitor of this demo may add {most:,} {what}, and you have {left:,} left",
                                   fix="Ask for fewer, or run SynthVLM UI on a machine of your own.")
        if self.bytes > limits.mb * 10**6:
            raise LimitReached(f"your copy has grown to {limits.mb:,} MB, the most a visitor of this demo may have",
                               fix="Run SynthVLM UI on a machine of your own.")
