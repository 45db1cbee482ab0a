"""A coverage-guided run of the readers with atheris (`pip install atheris`), for as long as one likes.

    python tests/fuzz/guided.py FORMAT [-max_total_time=SECONDS] [other options of libFuzzer]

FORMAT is a name of ``files_to_break.sound_files``. An exception that is no UserError ends the run and leaves the input
in the current directory.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

import atheris  # noqa: E402
from files_to_break import place, sound_files  # noqa: E402

with atheris.instrument_imports(include=["synthvlm_ui.captions", "csv", "json", "tarfile"]):
    from synthvlm_ui.captions import read_captions
from synthvlm_ui.errors import UserError  # noqa: E402


def main() -> None:
    name = sys.argv.pop(1)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        (corpus / "sound").write_bytes(sound_files()[name])

        def read(content: bytes) -> None:
            try:
                for caption in read_captions(place(Path(folder) / "read", name, content)):
                    caption.caption.encode("utf-8")
            except UserError:
                pass

        atheris.Setup([*sys.argv, str(corpus)], read)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
