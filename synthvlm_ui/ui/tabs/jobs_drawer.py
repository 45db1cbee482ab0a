"""The head of the page, on every tab: name, jobs drawer and, on an empty workspace, the welcome."""

from __future__ import annotations

from synthvlm_ui.ui.gradio_start import import_gradio

HEADER = """<header class="s-header"><h1><span class="s-logo" aria-hidden="true"></span>SynthVLM UI</h1>
<synth-workspace></synth-workspace><synth-login></synth-login><synth-jobs></synth-jobs></header><synth-welcome></synth-welcome>"""


def build() -> None:
    """Adds the header to the page under construction."""
    import_gradio().HTML(HEADER, apply_default_css=False, js_on_load=None, elem_id="head")
