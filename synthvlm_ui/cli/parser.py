"""The grammar of the command line: options that every command has, and the types of values.

Knows no command by itself: each command's file adds its own parser.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NoReturn

from synthvlm_ui import __version__
from synthvlm_ui.errors import BadSetting

PROGRAM = "python -m synthvlm_ui"

# What a command needs of the workspace: one it may write (made when it is not there), one to read, or, to answer what
# does not depend on one, either; none is opened for a command that works on its files.
Needs = Literal["writable", "existing", "any", "none"]


class Parser(argparse.ArgumentParser):
    """An argparse parser that raises BadSetting instead of leaving the process, so that all errors look alike."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise BadSetting(message.rstrip("."), fix=f"See {self.prog} --help.")


class Commands:
    """Adds commands to one level of the grammar; ``prefix`` tells a reader of the code where it is."""

    def __init__(self, parser: argparse.ArgumentParser, shared: Parser, name: str = "command") -> None:
        self._shared = shared
        self._subparsers = parser.add_subparsers(dest=name, metavar=name.upper(), required=True, parser_class=Parser)

    def add(self, name: str, run: Callable[..., int | None], summary: str, *, needs: Needs = "writable") -> Parser:
        """A command that ``run(options, studio, output)`` carries out on the workspace it ``needs``."""
        parser: Parser = self._subparsers.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + ".", parents=[self._shared]
        )
        parser.set_defaults(run=run, needs=needs)
        return parser

    def group(self, name: str, summary: str) -> Commands:
        """A command that has commands of its own, such as ``jobs list``."""
        parser = self._subparsers.add_parser(name, help=summary, parents=[self._shared])
        return Commands(parser, self._shared, name="action")


def build_parser() -> Parser:
    """The whole grammar; docs and tests read the commands from it, so that they cannot drift apart."""
    from synthvlm_ui.cli import (
        captions,
        compare,
        diversity,
        evaluate,
        export,
        find,
        findings,
        generate,
        head,
        info,
        jobs,
        rate,
        runs,
        score,
        select,
        train,
        trial,
        users,
        verdict,
        workspace,
    )

    shared = _shared_options()
    parser = Parser(prog=PROGRAM, description="Make, judge and export synthetic image-caption pairs.", parents=[shared])
    parser.add_argument("--version", action="version", version=f"SynthVLM UI {__version__}")
    commands = Commands(parser, shared)
    rooms = (
        info, captions, generate, score, head, select, find, verdict, compare, rate, diversity, export,
        train, runs, evaluate, trial, findings, jobs, workspace, users,
    )
    for room in rooms:
        room.add_to(commands)
    return parser


def _shared_options() -> Parser:
    """Options that may stand before or after the command; SUPPRESS keeps the later parser from undoing the earlier."""
    shared = Parser(add_help=False)
    shared.add_argument("--workspace", type=Path, metavar="DIR", default=argparse.SUPPRESS,
                        help="folder that holds everything (default: $SYNTHVLM_WORKSPACE or ./workspace)")
    shared.add_argument("--json", action="store_true", default=argparse.SUPPRESS,
                        help="print one JSON object as the last line of stdout")
    return shared


def at_least(minimum: int) -> Callable[[str], int]:
    """The type of a whole number that is ``minimum`` or more."""

    def whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if value < minimum:
            raise argparse.ArgumentTypeError(f"{value} is less than {minimum}")
        return value

    return whole


def number(text: str) -> float:
    """The type of a finite number."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def fraction(text: str) -> float:
    """The type of a share above 0 and up to 1."""
    value = number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value


def names(text: str) -> tuple[str, ...]:
    """The type of a list with commas."""
    listed = tuple(part.strip() for part in text.split(",") if part.strip())
    if not listed:
        raise argparse.ArgumentTypeError("the list is empty")
    return listed


def scorers(text: str) -> tuple[str, ...]:
    """The type of --scorers: names with commas, or ``none``."""
    return () if text.strip().lower() == "none" else names(text)


def mapping(text: str) -> dict[str, str]:
    """The type of --map: ``caption=COLUMN,id=COLUMN,image=COLUMN``."""
    result: dict[str, str] = {}
    for part in names(text):
        role, equals, column = part.partition("=")
        if not equals or not column or role not in ("caption", "id", "image"):
            raise argparse.ArgumentTypeError(f"{part!r} is not caption=COLUMN, id=COLUMN or image=COLUMN")
        result[role] = column
    return result
