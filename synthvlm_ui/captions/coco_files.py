"""Rows of COCO caption files, as published (images and annotations) and as split by Karpathy (sentences per image).

Every reference is a caption of its own, with the annotation's id; references of one image share its name, and the
image's id and split stand beside them. Opens no image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from synthvlm_ui.captions.json_documents import elements
from synthvlm_ui.captions.rows import Columns, Rejected, excerpt
from synthvlm_ui.captions.source import Row, Source
from synthvlm_ui.errors import BadSetting


def is_coco(text: str, starts: Mapping[str, int]) -> bool:
    """Whether an object with these parts is a COCO file."""
    at = starts.get("images")
    if at is None or text[at : at + 1] != "[":
        return False
    return "annotations" in starts or '"sentences"' in text[at : at + 100_000]


def read_coco(source: Source, text: str, starts: Mapping[str, int]) -> Iterator[Row | Rejected]:
    """One row a reference, in the order of the file. Raises: BadSetting for a mapping, since COCO has fixed fields."""
    if source.mapping:
        raise BadSetting("a COCO file has fixed fields", where="--map", fix="Leave --map out.")
    source.columns = Columns("caption", "id", "image")
    if "annotations" in starts:
        source.notes.append("read as COCO captions: a caption a reference, images by their file names")
        yield from _annotations(source, text, starts)
    else:
        source.notes.append("read as COCO with the Karpathy split, which is kept as the fact \"split\"")
        yield from _sentences(source, text, starts)


def _annotations(source: Source, text: str, starts: Mapping[str, int]) -> Iterator[Row | Rejected]:
    files = {image["id"]: image.get("file_name") for _, image in elements(source, text, starts["images"])
             if isinstance(image, dict) and isinstance(image.get("id"), int | str)}
    for line, value in elements(source, text, starts["annotations"]):
        if not isinstance(value, dict) or "caption" not in value:
            yield Rejected(line, "no field 'caption'", excerpt(value))
            continue
        image_id = value.get("image_id")
        known = isinstance(image_id, int | str) and image_id in files
        given = value.get("id")
        yield (line, value["caption"], f"coco-{given}" if isinstance(given, int | str) else None,
               files[image_id] if known else None, {"image_id": image_id} if known else None)


def _sentences(source: Source, text: str, starts: Mapping[str, int]) -> Iterator[Row | Rejected]:
    for line, image in elements(source, text, starts["images"]):
        sentences = image.get("sentences") if isinstance(image, dict) else None
        if not isinstance(sentences, list):
            yield Rejected(line, "no field 'sentences'", excerpt(image))
            continue
        name, facts = _file_of(image), _facts_of(image)
        for sentence in sentences:
            if not isinstance(sentence, dict) or "raw" not in sentence:
                yield Rejected(line, "a sentence without 'raw'", excerpt(sentence))
                continue
            given = sentence.get("sentid")
            yield line, sentence["raw"], f"coco-{given}" if isinstance(given, int | str) else None, name, facts


def _file_of(image: Mapping[str, Any]) -> str | None:
    name, folder = image.get("filename"), image.get("filepath")
    if not isinstance(name, str):
        return None
    return f"{folder}/{name}" if isinstance(folder, str) and folder else name


def _facts_of(image: Mapping[str, Any]) -> dict[str, Any]:
    facts = {"image_id": image.get("cocoid", image.get("imgid")), "split": image.get("split")}
    return {name: value for name, value in facts.items() if isinstance(value, int | str)}
