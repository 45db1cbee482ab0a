"""Makes ``import torchvision`` work beside a torch build that cannot load torchvision's compiled operators.

A CPU build of torch beside the package index's default torchvision (built for CUDA) cannot load the shared library that
defines ``torchvision::nms``; torchvision then registers a shape function for an operator nobody declared and its import
fails. open_clip, diffusers and transformers import torchvision but never call that operator, so declaring its schema is
enough. Calling it still raises: an operator without a kernel says so itself.

Knows no model and no image.
"""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Any

_MISSING = "operator torchvision::nms does not exist"
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
# The schemas live as long as the Library object that declared them.
_declared: list[Any] = []
_lock = threading.Lock()


def ensure_importable() -> bool:
    """Imports torchvision, declaring its missing operators first if that is what the import fails on.

    Returns True when the operators had to be declared, False when torchvision imported as it is (or is not installed:
    then whoever needs it says so). Raises whatever else the import of torchvision raises.
    """
    with _lock:
        if _declared:
            return True
        try:
            importlib.import_module("torchvision")
        except ModuleNotFoundError as error:
            if error.name == "torchvision":
                return False
            raise
        except RuntimeError as error:
            if _MISSING not in str(error):
                raise
        else:
            return False
        _declare()
        importlib.import_module("torchvision")
        return True


def _declare() -> None:
    import torch

    # The failed import leaves half of the package behind, which a second import would take for whole.
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _declared.append(library)
