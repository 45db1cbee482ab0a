"""What the import rule cannot say: what an import costs, how large a file is, what names and contracts say."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "synthvlm_ui"
HEAVY = ("torch", "torchvision", "diffusers", "transformers", "open_clip", "gradio")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
MAX_PARAMETERS = 8
EMPTY_WORDS = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "misc", "stuff", "base", "types"})
DOORS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
SOURCES = sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "app.py", *PACKAGE.rglob("*.py")])


def loaded_after(statement: str, *names: str) -> set[str]:
    """Which of the named modules a fresh interpreter holds after one statement."""
    script = f"import sys\n{statement}\nprint(*[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("door", DOORS)
def test_a_door_opens_without_the_heavy_libraries(door: str) -> None:
    assert loaded_after(f"import synthvlm_ui.{door}", *HEAVY) == set()


def test_the_command_line_starts_without_tables_and_plots() -> None:
    parse = "import synthvlm_ui.cli; synthvlm_ui.cli.build_parser()"
    assert loaded_after(parse, *HEAVY, "pandas", "plotly", "sklearn", "skimage", "scipy") == set()


def test_the_studio_is_imported_without_tables_and_plots() -> None:
    studio = "from synthvlm_ui.service import Studio"
    assert loaded_after(studio, *HEAVY, "pandas", "plotly", "sklearn", "skimage", "scipy") == set()


def test_the_package_itself_imports_nothing() -> None:
    assert loaded_after("import synthvlm_ui", "numpy", "synthvlm_ui.records", *HEAVY) == set()


@pytest.mark.parametrize("source", SOURCES)
def test_files_functions_and_signatures_stay_small(source: str) -> None:
    text = (ROOT / source).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_FILE_LINES, f"{source} is too long"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            where = f"{source}:{node.lineno} {node.name}"
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, f"{where} is too long"
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            own = [each for each in arguments if each.arg not in ("self", "cls")]
            assert len(own) <= MAX_PARAMETERS, f"{where} has {len(own)} parameters"


@pytest.mark.parametrize("source", SOURCES)
def test_every_module_says_what_it_is(source: str) -> None:
    docstring = ast.get_docstring(ast.parse((ROOT / source).read_text(encoding="utf-8")))
    assert docstring, f"{source} has no docstring"


def test_names_of_files_say_something() -> None:
    paths = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    nameless = [path for path in paths if EMPTY_WORDS & set(path.stem.split("_"))]
    assert nameless == []


@pytest.mark.parametrize("door", DOORS)
def test_a_door_holds_no_logic(door: str) -> None:
    """Only a docstring, imports, __all__ and what a lazy door needs (``__getattr__``)."""
    tree = ast.parse((PACKAGE / door / "__init__.py").read_text(encoding="utf-8"))
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert classes == []
    assert functions <= {"__getattr__", "__dir__"}


def contracts() -> dict[str, dict[str, list[str]]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {each["name"]: each for each in settings["tool"]["importlinter"]["contracts"]}


@pytest.mark.parametrize(
    ("contract", "key", "exempt"),
    [
        ("ui and cli know the service, never a room", "forbidden_modules",
         {"ui", "cli", "visitors", "service"}),
        ("Only models, backends, training, evaluation, miniature and findings name the GPU stack", "source_modules",
         {"models", "backends", "training", "evaluation", "miniature", "findings"}),
        ("Only ui and app.py name Gradio", "source_modules", {"ui"}),
    ],
)
def test_every_room_on_disk_is_in_the_contracts(contract: str, key: str, exempt: set[str]) -> None:
    listed = {name.removeprefix("synthvlm_ui.") for name in contracts()[contract][key]}
    assert set(DOORS) - exempt <= listed
