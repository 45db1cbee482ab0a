"""torchvision imports beside any build of torch, and a second call does nothing."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
from synthvlm_ui.models.torchvision_ops import ensure_importable
first = ensure_importable()
assert ensure_importable() is first
import torchvision.transforms
import torchvision.ops
assert torchvision.transforms.InterpolationMode.BICUBIC
print(first)
"""


def test_torchvision_imports_in_a_fresh_process() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("True", "False")


def test_other_failures_of_the_import_are_not_swallowed(tmp_path: Path) -> None:
    broken = "import sys\nsys.path.insert(0, sys.argv[1])\n" + SCRIPT
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('something else')\n")
    done = subprocess.run([sys.executable, "-c", broken, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "something else" in done.stderr
