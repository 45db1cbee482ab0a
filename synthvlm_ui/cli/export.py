"""``export`` and ``validate``: a selection as files that a training program reads."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from synthvlm_ui.cli.output import Output
from synthvlm_ui.cli.parser import Commands

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio


def add_to(commands: Commands) -> None:
    parser = commands.add("export", _export, "write a selection as training data")
    parser.add_argument("--selection", required=True, metavar="NAME")
    parser.add_argument("--format", required=True, metavar="FORMAT", help="such as llava; a wrong name lists them all")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: a folder of the workspace")
    parser.add_argument("--rejects", action="store_true", help="also write what the selection dropped, as rejects")
    parser.add_argument("--overwrite", action="store_true", help="replace an export that stands in DIR already")
    parser = commands.add("validate", _validate, "check exported files and count what is wrong", needs="any")
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument("--format", required=True, metavar="FORMAT", help="format to check against")


def _export(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    outcome = studio.exports.run(
        options.selection, options.format, options.out, rejects=options.rejects, overwrite=options.overwrite
    )
    output.result(outcome, [
        f"wrote {outcome['written']} pairs to {outcome['out']}", f"manifest sha256 {outcome['manifest_sha256']}"
    ])


def _validate(options: argparse.Namespace, studio: Studio, output: Output) -> int:
    """Exit code 1 when the files are not as the format wants them, so that a script stops there."""
    outcome = studio.exports.validate(options.path, options.format)
    lines = [f"error: {text}" for text in outcome["errors"]] + [f"warning: {text}" for text in outcome["warnings"]]
    output.result(outcome, [*lines, "valid" if outcome["ok"] else "not valid"])
    return 0 if outcome["ok"] else 1
