"""lm-evaluation-harness as a process of its own, after making torchvision importable.

transformers imports torchvision with every model; beside some builds of torch that fails (``models.torchvision_ops``).
Knows none of the harness's arguments: they are passed on.
"""

from __future__ import annotations

import runpy

from synthvlm_ui.models.torchvision_ops import ensure_importable


def main() -> None:
    """Runs the harness in this process. Raises: ModuleNotFoundError when it is not installed."""
    ensure_importable()
    runpy.run_module("lm_eval", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
