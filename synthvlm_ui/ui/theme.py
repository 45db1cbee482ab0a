"""Colours, type and spacing of the page: a calm slate with one blue, readable in light and dark.

Fonts are the system's own, so nothing is loaded from elsewhere. Text and buttons reach WCAG AA contrast (4.5:1).
"""

from __future__ import annotations

from typing import Any

from synthvlm_ui.ui.gradio_start import import_gradio

SANS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Helvetica Neue", "Arial", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"]
# Names and references (*hue_step) are gradio's own.
VALUES = {
    "body_background_fill": "#f6f7f9",
    "body_background_fill_dark": "#0e131b",
    "body_text_color": "*neutral_900",
    "body_text_color_dark": "*neutral_100",
    "body_text_color_subdued": "*neutral_600",
    "body_text_color_subdued_dark": "*neutral_300",
    "background_fill_primary": "white",
    "background_fill_primary_dark": "#161d28",
    "background_fill_secondary": "*neutral_50",
    "background_fill_secondary_dark": "#1b2431",
    "block_background_fill": "white",
    "block_background_fill_dark": "#161d28",
    "block_border_color": "*neutral_200",
    "block_border_color_dark": "#2a3647",
    "border_color_primary": "*neutral_200",
    "border_color_primary_dark": "#2a3647",
    "block_info_text_color": "*neutral_600",
    "block_info_text_color_dark": "*neutral_300",
    "block_label_text_color": "*neutral_700",
    "block_label_text_color_dark": "*neutral_200",
    "block_title_text_color": "*neutral_800",
    "block_title_text_color_dark": "*neutral_100",
    "block_title_text_weight": "600",
    "block_label_background_fill": "white",
    "block_label_background_fill_dark": "#161d28",
    "block_shadow": "none",
    "input_background_fill": "white",
    "input_background_fill_dark": "#0f1620",
    "input_border_color": "*neutral_300",
    "input_border_color_dark": "#3a485c",
    "checkbox_border_color": "*neutral_500",
    "checkbox_border_color_dark": "*neutral_400",
    "input_placeholder_color": "*neutral_500",
    "input_placeholder_color_dark": "*neutral_400",
    "button_primary_background_fill": "*primary_700",
    "button_primary_background_fill_hover": "*primary_800",
    "button_primary_background_fill_dark": "*primary_700",
    "button_primary_background_fill_hover_dark": "*primary_600",
    "button_primary_text_color": "white",
    "button_primary_text_color_dark": "white",
    "button_secondary_background_fill": "white",
    "button_secondary_background_fill_hover": "*neutral_100",
    "button_secondary_background_fill_dark": "#1b2431",
    "button_secondary_background_fill_hover_dark": "#253041",
    "button_secondary_border_color": "*neutral_300",
    "button_secondary_border_color_dark": "#3a485c",
    "button_border_width": "1px",
    "color_accent": "*primary_700",
    "link_text_color": "*primary_700",
    "link_text_color_dark": "*primary_300",
}


def build_theme() -> Any:
    """The gradio theme; the page's own elements take their colours from its CSS variables."""
    gradio = import_gradio()
    base = gradio.themes.Default(primary_hue="blue", secondary_hue="blue", neutral_hue="slate", radius_size="md",
                                 font=SANS, font_mono=MONO)
    return base.set(**VALUES)
