"""The export tab: a selection and a format in, a directory and its manifest hash out, and the check of what is there.

Knows the studio's export actions; what they said is shown by the page's own elements, as text.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import BadSetting, EmptyInput
from synthvlm_ui.service.export.export_desk import ExportRequest
from synthvlm_ui.service.machine import hosting
from synthvlm_ui.ui.access.visiting import asked
from synthvlm_ui.ui.gradio_start import import_gradio
from synthvlm_ui.ui.routes.api import Api
from synthvlm_ui.ui.tabs.reports import command_line, report, told

_MAIN = ("selection", "format", "out", "rejects", "overwrite")
_LAYOUT = ("validation", "image_format", "image_quality", "size_px", "fit", "shard_pairs", "repeats", "seed")
_WHOLE = ("image_quality", "shard_pairs", "repeats", "seed")


def build(api: Api) -> None:
    """Adds the tab to the page under construction."""
    gradio = import_gradio()
    with gradio.Tab("Export", id="export") as tab, gradio.Row(elem_classes="s-columns-gradio"):
        with gradio.Column(scale=2, min_width=300):
            parts = _form(gradio, api) | _layout(gradio)
            parts |= {
                "run": gradio.Button("Export", variant="primary", interactive=not api.read_only),
                "validate": gradio.Button("Validate an export", variant="secondary"),
            }
            parts |= _hub(gradio, api)
            command = command_line(api.studio.exports.command(ExportRequest("", parts["format"].value)))
        with gradio.Column(scale=3, min_width=320):
            done = report("synth-export-report")
            checked = report("synth-export-report")
            gradio.HTML("<synth-exports></synth-exports>", apply_default_css=False, js_on_load=None)
            gradio.HTML("<synth-selections></synth-selections>", apply_default_css=False, js_on_load=None)
    _wire(api, tab, parts, (done, checked, command))


def _form(gradio: Any, api: Api) -> dict[str, Any]:
    formats = api.studio.exports.formats()
    names = [(f"{one['name']}: {one['note']}" if one["note"] else one["name"], one["name"]) for one in formats]
    return {
        "selection": gradio.Dropdown(_selections(api), label="Selection", value=None,
                                     info="Selections are saved in Curate."),
        "format": gradio.Radio(names, label="Format", value=formats[0]["name"]),
        "out": gradio.Textbox("", label="Output directory", placeholder="in the workspace, under exports/"),
        "rejects": gradio.Checkbox(label="Also write the candidates that were not kept, with their scores"),
        "overwrite": gradio.Checkbox(label="Replace an earlier export in that directory"),
    }


def _layout(gradio: Any) -> dict[str, Any]:
    with gradio.Accordion("Images, splits and shards", open=False):
        with gradio.Row():
            image_format = gradio.Dropdown(["keep", "jpeg", "png", "webp"], label="Image format", value="keep",
                                           min_width=120)
            image_quality = gradio.Number(95, label="Quality (jpeg)", minimum=1, maximum=100, precision=0,
                                          min_width=120)
        with gradio.Row():
            size_px = gradio.Number(None, label="Square of (px)", minimum=1, maximum=8192, precision=0, min_width=120,
                                    placeholder="as drawn")
            fit = gradio.Dropdown(["pad", "crop", "stretch"], label="When not square", value="pad", min_width=120)
        with gradio.Row():
            validation = gradio.Number(0, label="Validation share of captions", minimum=0, maximum=0.99, min_width=120)
            repeats = gradio.Number(1, label="Repeats of a pair", minimum=1, maximum=1000, precision=0, min_width=120)
        with gradio.Row():
            shard_pairs = gradio.Number(2000, label="Pairs per tar or parquet file", minimum=1, precision=0,
                                        min_width=120)
            seed = gradio.Number(0, label="Seed (instructions, split)", minimum=0, precision=0, min_width=120)
    fields = (validation, image_format, image_quality, size_px, fit, shard_pairs, repeats, seed)
    return dict(zip(_LAYOUT, fields, strict=True))


def _hub(gradio: Any, api: Api) -> dict[str, Any]:
    with gradio.Accordion("Send it to the Hugging Face Hub", open=False):
        return {
            "repo": gradio.Textbox("", label="Dataset", placeholder="USER/NAME"),
            "private": gradio.Checkbox(True, label="Private, when it is new"),
            "token": _who_sends(gradio),
            "look": gradio.Button("Show what would be sent", variant="secondary"),
            "push": gradio.Button("Send", variant="secondary", interactive=not api.read_only),
        }


def _who_sends(gradio: Any) -> Any:
    """A button to log in with, where the Hub lets visitors of this Space do so, or a box for a token."""
    if hosting.offers_login():
        return gradio.LoginButton("Log in with Hugging Face", logout_value="Log out ({})", size="md")
    own = "empty: the login of this machine" if not hosting.in_a_space() else "your own; this Space lends none"
    return gradio.Textbox("", label="Token with write access", type="password", placeholder=own,
                          info="Used for this push only; it is not stored.")


def _wire(api: Api, tab: Any, parts: dict[str, Any], shown: tuple[Any, Any, Any]) -> None:
    gradio = import_gradio()
    done, checked, command = shown
    quiet = {"api_visibility": "private", "show_progress": "minimal"}
    fields = [parts[name] for name in (*_MAIN, *_LAYOUT)]
    listed = {"api_visibility": "private", "show_progress": "hidden"}

    def refreshed(current: str | None) -> Any:
        names = _selections(api)
        return gradio.Dropdown(choices=names, value=current if current in names else (names[-1] if names else None))

    tab.select(asked(api, refreshed), parts["selection"], parts["selection"], **listed)
    for part in fields:
        part.change(asked(api, lambda *values: api.studio.exports.command(request_of(values))), fields, command,
                    trigger_mode="always_last", **listed)
    parts["run"].click(asked(api, lambda *values: told(lambda: _export(api, values))), fields, done,
                       show_progress_on=done, **quiet).success(
        lambda: "", None, checked, **listed)
    sent = [*fields, parts["repo"], parts["private"]]
    if not hosting.offers_login():
        sent.append(parts["token"])
    for name, dry_run in (("look", True), ("push", False)):
        parts[name].click(asked(api, _sender(api, gradio, dry_run)), sent, checked, show_progress_on=checked, **quiet)
    parts["validate"].click(asked(api, lambda *values: told(lambda: _validate(api, values))), fields, checked,
                            show_progress_on=checked, **quiet)


def _selections(api: Api) -> list[str]:
    return [str(row["name"]) for row in api.studio.curation.selections()["selections"]]


def request_of(values: tuple[Any, ...]) -> ExportRequest:
    """The request that the form's values make, in the order of ``_MAIN`` and ``_LAYOUT``; what is empty is left out."""
    given = dict(zip((*_MAIN, *_LAYOUT), values, strict=False))
    options = {name: given[name] for name in _LAYOUT if given.get(name) not in (None, "")}
    for name in (*_WHOLE, "size_px"):
        if name in options:
            options[name] = int(options[name])
    return ExportRequest(given["selection"] or "", given["format"], given["out"].strip() or None,
                         bool(given["rejects"]), bool(given["overwrite"]), options)


def _export(api: Api, values: tuple[Any, ...]) -> dict[str, Any]:
    """Queues the export and waits for it; it goes on when nobody waits any more."""
    request = request_of(values)
    if not request.selection:
        raise EmptyInput("no selection is chosen", fix="Save one in Curate first.")
    _directory(api, request)
    job_id = api.change(lambda: api.studio.exports.start(request))
    job = api.studio.jobs.follow(job_id, lambda now: None)
    return {**job["result"], "archive": api.studio.exports.archive_name(job["result"]["out"])}


def _sender(api: Api, gradio: Any, dry_run: bool) -> Callable[..., str]:
    """The handler of a push, by whoever is logged in or with the token of the form."""
    if not hosting.offers_login():
        return lambda *values: told(lambda: _push(api, values[:-1], values[-1].strip(), dry_run))

    def send(login: Any, *values: Any) -> str:
        return told(lambda: _push(api, values, login.token if login else "", dry_run))

    # Gradio hands over what the annotation names, out of the visitor's signed cookie.
    send.__annotations__["login"] = gradio.OAuthToken | None
    return send


def _push(api: Api, values: tuple[Any, ...], token: str, dry_run: bool) -> dict[str, Any]:
    *form, repo, private = values
    request = request_of(tuple(form))
    if not request.out and not request.selection:
        raise EmptyInput("there is nothing to send", fix="Choose a selection or name a directory.")

    if not dry_run:
        api.check_may_change()  # without waiting for other changes, which a slow upload must not hold up
    return dict(api.studio.exports.push(_directory(api, request), repo.strip(), private=bool(private), dry_run=dry_run,
                                        token=token or None, stranger=hosting.in_a_space() or api.lobby is not None))


def _validate(api: Api, values: tuple[Any, ...]) -> dict[str, Any]:
    request = request_of(values)
    if not request.out and not request.selection:
        raise EmptyInput("there is nothing to validate", fix="Choose a selection or name a directory.")
    return dict(api.studio.exports.validate(_directory(api, request), request.format))


def _directory(api: Api, request: ExportRequest) -> Path:
    """Where an export goes: by default a folder of the workspace. Raises: BadSetting for a relative path."""
    if not request.out:
        return Path(api.studio.exports.default_out(request.selection, request.format))
    if api.lobby is not None:
        raise BadSetting("visitors of this demo cannot name a directory", where="Output directory",
                         fix="Leave the field empty.")
    target = Path(request.out).expanduser()
    if not target.is_absolute():
        raise BadSetting(f"{request.out!r} is not an absolute path", where="Output directory",
                         fix="Start it with / or leave the field empty.")
    return target
