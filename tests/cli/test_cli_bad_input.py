"""Bad input: one clear line, exit code 2, and a workspace that is the same file for file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import CommandLine, Ran

CAPTIONS = ("a yellow duck", "two green frogs")


@pytest.fixture(scope="module")
def line(open_command_line: Callable[[str], CommandLine]) -> CommandLine:
    """A workspace with captions and no candidates."""
    line = open_command_line("bad-input")
    source = line.workspace.parent / "captions.txt"
    source.write_text("\n".join(CAPTIONS), encoding="utf-8")
    assert line.answer("captions", "import", source, "--dataset", "toys")["imported"] == len(CAPTIONS)
    files_of_input(line.workspace.parent)
    return line


def files_of_input(folder: Path) -> None:
    """Every bad file that the cases below name."""
    twice = [{"id": "same", "caption": "a castle"}, {"id": "same", "caption": "a house"}]
    known = [{"id": "first", "caption": "a castle"}]
    contents = {
        "empty.txt": b"",
        "blank.txt": b"\n  \n\n",
        "binary.txt": bytes(range(256)) * 16,
        "broken.json": b'[{"caption": "a cat"',
        "broken.parquet": b"PAR1 and then nothing of the kind",
        "no-caption-column.csv": b"name,size\na,1\n",
        "unknown.docx": b"PK\x03\x04",
        "long.txt": b"a " * 5000,
        "twice.json": json.dumps(twice).encode(),
        "known.json": json.dumps(known).encode(),
        "empty-ids.txt": b"\n",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "not-a-model").mkdir()


CASES = {
    "missing file": (("captions", "import", "nowhere.txt", "--dataset", "d"), "nowhere.txt"),
    "a folder": (("captions", "import", "not-a-model", "--dataset", "d"), "not-a-model"),
    "empty file": (("captions", "import", "empty.txt", "--dataset", "d"), "empty.txt"),
    "blank lines": (("captions", "import", "blank.txt", "--dataset", "d"), "blank.txt"),
    "binary file": (("captions", "import", "binary.txt", "--dataset", "d"), "binary.txt"),
    "broken json": (("captions", "import", "broken.json", "--dataset", "d"), "broken.json"),
    "broken parquet": (("captions", "import", "broken.parquet", "--dataset", "d"), "broken.parquet"),
    "no caption column": (("captions", "import", "no-caption-column.csv", "--dataset", "d"), "caption"),
    "unknown type": (("captions", "import", "unknown.docx", "--dataset", "d"), "unknown.docx"),
    "only a caption of 10,000 characters": (("captions", "import", "long.txt", "--dataset", "d"), "long.txt"),
    "an id twice": (("captions", "import", "twice.json", "--dataset", "toys", "--on-duplicate", "error"), "same"),
    "dataset name that is a path": (("captions", "import", "known.json", "--dataset", "../out"), "../out"),
    "prompt of 10,000 characters": (("generate", "--prompt", "a " * 5000), "10000"),
    "empty prompt": (("generate", "--prompt", "  "), "empty"),
    "unknown generator": (("generate", "--dataset", "toys", "--generator", "sdxxl"), "sdxxl"),
    "folder without a model": (("generate", "--dataset", "toys", "--generator", "./not-a-model"), "not-a-model"),
    "width not a multiple": (("generate", "--prompt", "a", "--generator", "sdxl", "--width", 1001), "multiple of 8"),
    "size of another generator": (("generate", "--dataset", "toys", "--width", 65), "width"),
    "unknown dataset": (("generate", "--dataset", "toyz"), "Known: toys"),
    "unknown scorer": (("generate", "--dataset", "toys", "--scorers", "clip,beauty"), "beauty"),
    "unknown clip model": (("generate", "--dataset", "toys", "--clip-model", "nothing"), "nothing"),
    "share that is none": (("generate", "--dataset", "toys", "--worker", "5/4"), "5/4"),
    "template without caption": (("generate", "--dataset", "toys", "--prompt-template", "a photo"), "caption"),
    "nothing to score": (("score", "--dataset", "toys"), "toys"),
    "select from an unknown dataset": (("select", "--dataset", "nope", "--name", "s"), "nope"),
    "unknown preset": (("select", "--dataset", "toys", "--name", "s", "--preset", "best"), "best"),
    "no condition": (("select", "--dataset", "toys", "--name", "s", "--where", "__import__('os')"), "where"),
    "unknown candidate": (("verdict", "set", "keep", "--ids", "0123456789abcdef"), "0123456789abcdef"),
    "file without ids": (("verdict", "set", "keep", "--ids-file", "empty-ids.txt"), "empty-ids.txt"),
    "missing file of ids": (("verdict", "set", "keep", "--ids-file", "nowhere.txt"), "nowhere.txt"),
    "verdict on an unknown selection": (("verdict", "set", "keep", "--selection", "nope"), "nope"),
    "unknown format": (("export", "--selection", "s", "--format", "llavva"), "llava"),
    "export of an unknown selection": (("export", "--selection", "nope", "--format", "llava", "--out", "o"), "nope"),
    "nothing to validate": (("validate", "nowhere", "--format", "llava"), "nowhere"),
    "unknown job": (("jobs", "show", "nope"), "nope"),
    "stop an unknown job": (("jobs", "stop", "nope"), "nope"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_line_and_changes_nothing(case: str, line: CommandLine) -> None:
    words, said = CASES[case]
    before = line.files()
    check_refusal(line.run_here(*words), said)
    assert line.files() == before


def test_without_a_network_a_hub_id_is_refused(line: CommandLine) -> None:
    before = line.files()
    check_refusal(line.run("generate", "--dataset", "toys", "--generator", "someone/some-model"), "someone/some-model")
    assert line.files() == before


def check_refusal(ran: Ran, said: str) -> None:
    assert ran.code == 2, ran.stderr
    (message,) = ran.stderr.splitlines()
    assert message.startswith("error: ")
    assert said in message
    assert message.endswith(".")
    error = ran.answer["error"]
    assert error["what"]
    assert error["kind"] not in ("Failure", "UserError", "SynthVLMError")


def test_a_long_caption_among_good_ones_is_counted_and_the_rest_is_read(
    open_command_line: Callable[[str], CommandLine]
) -> None:
    line = open_command_line("long-among-good")
    source = line.workspace.parent / "mixed.jsonl"
    captions = ["a yellow duck", "a " * 5000, "", "two green frogs"]
    source.write_text("\n".join(json.dumps({"caption": caption}) for caption in captions), encoding="utf-8")
    imported = line.answer("captions", "import", source, "--dataset", "mixed")
    assert (imported["imported"], imported["rejected"]) == (2, 2)
    assert {row["line"] for row in imported["rejected_rows"]} == {2, 3}


def test_a_file_in_place_of_a_workspace_is_refused(tmp_path: Path) -> None:
    line = CommandLine(tmp_path / "workspace")
    line.workspace.write_text("not a folder", encoding="utf-8")
    ran = line.run("info")
    assert ran.code == 2
    assert ran.answer["error"]["kind"] == "WorkspaceError"
    assert line.workspace.read_text(encoding="utf-8") == "not a folder"


def test_a_folder_with_other_things_is_not_taken_for_a_workspace(tmp_path: Path) -> None:
    line = CommandLine(tmp_path / "workspace")
    line.workspace.mkdir()
    (line.workspace / "thesis.tex").write_text("precious", encoding="utf-8")
    ran = line.run("generate", "--prompt", "a duck")
    assert ran.code == 2
    assert [path.name for path in line.workspace.iterdir()] == ["thesis.tex"]
