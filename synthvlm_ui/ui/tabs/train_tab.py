"""The train tab: one element that talks to the app's own routes."""

from __future__ import annotations

from synthvlm_ui.ui.gradio_start import import_gradio
from synthvlm_ui.ui.routes.api import Api


def build(_api: Api) -> None:
    """Adds the tab to the page under construction."""
    gradio = import_gradio()
    with gradio.Tab("Train", id="train"):
        gradio.HTML("<synth-train></synth-train>", apply_default_css=False, js_on_load=None)
