"""Where real images are read from: a folder that the user named, a data set of the Hub, or a corpus of the small world.

Knows how a caption's ``image`` becomes bytes, and nothing of captions, shards or jobs. The names come from files that
somebody else wrote, so none may lead out of the folder.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Protocol

from synthvlm_ui.captions import hub_dataset
from synthvlm_ui.comparison import RefusedImage
from synthvlm_ui.comparison.real_images import MAX_FILE_BYTES
from synthvlm_ui.errors import BadSetting, UnknownName, UnreadableFile
from synthvlm_ui.service.real_images.hub_images import HubImages
from synthvlm_ui.service.real_images.real_archives import OpenArchive, open_archive, split_name

WORLD = "miniature:"
HUB = "hf:"
WORLDS = ("world-real", "world-skewed", "world-heldout")


class ImageSource(Protocol):
    """Gives the file behind the name that a caption has for its image. Raises: RefusedImage."""

    def read(self, name: str) -> bytes: ...


def is_hub(source: str) -> bool:
    """Whether this names a data set of the Hub, as ``hf:USER/NAME``."""
    return source.startswith(HUB)


def is_world(source: str) -> bool:
    """Whether this names a corpus of the small world, as ``miniature:world-heldout``."""
    return source.startswith(WORLD)


def check_source(source: str) -> None:
    """Raises: UnknownName for a corpus, UnreadableFile for a folder that is not there, BadSetting for a name on the
    Hub."""
    if is_hub(source):
        hub_dataset(source)
    elif is_world(source):
        if source.removeprefix(WORLD) not in WORLDS:
            raise UnknownName.of("corpus", source, [WORLD + name for name in WORLDS])
    elif not Path(source).is_dir():
        raise UnreadableFile("there is no such folder", where=source, fix="Give the folder that holds the images.")


def open_source(source: str) -> ImageSource:
    """The source of a job. Raises: as check_source."""
    check_source(source)
    if is_hub(source):
        dataset = hub_dataset(source)
        assert dataset is not None
        return HubImages(dataset)
    return WorldScenes(source) if is_world(source) else ImageFolder(Path(source))


class ImageFolder:
    """Files below one folder, by their path in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve(strict=True)
        self._archive: tuple[Path, OpenArchive] | None = None

    def read(self, name: str) -> bytes:
        """The file of that name, or what lies inside an archive of the folder (``a.tar/1.jpg``, ``a.parquet/7``).

        Raises: RefusedImage, also for a name or a link that leads out of the folder.
        """
        if "\0" in name or "://" in name:
            raise RefusedImage("not the name of a file")
        parts = split_name(name)
        path = self._find(name if parts is None else parts[0])
        if parts is not None:
            if self._archive is None or self._archive[0] != path:
                self._archive = path, open_archive(path)
            return self._archive[1].read(parts[1])
        try:
            with path.open("rb") as file:
                return file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise RefusedImage("a file that cannot be read") from error

    def _find(self, name: str) -> Path:
        try:
            # Resolved with every link on the way: where it ends is what counts.
            path = (self._folder / name.replace("\\", "/")).resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise RefusedImage("no such file in the image folder") from error
        if not path.is_relative_to(self._folder):
            raise RefusedImage("outside the image folder")
        if not path.is_file():
            raise RefusedImage("not a regular file")
        return path


class WorldScenes:
    """The reference scenes of a corpus of the small world, drawn when they are asked for; names are row numbers."""

    def __init__(self, source: str) -> None:
        from synthvlm_ui.miniature.corpora import CORPORA

        self._corpus = next(corpus for corpus in CORPORA if corpus.name == source.removeprefix(WORLD))

    def read(self, name: str) -> bytes:
        """A PNG of the scene. Raises: RefusedImage."""
        from PIL import Image

        try:
            pixels = self._corpus.row(int(name)).pixels()
        except (IndexError, ValueError) as error:
            raise RefusedImage("no such row in the corpus") from error
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return buffer.getvalue()

    def __len__(self) -> int:
        return self._corpus.size

    def caption(self, index: int) -> str:
        """What row ``index`` shows. Raises: BadSetting."""
        if not 0 <= index < len(self):
            raise BadSetting(f"{self._corpus.name} has no row {index}", fix=f"It has {len(self)} rows.")
        return self._corpus.row(index).caption
