"""Opens the studio and serves the page until it is interrupted.

Knows no tab. Errors a user can act on become one line on stderr and the exit code of their class.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from synthvlm_ui.errors import SynthVLMError
from synthvlm_ui.ui.memory import keep_returning, return_what_is_free
from synthvlm_ui.ui.options import settings_from


def run(arguments: Sequence[str] | None = None) -> int:
    """Serves the app; returns the exit code (0 after an interrupt)."""
    return_what_is_free()
    try:
        settings = settings_from(arguments)
        from synthvlm_ui.service import Studio, hosting

        hosting.keep_own_login()
        if hosting.on_zero_gpu():
            _hold_for_the_lent_card()
        studio = Studio.open(settings.workspace, actor=settings.actor, read_only=settings.read_only)
        if not settings.read_only:
            studio.serve_at(f"http://{_shown(settings.host)}:{settings.port}/")
        if settings.demo and not settings.read_only and not studio.summary()["datasets"]:
            studio.generation.start_demo()
    except SynthVLMError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code

    from synthvlm_ui.ui.app import build_app

    demo, launch = build_app(studio, settings)
    keep_returning()
    print(f"SynthVLM UI: http://{_shown(settings.host)}:{settings.port}/   workspace: {settings.workspace}", flush=True)
    demo.launch(**launch)
    return 0


def _hold_for_the_lent_card() -> None:
    """Loads what every loan begins with before the page stands: later it would be loaded within each of them.

    Before anything looks for a card, too, since the package that lends it has to come first.
    """
    from synthvlm_ui.ui.gradio_start import import_gradio

    import_gradio()
    from synthvlm_ui.config import DEFAULT_GENERATOR
    from synthvlm_ui.records import EngineSettings
    from synthvlm_ui.service import lent_card

    lent_card.loaded(DEFAULT_GENERATOR, EngineSettings(), "cuda")


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
