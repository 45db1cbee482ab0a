"""Imports gradio without the work it does only for its own development.

While it is imported, gradio writes a ``.pyi`` file beside every component class (which needs a writable installation)
and renders a docstring for every event of every component. Together that is more than half of the import time. The hook
below turns exactly these two off; where their private names are gone, gradio is imported as it is.
Knows nothing of the app.
"""

from __future__ import annotations

import gc
import importlib
import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_SILENCED = {
    "gradio.component_meta": ("", "create_or_modify_pyi"),
    "gradio.events": ("EventListener", "set_doc"),
}


class _WithoutDocuments(importlib.abc.MetaPathFinder):
    """Finds two modules as usual and silences one function of each after they have run."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
                  ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in _SILENCED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_silence(module: ModuleType) -> None:
            execute(module)
            owner, function = _SILENCED[fullname]
            holder: Any = getattr(module, owner, None) if owner else module
            if hasattr(holder, function):
                setattr(holder, function, lambda *_arguments, **_options: None)

        spec.loader.exec_module = execute_and_silence  # type: ignore[method-assign]
        return spec


def import_gradio() -> ModuleType:
    """The gradio module, with telemetry off and no stub files written."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if "gradio" in sys.modules:
        return sys.modules["gradio"]
    hook, collecting = _WithoutDocuments(), gc.isenabled()
    sys.meta_path.insert(0, hook)
    gc.disable()  # a thousand modules are made and none is garbage
    try:
        return importlib.import_module("gradio")
    finally:
        sys.meta_path.remove(hook)
        if collecting:
            gc.enable()
