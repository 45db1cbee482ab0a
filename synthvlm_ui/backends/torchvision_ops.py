"""The room's own name for ``models.torchvision_ops``. Knows nothing else."""

from synthvlm_ui.models.torchvision_ops import ensure_importable

__all__ = ["ensure_importable"]
