"""Hands the result of a gradio event to an element of the page, and errors to a toast.

The result travels as one JSON string that is never part of a template: the element reads it and writes text nodes.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any

from synthvlm_ui.errors import SynthVLMError
from synthvlm_ui.ui.gradio_start import import_gradio

_HAND_OVER = """
const node = element.querySelector('{tag}');
const show = () => customElements.whenDefined('{tag}').then(() => node.{method}(props.value || ''));
watch('value', show);
show();
"""


def report(tag: str) -> Any:
    """A place for results: the custom element ``tag``, whose ``report(text)`` gets every new value."""
    return _element(tag, "report", "")


def command_line(text: str = "") -> Any:
    """A place for the equivalent command line."""
    return _element("synth-command", "show", text)


def _element(tag: str, method: str, value: str) -> Any:
    script = _HAND_OVER.replace("{tag}", tag).replace("{method}", method)
    return import_gradio().HTML(value, html_template=f"<{tag}></{tag}>", js_on_load=script, apply_default_css=False)


def told(action: Callable[[], dict[str, Any]]) -> str:
    """The action's result as JSON, or what went wrong as ``{"error": text}``, which a toast says too."""
    try:
        return json.dumps(action(), ensure_ascii=False)
    except SynthVLMError as error:
        import_gradio().Warning(html.escape(str(error)), duration=12, title="Not done")
        return json.dumps({"error": str(error)}, ensure_ascii=False)
