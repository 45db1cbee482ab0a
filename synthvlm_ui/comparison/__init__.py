"""Comparison: real against synthetic, pair by pair and set against set. It measures and never decides.

Knows arrays, pixels and file contents; where they lie, and who was asked, the service says.
"""

from synthvlm_ui.comparison.real_images import RealImage, RefusedImage, read_real_image

__all__ = ["RealImage", "RefusedImage", "read_real_image"]
