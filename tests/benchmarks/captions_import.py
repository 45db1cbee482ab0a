"""How long the import of a million-line jsonl takes: ``python tests/benchmarks/captions_import.py [ROWS]``.

Ids come from the text, as for most files; a fiftieth of the lines are rejected for one reason or another. Reading is
timed alone too, since the rest is storing.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from synthvlm_ui.captions import read_captions
from synthvlm_ui.service import Studio

TARGET_S = 30.0
WORDS = "a red cat on the left of a small wooden house beside two trees under an evening sky with birds".split()


def write_lines(path: Path, rows: int) -> None:
    """Captions of 12 to 18 words, all different."""
    with path.open("w", encoding="utf-8") as file:
        for row in range(rows):
            text = " ".join(WORDS[(row * 7 + place * (row % 5 + 1)) % len(WORDS)] for place in range(12 + row % 7))
            line = {"caption": f"{text} number {row}", "url": f"https://example.org/{row}.jpg", "width": 640}
            if row % 100 == 50:
                line["caption"] = ""
            file.write("{broken\n" if row % 100 == 99 else json.dumps(line, ensure_ascii=False) + "\n")


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "captions.jsonl"
        write_lines(path, rows)
        start = time.perf_counter()
        read = sum(1 for _ in read_captions(path))
        reading_s = time.perf_counter() - start
        studio = Studio.open(Path(folder) / "workspace")
        start, cpu = time.perf_counter(), time.process_time()
        outcome = studio.captions.import_file(path, "million")
        seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu
        studio.close()
    assert outcome["imported"] == read == rows - outcome["rejected"]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{rows:,} lines: imported {outcome['imported']:,}, rejected {outcome['rejected']:,} in {seconds:.1f} s "
          f"({cpu_s:.1f} CPU seconds, {rows / seconds:,.0f} lines/s; reading alone {reading_s:.1f} s), "
          f"peak {peak_mb:.0f} MB, load {os.getloadavg()[0]:.1f}")
    if rows >= 1_000_000:
        print(f"target {TARGET_S:.0f} s: {'met' if seconds < TARGET_S else 'MISSED'}")


if __name__ == "__main__":
    main()
