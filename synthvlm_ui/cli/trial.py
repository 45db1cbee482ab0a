"""``try``: what a finished model says of a picture, beside what it said before it was trained."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from synthvlm_ui.cli.output import Output, table
from synthvlm_ui.cli.parser import Commands

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio


def add_to(commands: Commands) -> None:
    parser = commands.add("try", _try, "caption a picture with a trained model and with the untrained one", needs="any")
    parser.add_argument("--model", required=True, metavar="DIR", help="a directory that train wrote")
    parser.add_argument("--image", required=True, type=Path, metavar="FILE", help="a JPEG, PNG or WebP file")


def _try(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    from synthvlm_ui.errors import UnreadableFile

    try:
        content = options.image.read_bytes()
    except OSError as error:
        raise UnreadableFile("the file cannot be read", where=str(options.image), fix="Name an image file.") from error
    found = studio.trials.caption(options.model, content, options.image.name)
    output.result(found, table(list(found["captions"].items())))
