"""Imports gradio without the work it does only for its own development.

Gradio writes a ``.pyi`` file beside every component class while it is imported (about 45 % of the import time, and it
needs a writable installation). The hook below turns exactly that off; when the private name it relies on is gone,
gradio is imported as it is. Knows nothing of the app.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import ModuleType

_MODULE = "gradio.component_meta"
_FUNCTION = "create_or_modify_pyi"


class _WithoutStubs(importlib.abc.MetaPathFinder):
    """Finds one module as usual and replaces one function of it after it has run."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
                  ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_replace(module: ModuleType) -> None:
            execute(module)
            if hasattr(module, _FUNCTION):
                setattr(module, _FUNCTION, lambda *_arguments, **_options: None)

        spec.loader.exec_module = execute_and_replace  # type: ignore[method-assign]
        return spec


def import_gradio() -> ModuleType:
    """The gradio module, with telemetry off and no stub files written."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if "gradio" in sys.modules:
        return sys.modules["gradio"]
    hook = _WithoutStubs()
    sys.meta_path.insert(0, hook)
    try:
        return importlib.import_module("gradio")
    finally:
        sys.meta_path.remove(hook)
