"""The process that finds near duplicates.

Called as ``python -m synthvlm_ui.service.curation.near_worker HASHES.npy BITS PLACE [LIKE]``. Prints the share that is
done, a line each, and saves the table at PLACE; LIKE is a table of nearly the same hashes. Leaves as soon as nobody
reads what it prints.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from synthvlm_ui.selection import HashTable
from synthvlm_ui.service.curation.near_tables import load_table, save_table

POLITENESS = 15


def main() -> int:
    """Finds and saves; returns the exit code."""
    os.nice(POLITENESS)
    given, bits, place, *like = sys.argv[1:]
    try:
        table = HashTable.of(np.load(given, allow_pickle=False), int(bits), load_table(Path(like[0])) if like else None,
                             lambda share: print(f"{share:.3f}", flush=True))
        save_table(Path(place), table)
    except BrokenPipeError:
        os._exit(1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
