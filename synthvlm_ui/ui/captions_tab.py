"""The captions tab: a file or pasted lines in, and what is there.

Knows the studio's import actions; what they found is shown by the page's own elements, as text.
"""

from __future__ import annotations

from typing import Any

from synthvlm_ui.errors import BadSetting, EmptyInput, SynthVLMError
from synthvlm_ui.ui.api import Api
from synthvlm_ui.ui.gradio_start import import_gradio
from synthvlm_ui.ui.reports import command_line, report, told

FILE_TYPES = [".txt", ".csv", ".tsv", ".json", ".jsonl", ".parquet"]
DUPLICATES = [("skip it", "skip"), ("replace the old one", "replace"), ("refuse the import", "error")]
PASTE_HINT = "a red cat on the left of a blue house\ntwo yellow stars above a green boat"


def build(api: Api) -> None:
    """Adds the tab to the page under construction."""
    gradio = import_gradio()
    with gradio.Tab("Captions", id="captions") as tab, gradio.Row(elem_classes="s-columns-gradio"):
        with gradio.Column(scale=2, min_width=300):
            parts = _form(gradio, api)
            found = report("synth-import-report")
            command = command_line(_command(api, None, "captions", "skip"))
        with gradio.Column(scale=3, min_width=320):
            gradio.HTML("<synth-datasets></synth-datasets>", apply_default_css=False, js_on_load=None)
    with tab:
        gradio.HTML("<synth-caption-rules></synth-caption-rules>", apply_default_css=False, js_on_load=None)
    _wire(api, parts, found, command)


def _form(gradio: Any, api: Api) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    parts["dataset"] = gradio.Textbox(label="Dataset", value="captions", max_length=80,
                                      info="A new name makes a new dataset; a known one grows.")
    with gradio.Tabs(elem_id="caption-source"):
        with gradio.Tab("From a file"):
            parts["file"] = gradio.File(label="Caption file: txt, csv, tsv, json, jsonl or parquet", height=150,
                                        file_types=FILE_TYPES, file_count="single", type="filepath")
            with gradio.Accordion("Columns and duplicates", open=False):
                parts["caption"] = gradio.Textbox("", label="Column of the captions", placeholder="found by itself")
                parts["id"] = gradio.Textbox("", label="Column of the ids", placeholder="found by itself")
                parts["duplicates"] = gradio.Radio(DUPLICATES, value="skip", label="When an id is there already")
            parts["import"] = gradio.Button("Import file", variant="primary", interactive=not api.read_only)
        with gradio.Tab("Pasted lines"):
            parts["lines"] = gradio.Textbox("", label="One caption per line", lines=8, max_lines=16,
                                            placeholder=PASTE_HINT)
            parts["paste"] = gradio.Button("Import lines", variant="primary", interactive=not api.read_only)
        with gradio.Tab("Sample"):
            gradio.Markdown("About a hundred captions that ship with the app, written for its small model.")
            parts["sample"] = gradio.Button("Load the sample captions", interactive=not api.read_only)
    return parts


def _wire(api: Api, parts: dict[str, Any], found: Any, command: Any) -> None:
    quiet = {"api_visibility": "private", "show_progress": "minimal", "show_progress_on": found}
    named = [parts["dataset"], parts["file"], parts["caption"], parts["id"], parts["duplicates"]]
    parts["import"].click(lambda *values: told(lambda: _import_file(api, *values)), named, found, **quiet)
    parts["paste"].click(lambda *values: told(lambda: _import_lines(api, *values)),
                         [parts["dataset"], parts["lines"]], found, **quiet)
    parts["sample"].click(lambda: told(lambda: api.change(api.studio.captions.load_sample)), None, found, **quiet)
    shown = [parts["file"], parts["dataset"], parts["duplicates"]]
    for part in shown:
        part.change(lambda *values: _command(api, *values), shown, command, api_visibility="private",
                    show_progress="hidden", trigger_mode="always_last")


def _import_file(api: Api, dataset: str, path: str | None, caption: str, identity: str, duplicates: Any
                 ) -> dict[str, Any]:
    if not path:
        raise EmptyInput("no file was chosen", fix="Drop a caption file into the box first.")
    mapping = {name: column.strip() for name, column in (("caption", caption), ("id", identity)) if column.strip()}
    try:
        return dict(api.change(lambda: api.studio.captions.import_file(path, _named(dataset), mapping=mapping,
                                                                       on_duplicate=duplicates)))
    except SynthVLMError as error:
        raise _about_the_upload(error, path) from error


def _about_the_upload(error: SynthVLMError, path: str) -> SynthVLMError:
    """The error with the file's own name in place of where the browser's copy of it lies."""
    what, where, fix = (text.replace(path, _name_of(path)) for text in (error.what, error.where, error.fix))
    return type(error)(what, where=where, fix=fix)


def _name_of(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _import_lines(api: Api, dataset: str, lines: str) -> dict[str, Any]:
    if not lines.strip():
        raise EmptyInput("there are no lines", fix="Paste one caption per line.")
    return dict(api.change(lambda: api.studio.captions.import_texts(lines, _named(dataset))))


def _named(dataset: str) -> str:
    if not dataset.strip():
        raise BadSetting("the dataset has no name", fix="Name it, for example captions.")
    return dataset.strip()


def _command(api: Api, path: str | None, dataset: str, duplicates: Any) -> str:
    name = _name_of(path) if path else "FILE"
    return str(api.studio.captions.command(name, dataset.strip() or "NAME", duplicates))
