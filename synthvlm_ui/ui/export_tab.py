"""The export tab: a selection and a format in, a directory and its manifest hash out, and the check of what is there.

Knows the studio's export actions; what they said is shown by the page's own elements, as text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from synthvlm_ui.errors import BadSetting, EmptyInput
from synthvlm_ui.ui.api import Api
from synthvlm_ui.ui.gradio_start import import_gradio
from synthvlm_ui.ui.reports import command_line, report, told


def build(api: Api) -> None:
    """Adds the tab to the page under construction."""
    gradio = import_gradio()
    with gradio.Tab("Export", id="export") as tab, gradio.Row(elem_classes="s-columns-gradio"):
        with gradio.Column(scale=2, min_width=300):
            parts = _form(gradio, api)
            command = command_line(_command(api, None, parts["format"].value, "", False))
        with gradio.Column(scale=3, min_width=320):
            done = report("synth-export-report")
            checked = report("synth-export-report")
            gradio.HTML("<synth-selections></synth-selections>", apply_default_css=False, js_on_load=None)
    _wire(api, tab, parts, (done, checked, command))


def _form(gradio: Any, api: Api) -> dict[str, Any]:
    formats = api.studio.exports.formats()
    names = [(f"{one['name']}: {one['note']}" if one["note"] else one["name"], one["name"]) for one in formats]
    chosen = "llava" if any(one["name"] == "llava" for one in formats) else (formats[0]["name"] if formats else None)
    return {
        "selection": gradio.Dropdown(_selections(api), label="Selection", value=None,
                                     info="Selections are saved in Curate."),
        "format": gradio.Radio(names, label="Format", value=chosen),
        "rejects": gradio.Checkbox(label="Also write the candidates that were not kept, with their scores"),
        "out": gradio.Textbox("", label="Output directory", placeholder="in the workspace, under exports/"),
        "run": gradio.Button("Export", variant="primary", interactive=not api.read_only),
        "validate": gradio.Button("Validate an export", variant="secondary"),
    }


def _wire(api: Api, tab: Any, parts: dict[str, Any], shown: tuple[Any, Any, Any]) -> None:
    gradio = import_gradio()
    done, checked, command = shown
    quiet = {"api_visibility": "private", "show_progress": "minimal"}
    fields = [parts["selection"], parts["format"], parts["out"], parts["rejects"]]
    listed = {"api_visibility": "private", "show_progress": "hidden"}

    def refreshed(current: str | None) -> Any:
        names = _selections(api)
        return gradio.Dropdown(choices=names, value=current if current in names else (names[-1] if names else None))

    tab.select(refreshed, parts["selection"], parts["selection"], **listed)
    for part in fields:
        part.change(lambda *values: _command(api, *values), fields, command, trigger_mode="always_last", **listed)
    parts["run"].click(lambda *values: told(lambda: _export(api, *values)), fields, done,
                       show_progress_on=done, **quiet).success(
        lambda: "", None, checked, **listed)
    parts["validate"].click(lambda *values: told(lambda: _validate(api, *values)), fields[:3], checked,
                            show_progress_on=checked, **quiet)


def _selections(api: Api) -> list[str]:
    return [str(row["name"]) for row in api.studio.curation.selections()["selections"]]


def _export(api: Api, selection: str | None, format_name: str, out: str, rejects: bool) -> dict[str, Any]:
    if not selection:
        raise EmptyInput("no selection is chosen", fix="Save one in Curate first.")
    target = _directory(api, selection, format_name, out)
    return dict(api.change(lambda: api.studio.exports.run(selection, format_name, target, rejects=rejects)))


def _validate(api: Api, selection: str | None, format_name: str, out: str) -> dict[str, Any]:
    if not out.strip() and not selection:
        raise EmptyInput("there is nothing to validate", fix="Choose a selection or name a directory.")
    return dict(api.studio.exports.validate(_directory(api, selection or "", format_name, out), format_name))


def _directory(api: Api, selection: str, format_name: str, out: str) -> Path:
    """Where an export goes: by default a folder of the workspace. Raises: BadSetting for a relative path."""
    if not out.strip():
        return Path(api.studio.exports.default_out(selection, format_name))
    target = Path(out.strip()).expanduser()
    if not target.is_absolute():
        raise BadSetting(f"{out.strip()!r} is not an absolute path", where="Output directory",
                         fix="Start it with / or leave the field empty.")
    return target


def _command(api: Api, selection: str | None, format_name: str, out: str, rejects: bool) -> str:
    return str(api.studio.exports.command(selection or "", format_name, out.strip(), rejects=rejects))
