"""New workspaces for command lines; their workers end with the module."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from command_line import CommandLine


@pytest.fixture(scope="module")
def open_command_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], CommandLine]]:
    made: list[CommandLine] = []

    def make(name: str) -> CommandLine:
        made.append(CommandLine(tmp_path_factory.mktemp(name) / "workspace"))
        return made[-1]

    yield make
    for line in made:
        line.end_workers()
