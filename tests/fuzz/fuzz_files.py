"""Gives spoiled files to everything in the app that reads them and says how each went; a process of its own, so that a
crash of a library is seen and not shared.

    python tests/fuzz/fuzz_files.py FOLDER FIRST LAST

One JSON line a file on stdout before it is read (``begins``) and one after it (``said``). A file that takes longer than
LIMIT_S ends the process by an alarm.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from files_to_break import place, sound_files, sound_pictures, sound_tables, spoil  # noqa: E402

from synthvlm_ui.comparison import RefusedImage, read_real_image  # noqa: E402
from synthvlm_ui.errors import UserError  # noqa: E402
from synthvlm_ui.export import validate  # noqa: E402
from synthvlm_ui.service import Studio  # noqa: E402
from synthvlm_ui.service.diversity.diversity_sets import embeddings_of_files  # noqa: E402
from synthvlm_ui.service.real_images.real_sources import ImageFolder  # noqa: E402

LIMIT_S = 10
IMPORTED, REFUSED, WELL = "imported", "refused", "read"
VALIDATED = {"llava.json": "llava", "rows.jsonl": "jsonl", "rows.parquet": "parquet", "pairs.tar": "webdataset",
             "imagefolder/metadata.jsonl": "imagefolder"}


def main(folder: Path, first: int, last: int) -> None:
    files, pictures, tables = sound_files(), sound_pictures(), sound_tables()
    everything = list({**files, **pictures, **tables}.values())
    studio = Studio.open(folder / "workspace")
    with contextlib.suppress(UserError):
        studio.captions.import_texts("a caption that must stay", "kept")
    attempts: list[tuple[str, bytes, Callable[[int, Path], str]]] = [
        *((name, content, import_into(studio)) for name, content in files.items()),
        *((name, content, read_picture) for name, content in pictures.items()),
        *((name, content, read_table) for name, content in tables.items()),
        *((name, files[name], check_export(form)) for name, form in VALIDATED.items()),
    ]
    for number in range(first, last):
        rng = random.Random(number)
        name, content, attempt = attempts[number % len(attempts)]
        path = place(folder / "spoiled" / str(number), name, spoil(content, rng, everything))
        print(json.dumps({"begins": number, "name": name}), flush=True)
        signal.alarm(LIMIT_S)
        started = time.monotonic()
        try:
            said = attempt(number, path)
        except Exception as error:
            said = f"crash: {type(error).__name__}: {error}"[:300]
        signal.alarm(0)
        print(json.dumps({"number": number, "name": name, "said": said, "s": round(time.monotonic() - started, 3)}),
              flush=True)
    studio.close()


def import_into(studio: Studio) -> Callable[[int, Path], str]:
    """Everything that is imported reads back; what is refused leaves the workspace as it was."""
    def import_captions(number: int, path: Path) -> str:
        before = _state(studio.workspace.root)
        try:
            outcome = studio.captions.import_file(path, f"d{number}")
        except UserError as error:
            return _clear(error) if _state(studio.workspace.root) == before else "half-written"
        stored = studio.workspace.captions.load(f"d{number}")
        for caption in stored:
            caption.caption.encode("utf-8")
        return IMPORTED if outcome["imported"] == len(stored) else "counted wrong"

    return import_captions


def read_picture(number: int, path: Path) -> str:
    try:
        pixels = read_real_image(path.read_bytes()).pixels
    except RefusedImage:
        return REFUSED
    return WELL if pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == "uint8" else f"odd: {pixels.shape}"


def read_table(number: int, path: Path) -> str:
    if path.suffix == ".npy":
        try:
            embeddings_of_files([str(path)], ["a"])["a"][:].sum()
        except UserError as error:
            return _clear(error)
        return WELL
    try:
        for row in range(3):
            ImageFolder(path.parent).read(f"{path.name}/{row}")
    except RefusedImage:
        return REFUSED
    return WELL


def check_export(form: str) -> Callable[[int, Path], str]:
    def check(number: int, path: Path) -> str:
        try:
            validate(path, form)
        except UserError as error:
            return _clear(error)
        return WELL

    return check


def _state(root: Path) -> str:
    """A digest of what stands in the workspace, by name and size; an empty lock file is no state."""
    entries = sorted((path.relative_to(root).as_posix(), path.stat().st_size) for path in root.rglob("*")
                     if path.is_file() and path.suffix != ".lock")
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def _clear(error: UserError) -> str:
    text = str(error)
    clear = "\n" not in text and 10 < len(text) < 2000 and "Traceback" not in text
    return REFUSED if clear else f"unclear: {text[:200]!r}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
