"""``python -m synthvlm_ui``: the command line."""

from __future__ import annotations

import sys

from synthvlm_ui.cli import main

if __name__ == "__main__":
    sys.exit(main())
