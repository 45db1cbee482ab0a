"""The documents say what is there: commands that parse, files that exist, packages that are declared, one version."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import synthvlm_ui
from synthvlm_ui.cli import build_parser
from synthvlm_ui.cli.parser import PROGRAM

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
MAX_ARCHITECTURE_LINES = 120
# Packages whose name on the index is not the name that is imported.
DISTRIBUTIONS = {"PIL": "pillow", "cv2": "opencv-python-headless", "open_clip": "open_clip_torch",
                 "skimage": "scikit-image", "sklearn": "scikit-learn"}
# Needed only by whoever makes a shipped asset anew; the module that imports it says so.
TO_REMAKE_ASSETS = {"resvg-py"}
# Needed only by tests/fuzz/guided.py, which is run by hand and has wheels for Linux alone.
TO_FUZZ = {"atheris"}
# The executor for many machines, which the app asks for by name, and what lends a card on ZeroGPU, where it always is.
OPTIONAL = {"ray", "spaces"}


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def documented_lines() -> list[str]:
    """Every line of a fenced block, in any document, that runs the command line."""
    fences = [fence for name in DOCUMENTS for fence in re.findall(r"```\w*\n(.*?)```", text_of(name), re.DOTALL)]
    lines = [line.strip() for fence in fences for line in fence.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith(PROGRAM)]


def commands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> list[str]:
    """The commands of the grammar, as in "jobs stop"."""
    found: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                found += commands(child, (*words, name))
    return found or [" ".join(words)]


def test_documented_commands_are_there_to_be_checked() -> None:
    assert len(documented_lines()) >= 5


@pytest.mark.parametrize("line", documented_lines())
def test_a_documented_command_parses(line: str) -> None:
    words = shlex.split(line, comments=True)[len(PROGRAM.split()):]
    words = words[:words.index("|")] if "|" in words else words
    build_parser().parse_args(words)


@pytest.mark.parametrize("command", commands(build_parser()))
def test_every_command_is_documented_and_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(rf"^\|.*`{command}\b", text_of("README.md"), re.MULTILINE), f"README.md's table lacks {command}"
    with pytest.raises(SystemExit) as stopped:
        build_parser().parse_args([*command.split(), "--help"])
    assert stopped.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_every_option_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text_of("README.md")))
    known = {option for command in commands(build_parser()) for option in options_of(command)}
    of_the_app = {"--allowed-host", "--auth", "--root-path", "--read-only", "--host", "--port", "--demo", "--visitors",
                  "--visitor-limits"}
    others = of_the_app | {"--quiet", "--head", "--address"}  # pip's and Ray's
    assert named - others <= known


def options_of(command: str) -> set[str]:
    parser: argparse.ArgumentParser = build_parser()
    for word in command.split():
        parser = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction)).choices[word]
    return {option for action in parser._actions for option in action.option_strings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files(document: str) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)\)|src=\"([^\"]+)\"", text_of(document))
    local = [target for pair in targets for target in pair if target and "://" not in target]
    assert [target for target in local if not (ROOT / target).exists()] == []


def tree_paths(document: str) -> list[str]:
    """The paths of the drawn tree that follows ``<!-- tree -->``: two spaces of indentation for each level."""
    drawn = re.search(r"<!-- tree -->\n```\w*\n(.*?)```", text_of(document), re.DOTALL)
    assert drawn, f"{document} draws no tree"
    parents: list[str] = []
    paths: list[str] = []
    for line in drawn[1].splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        parents[depth:] = [name.rstrip("/")]
        paths.append("/".join(parents))
    return paths


def test_the_drawn_tree_is_the_tree() -> None:
    drawn = tree_paths("ARCHITECTURE.md")
    assert [path for path in drawn if not (ROOT / path).exists()] == []
    rooms = {f"synthvlm_ui/{path.parent.name}" for path in (ROOT / "synthvlm_ui").glob("*/__init__.py")}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "synthvlm_ui").glob("[!_]*.py")}
    assert (rooms | modules) - set(drawn) == set()
    assert tracked_at_the_top() - set(drawn) == set()


def tracked_at_the_top() -> set[str]:
    listed = subprocess.run(["git", "ls-tree", "--name-only", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return set(listed.stdout.split())


def test_the_architecture_fits_on_a_page() -> None:
    assert len(text_of("ARCHITECTURE.md").splitlines()) <= MAX_ARCHITECTURE_LINES


def test_the_changelog_knows_this_version() -> None:
    assert f"## [{synthvlm_ui.__version__}]" in text_of("CHANGELOG.md")


def test_every_imported_package_is_declared() -> None:
    """In requirements.txt what the app imports; in either file what the tests import."""
    app = declared("requirements.txt")
    assert imported([ROOT / "app.py", *(ROOT / "synthvlm_ui").rglob("*.py")]) - app == TO_REMAKE_ASSETS | OPTIONAL
    assert imported((ROOT / "tests").rglob("*.py")) - app - declared("tests/requirements.txt") == TO_FUZZ


def declared(name: str) -> set[str]:
    lines = [line.split("#")[0].strip() for line in text_of(name).splitlines()]
    return {normal(re.split(r"[<>=!~\[; ]", line)[0]) for line in lines if line}


def imported(paths: object) -> set[str]:
    modules: set[str] = set()
    for path in paths:  # type: ignore[attr-defined]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add((node.module or "").split(".")[0])
    ours = {"synthvlm_ui", "tests", "__future__"} | {path.stem for path in (ROOT / "tests").rglob("*.py")}
    return {normal(DISTRIBUTIONS.get(name, name)) for name in modules - set(sys.stdlib_module_names) - ours}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_ci_script_runs_the_readmes_test_command() -> None:
    """It takes the line from README.md; here the same rule finds it and what it must do."""
    found = re.search(r"<!-- test-command -->\n```bash\n([^\n]+)\n```", text_of("README.md"))
    assert found
    assert {"requirements.txt", "tests/requirements.txt", "pytest"} <= set(found[1].split())
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    extracted = re.search(r"test_command=\"\$\((.*)\)\"", script)
    assert extracted
    printed = subprocess.run(["bash", "-c", extracted[1]], cwd=ROOT, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == found[1]


def test_the_front_matter_makes_the_repository_a_space() -> None:
    """What a Space reads: the same Gradio that requirements.txt allows, a file to run that is there."""
    front = text_of("README.md").split("---\n")[1]
    said = dict(line.split(": ", 1) for line in front.strip().splitlines())
    assert (said["sdk"], said["app_file"]) == ("gradio", "app.py") and (ROOT / said["app_file"]).is_file()
    (allowed,) = re.findall(r"^gradio\[oauth\]>=(\d+)\.(\d+),<(\d+)", text_of("requirements.txt"), re.MULTILINE)
    major, minor = (int(part) for part in said["sdk_version"].split(".")[:2])
    assert (int(allowed[0]), int(allowed[1])) <= (major, minor) < (int(allowed[2]), 0)
    assert (said["hf_oauth"], said["hf_oauth_scopes"]) == ("true", "[contribute-repos]"), "no right more than needed"
    assert len(said["short_description"]) <= 60 and said["colorFrom"] and said["emoji"]
