"""Who asks now, where visitors come: their name for as long as a request lasts, and the studio that is theirs.

Knows the lobby; knows no cookie and no route.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from synthvlm_ui.service import Studio
from synthvlm_ui.visitors import Lobby

_visitor: ContextVar[str | None] = ContextVar("visitor", default=None)


def visitor() -> str | None:
    """Who visits, None where there are no visitors or the browser keeps no cookie."""
    return _visitor.get()


class Present:
    """Stands for the studio of whoever asks: every use is answered by theirs, whenever a desk was taken from it."""

    def __init__(self, lobby: Lobby) -> None:
        self._lobby = lobby
        self._desks = {name for name, value in vars(lobby.owner).items()
                       if type(value).__module__.startswith("synthvlm_ui")}

    def now(self) -> Studio:
        """The studio of this request."""
        name = visitor()
        return self._lobby.studio_of(name) if name else self._lobby.owner

    def __getattr__(self, name: str) -> Any:
        return _Desk(self, name) if name in self._desks else getattr(self.now(), name)


class _Desk:
    def __init__(self, present: Present, name: str) -> None:
        self._present, self._name = present, name

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(self._present.now(), self._name), name)


@contextmanager
def visiting(name: str | None) -> Iterator[None]:
    """Within, and in threads that work for it, this is the visitor."""
    token = _visitor.set(name)
    try:
        yield
    finally:
        _visitor.reset(token)
