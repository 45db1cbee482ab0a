"""``workspace``: whether everything in it reads back, and setting right what does not."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from synthvlm_ui.cli.output import Output
from synthvlm_ui.cli.parser import Commands

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio


def add_to(commands: Commands) -> None:
    group = commands.group("workspace", "the folder that holds everything")
    check = group.add("check", _check, "read everything once and say what is damaged; exit code 1 when something is",
                      needs="none")
    check.add_argument("--repair", action="store_true",
                       help="move damaged files into the folder damaged, make again what can be made, and say so")
    check.add_argument("--images", choices=("decode", "read"), default="decode",
                       help="decode every image, or only read its bytes (default: decode)")


def _check(options: argparse.Namespace, studio: Studio | None, output: Output) -> int:
    from synthvlm_ui.service.workspace_check import WorkspaceCheck

    outcome = WorkspaceCheck(options.workspace, repair=options.repair, images=options.images == "decode").run()
    lines = [f"{found['where']}: {found['what']}" + (f"\n  {found['repaired']}" if found["repaired"] else "")
             + (f"\n  next: {found['next']}" if found["next"] else "") for found in outcome["findings"]]
    looked = ", ".join(f"{count} {kind}" for kind, count in outcome["checked"].items())
    output.result(outcome, [*lines, f"looked at {looked}: {'all well' if not lines else f'{len(lines)} findings'}"])
    return 0 if outcome["ok"] else 1
