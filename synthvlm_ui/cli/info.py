"""``info``: versions, device, back ends and counts."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.output import Output, table
from synthvlm_ui.cli.parser import Commands

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio


def add_to(commands: Commands) -> None:
    commands.add("info", _info, "versions, device, back ends and counts", needs="any")


def _info(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    facts = {**studio.info(), "workspace": str(options.workspace)}
    output.result(facts, _lines(facts))


def _note(backend: Mapping[str, Any]) -> str:
    here = f"; here: {backend['engine']}" if backend.get("engine") else ""
    return f"{backend.get('note') or ''}{here}"


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    yield f"workspace  {facts['workspace']}"
    yield f"device     {facts['device']}"
    yield "versions   " + ", ".join(f"{name} {version}" for name, version in facts["versions"].items() if version)
    yield "counts     " + ", ".join(f"{count} {name}" for name, count in facts["counts"].items())
    for role, backends in facts["backends"].items():
        if backends:
            yield f"{role}:"
            rows = [(f"  {each['name']}", str(each["status"]), _note(each)) for each in backends]
            yield from table(rows)
