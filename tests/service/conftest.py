"""Lets tests of the service use the small workspace that the page's tests are made on."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "ui"), str(Path(__file__).resolve().parent)]
