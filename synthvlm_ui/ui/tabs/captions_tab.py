"""The captions tab: a file or pasted lines in, and what is there.

Knows the studio's import actions; what they found is shown by the page's own elements, as text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from synthvlm_ui.errors import BadSetting, EmptyInput, SynthVLMError
from synthvlm_ui.ui.access.visiting import asked
from synthvlm_ui.ui.gradio_start import import_gradio
from synthvlm_ui.ui.routes.api import Api
from synthvlm_ui.ui.tabs.reports import command_line, report, told

FILE_TYPES = [".txt", ".csv", ".tsv", ".json", ".jsonl", ".parquet", ".token", ".tar"]
ROLES = ("caption", "id", "image")
DUPLICATES = [("skip it", "skip"), ("replace the old one", "replace"), ("refuse the import", "error")]
PASTE_HINT = "a red cat on the left of a blue house\ntwo yellow stars above a green boat"


def build(api: Api) -> None:
    """Adds the tab to the page under construction."""
    gradio = import_gradio()
    with gradio.Tab("Captions", id="captions") as tab, gradio.Row(elem_classes="s-columns-gradio"):
        with gradio.Column(scale=2, min_width=300):
            parts = _form(gradio, api)
            found = report("synth-import-report")
        with gradio.Column(scale=3, min_width=320):
            gradio.HTML("<synth-datasets></synth-datasets>", apply_default_css=False, js_on_load=None)
    with tab:
        gradio.HTML("<synth-caption-rules></synth-caption-rules>", apply_default_css=False, js_on_load=None)
    _wire(gradio, api, parts, found)


def _form(gradio: Any, api: Api) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    parts["dataset"] = gradio.Textbox(label="Dataset", value="captions", max_length=80, elem_id="caption-dataset",
                                      info="A new name makes a new dataset; a known one grows.")
    with gradio.Tabs(elem_id="caption-source"):
        with gradio.Tab("File"):
            parts["file"] = gradio.File(label="txt, csv, tsv, json, jsonl, parquet, COCO, Flickr30k, tar", height=150,
                                        file_types=FILE_TYPES, file_count="single", type="filepath")
            parts["preview"] = report("synth-import-preview")
            with gradio.Accordion("Columns and duplicates", open=False):
                with gradio.Row():
                    for role in ROLES:
                        parts[role] = gradio.Dropdown([""], value="", label=f"Column of the {role}s", min_width=120,
                                                      allow_custom_value=True)
                parts["duplicates"] = gradio.Radio(DUPLICATES, value="skip", label="When an id is there already")
            parts["import"] = gradio.Button("Import file", variant="primary", interactive=not api.read_only)
            parts["command"] = command_line(_command(api, None, "captions", "skip"))
            gradio.Markdown("Folders of images, of WebDataset tars or of a Hugging Face data set on this machine are "
                            "imported on the command line: give the folder in place of the file, and `--images` to "
                            "store the images.")
        with gradio.Tab("Pasted lines"):
            parts["lines"] = gradio.Textbox("", label="One caption per line", lines=8, max_lines=16,
                                            placeholder=PASTE_HINT)
            parts["paste"] = gradio.Button("Import lines", variant="primary", interactive=not api.read_only)
        with gradio.Tab("Write"):
            gradio.HTML("<synth-write></synth-write>", apply_default_css=False, js_on_load=None)
        with gradio.Tab("Hub"):
            gradio.HTML("<synth-hub></synth-hub>", apply_default_css=False, js_on_load=None)
        with gradio.Tab("Fill gaps"):
            gradio.HTML("<synth-gaps></synth-gaps>", apply_default_css=False, js_on_load=None)
        with gradio.Tab("Sample"):
            gradio.Markdown("About a hundred captions that ship with the app, written for its small model.")
            parts["sample"] = gradio.Button("Load the sample captions", interactive=not api.read_only)
    return parts


def _wire(gradio: Any, api: Api, parts: dict[str, Any], found: Any) -> None:
    quiet = {"api_visibility": "private", "show_progress": "minimal", "show_progress_on": found}
    columns = [parts[role] for role in ROLES]
    named = [parts["dataset"], parts["file"], parts["duplicates"], *columns]
    parts["import"].click(asked(api, lambda *values: told(lambda: _import_file(api, *values))), named, found, **quiet)
    parts["paste"].click(asked(api, lambda *values: told(lambda: _import_lines(api, *values))),
                         [parts["dataset"], parts["lines"]], found, **quiet)
    parts["sample"].click(asked(api, lambda: told(lambda: api.change(lambda: api.studio.captions.load_sample()))),
                          None, found, **quiet)
    hidden = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "always_last"}
    parts["file"].change(asked(api, lambda path: _look(gradio, api, path)), parts["file"],
                         [parts["preview"], *columns], **hidden)
    for part in columns:  # .input: what the user chose, not what the preview filled in
        part.input(asked(api, lambda path, *chosen: told(lambda: _preview(api, path, chosen)) if path else ""),
                   [parts["file"], *columns], parts["preview"], **hidden)
    shown = [parts["file"], parts["dataset"], parts["duplicates"], *columns]
    for part in shown:
        part.change(asked(api, lambda *values: _command(api, *values)), shown, parts["command"], **hidden)


def _look(gradio: Any, api: Api, path: str | None) -> list[Any]:
    """The preview of a new file, and its columns to choose from with those that were guessed."""
    if not path:
        return ["", *(gradio.update(choices=[""], value="") for _ in ROLES)]
    text = told(lambda: _preview(api, path, ()))
    shown = json.loads(text)
    guessed = shown.get("columns", {}) if shown.get("names") else {}
    choices = ["", *shown.get("names", ())]
    return [text, *(gradio.update(choices=choices, value=guessed.get(role, "")) for role in ROLES)]


def _preview(api: Api, path: str, columns: Sequence[str]) -> dict[str, Any]:
    try:
        return api.studio.captions.preview(path, _mapping(columns))
    except SynthVLMError as error:
        raise _about_the_upload(error, path) from error


def _mapping(columns: Sequence[str | None]) -> dict[str, str]:
    return {role: name.strip() for role, name in zip(ROLES, columns, strict=False) if name and name.strip()}


def _import_file(api: Api, dataset: str, path: str | None, duplicates: Any, *columns: str | None) -> dict[str, Any]:
    if not path:
        raise EmptyInput("no file was chosen", fix="Drop a caption file into the box first.")
    try:
        return dict(api.change(lambda: api.studio.captions.import_file(
            path, _named(dataset), mapping=_mapping(columns), on_duplicate=duplicates, limit=api.rows_left())))
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
    api.room(rows=sum(bool(line.strip()) for line in lines.splitlines()))
    return dict(api.change(lambda: api.studio.captions.import_texts(lines, _named(dataset))))


def _named(dataset: str) -> str:
    if not dataset.strip():
        raise BadSetting("the dataset has no name", fix="Name it, for example captions.")
    return dataset.strip()


def _command(api: Api, path: str | None, dataset: str, duplicates: Any, *columns: str | None) -> str:
    name = _name_of(path) if path else "FILE"
    return str(api.studio.captions.command(name, dataset.strip() or "NAME", duplicates, _mapping(columns)))
