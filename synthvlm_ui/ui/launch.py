"""Opens the studio and serves the page until it is interrupted.

Knows no tab. Errors a user can act on become one line on stderr and the exit code of their class.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from synthvlm_ui.config import AppSettings
from synthvlm_ui.errors import SynthVLMError
from synthvlm_ui.ui.memory import keep_returning, return_what_is_free
from synthvlm_ui.ui.options import settings_from

if TYPE_CHECKING:
    from synthvlm_ui.visitors import Lobby


def run(arguments: Sequence[str] | None = None) -> int:
    """Serves the app; returns the exit code (0 after an interrupt)."""
    return_what_is_free()
    try:
        settings = settings_from(arguments)
        from synthvlm_ui.service import Studio
        from synthvlm_ui.service.machine import hosting

        hosting.keep_own_login()
        if hosting.on_zero_gpu():
            _hold_for_the_lent_card()
        studio = Studio.open(settings.workspace, actor=settings.actor, read_only=settings.read_only)
        if not settings.read_only:
            studio.serve_at(f"http://{_shown(settings.host)}:{settings.port}/")
        # Visitors come to see something; whoever owns an empty workspace decides himself.
        if (settings.demo or settings.visitors) and not settings.read_only and not studio.captions.datasets():
            studio.generation.start_demo()
        lobby = _lobby(settings) if settings.visitors else None
    except SynthVLMError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code

    from synthvlm_ui.ui.app import build_app

    demo, launch = build_app(lobby.owner if lobby else studio, settings, lobby)
    keep_returning()
    print(f"SynthVLM UI: http://{_shown(settings.host)}:{settings.port}/   workspace: {settings.workspace}", flush=True)
    demo.launch(**launch)
    if lobby is not None:
        lobby.close()
    return 0


def _hold_for_the_lent_card() -> None:
    """Loads what every loan begins with before the page stands: later it would be loaded within each of them.

    Before anything looks for a card, too, since the package that lends it has to come first.
    """
    from synthvlm_ui.ui.gradio_start import import_gradio

    import_gradio()
    from synthvlm_ui.config import DEFAULT_GENERATOR
    from synthvlm_ui.records import EngineSettings
    from synthvlm_ui.service.machine import lent_card

    lent_card.loaded(DEFAULT_GENERATOR, EngineSettings(), "cuda")


def _lobby(settings: AppSettings) -> Lobby:
    """The lobby over a second, read-only opening of the workspace: no route can write into it, whatever it does."""
    from synthvlm_ui.service import Studio
    from synthvlm_ui.visitors import Limits, Lobby

    limits = Limits.parse(settings.visitor_limits)
    return Lobby(Studio.open(settings.workspace, read_only=True), limits)


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
