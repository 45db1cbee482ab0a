"""Lets tests of the service use the small workspace of the page's tests and the tiny models of the engines'."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / room) for room in ("ui", "backends"))]
