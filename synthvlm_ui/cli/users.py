"""``users``: accounts of a shared server, for ``app.py --auth FILE``."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from synthvlm_ui.cli.output import Output
from synthvlm_ui.cli.parser import Commands

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio


def add_to(commands: Commands) -> None:
    group = commands.group("users", "accounts of a shared server")
    add = group.add("add", _add, "add an account or change its password, which is asked for or read from stdin",
                    needs="none")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--file", type=Path, required=True, help="file of the accounts, for app.py --auth FILE")
    listed = group.add("list", _list, "the names in a file of accounts", needs="none")
    listed.add_argument("--file", type=Path, required=True)


def _add(options: argparse.Namespace, studio: Studio | None, output: Output) -> None:
    from synthvlm_ui.service import add_account

    asked = sys.stdin.isatty()
    password = getpass.getpass(f"Password of {options.name}: ") if asked else sys.stdin.readline().rstrip("\n")
    replaced = add_account(options.file, options.name, password)
    output.result({"name": options.name, "replaced": replaced},
                  [f"{'changed the password of' if replaced else 'added'} {options.name} in {options.file}"])


def _list(options: argparse.Namespace, studio: Studio | None, output: Output) -> None:
    from synthvlm_ui.service import Accounts

    names = Accounts(options.file).names()
    output.result({"names": names}, names)
