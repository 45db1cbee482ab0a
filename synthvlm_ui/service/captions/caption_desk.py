"""Captions in: from files, from typed lines, from the sample; and looking at what is there.

Joins the captions room (which reads) to the store (which keeps). Nothing is stored unless the whole import is sound.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from synthvlm_ui.captions import ReadCaptions, read_captions, unknown_words
from synthvlm_ui.config import MINIATURE, SAMPLE
from synthvlm_ui.errors import EmptyInput
from synthvlm_ui.records import Caption
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.store import Workspace

SAMPLE_DATASET = "sample"
OnDuplicate = Literal["skip", "replace", "error"]
PREVIEW_ROWS = 20
_SHOWN_REJECTIONS = 50
_WATCH_EVERY = 500


class CaptionDesk:
    """``studio.captions``."""

    def __init__(self, workspace: Workspace, candidates_per_caption: Callable[[str], Counter[str]]) -> None:
        self._workspace = workspace
        self._candidates_per_caption = candidates_per_caption

    def import_file(self, path: Path | str, dataset: str, *, mapping: Mapping[str, str] | None = None,
                    on_duplicate: OnDuplicate = "skip", limit: int | None = None,
                    watch: Callable[[int], None] | None = None) -> dict[str, Any]:
        """Reads a caption file, a folder or a data set of the Hub into a dataset.

        ``watch`` hears now and then how many captions were read, and may raise: then nothing is stored.
        Raises: UnreadableFile, EmptyInput, DuplicateId, BadSetting.
        """
        read = read_captions(Path(path), mapping=mapping or {}, limit=limit)
        return self._store(read, dataset, on_duplicate, str(path), watch)

    def preview(self, path: Path | str, mapping: Mapping[str, str] | None = None,
                rows: int = PREVIEW_ROWS) -> dict[str, Any]:
        """How a file or folder would be read, on its first captions; stores nothing. Raises: as ``import_file``."""
        read = read_captions(Path(path), mapping=mapping or {}, limit=rows)
        captions = [{"id": each.id, "caption": each.caption, "image": each.image, "meta": dict(each.meta)}
                    for each in read]
        return {"format": read.format, "encoding": read.encoding, "names": list(read.names),
                "columns": read.columns.to_json() if read.columns else {}, "rows": captions,
                "rejected": read.rejected_count, "reasons": dict(read.reasons), "rejected_rows": _rejected_rows(read),
                "notes": list(read.notes)}

    def import_texts(self, text: str, dataset: str, on_duplicate: OnDuplicate = "skip") -> dict[str, Any]:
        """Every non-empty line is a caption. Raises: EmptyInput, DuplicateId, BadSetting."""
        with typed_file(text) as path:
            return self._store(read_captions(path), dataset, on_duplicate, "typed")

    def load_sample(self) -> dict[str, Any]:
        """The captions that ship with the program, as dataset "sample"."""
        return self.import_file(SAMPLE / "captions.jsonl", SAMPLE_DATASET)

    def datasets(self) -> list[str]:
        return self._workspace.captions.datasets()

    def page(self, dataset: str, offset: int = 0, limit: int = 50) -> dict[str, Any]:
        """Rows of a dataset in their first order, with how many candidates each caption has."""
        captions = self._workspace.captions.load(dataset)
        made = self._candidates_per_caption(dataset)
        rows = [{"id": c.id, "caption": c.caption, "candidates": made[c.id]} for c in captions[offset:offset + limit]]
        return {"total": len(captions), "rows": rows}

    def unknown_words(self, text: str) -> dict[str, Any]:
        """Which words the small world has never seen, and captions it can draw."""
        vocabulary = small_world_vocabulary()
        found = unknown_words(text, vocabulary["words"]) if vocabulary["words"] else []
        return {"unknown": [list(place) for place in found], "examples": vocabulary["examples"]}

    def command(self, path: str, dataset: str, on_duplicate: OnDuplicate = "skip",
                mapping: Mapping[str, str] | None = None) -> str:
        words = ["captions", "import", path or "FILE", "--dataset", dataset]
        if mapping:
            words += ["--map", ",".join(f"{role}={column}" for role, column in mapping.items())]
        if on_duplicate != "skip":
            words += ["--on-duplicate", on_duplicate]
        return command_line(self._workspace.root, words)

    def _store(self, read: ReadCaptions, dataset: str, on_duplicate: OnDuplicate, source: str,
               watch: Callable[[int], None] | None = None) -> dict[str, Any]:
        captions = read if watch is None else _watched(read, watch)
        added = self._workspace.captions.add(dataset, captions, on_duplicate=on_duplicate, source=source)
        if read.at_limit:
            read.notes.append(f"stopped at {read.read:,} captions; --limit N takes more")
        reasons = Counter(read.reasons)
        if added.duplicates:
            reasons["duplicate"] += added.duplicates
        return {"dataset": dataset, "imported": added.imported, "replaced": added.replaced,
                "rejected": read.rejected_count + added.duplicates, "reasons": dict(reasons),
                "rejected_rows": _rejected_rows(read), "notes": list(read.notes), "source": read.path.name}


def _watched(read: ReadCaptions, watch: Callable[[int], None]) -> Iterator[Caption]:
    for number, caption in enumerate(read, 1):
        if number % _WATCH_EVERY == 0:
            watch(number)
        yield caption


def _rejected_rows(read: ReadCaptions) -> list[dict[str, Any]]:
    return [{"line": row.line, "reason": row.reason, "excerpt": row.text_excerpt, "file": row.file}
            for row in read.rejected[:_SHOWN_REJECTIONS]]


@lru_cache(maxsize=1)
def small_world_vocabulary() -> dict[str, list[str]]:
    """{"words": [...], "examples": [...]} of the embedded models, empty when they are not installed."""
    try:
        content = json.loads((MINIATURE / "vocabulary.json").read_text(encoding="utf-8"))
    except OSError:
        return {"words": [], "examples": []}
    return {"words": list(content["words"]), "examples": list(content["examples"])}


def prompt_caption(workspace: Workspace, prompt: str, dataset: str) -> str:
    """Stores a typed prompt as a caption and returns its id. Raises: EmptyInput, CaptionTooLong."""
    if not prompt.strip():
        raise EmptyInput("the prompt is empty", where="--prompt", fix="Type what the picture should show.")
    with typed_file(" ".join(prompt.split())) as path:
        captions = list(read_captions(path))
    workspace.captions.add(dataset, captions, on_duplicate="skip", source="prompt")
    return captions[0].id


@contextmanager
def typed_file(text: str) -> Iterator[Path]:
    """Typed lines as a text file, so that they pass the same checks as imported ones."""
    with tempfile.TemporaryDirectory(prefix="synthvlm-") as directory:
        path = Path(directory) / "typed.txt"
        path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="\n")
        yield path
