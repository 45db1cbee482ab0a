"""Where everything in a workspace lies: every path is derived from its root. Opens no file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from synthvlm_ui.errors import WorkspaceError
from synthvlm_ui.store.files.names import checked_name

FORMAT_FILE = "workspace.json"
FOLDERS = ("captions", "curation", "shards", "thumbnails", "scores", "embeddings", "clusterings", "selections",
           "exports", "jobs", "snapshot", "temp")


@dataclass(frozen=True)
class WorkspacePaths:
    """Every path of the workspace at ``root``; ``read_only`` forbids writing through any store made from it."""

    root: Path
    read_only: bool = False

    @property
    def format_file(self) -> Path:
        return self.root / FORMAT_FILE

    @property
    def captions(self) -> Path:
        return self.root / "captions"

    @property
    def curation(self) -> Path:
        return self.root / "curation"

    @property
    def shards(self) -> Path:
        return self.root / "shards"

    @property
    def thumbnails(self) -> Path:
        return self.root / "thumbnails"

    @property
    def scores(self) -> Path:
        return self.root / "scores"

    @property
    def embeddings(self) -> Path:
        return self.root / "embeddings"

    @property
    def clusterings(self) -> Path:
        return self.root / "clusterings"

    @property
    def caption_embeddings(self) -> Path:
        return self.root / "caption_embeddings"

    @property
    def selections(self) -> Path:
        return self.root / "selections"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def findings(self) -> Path:
        return self.root / "findings"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def journal(self) -> Path:
        return self.root / "journal.sqlite"

    @property
    def news(self) -> Path:
        return self.root / "news.log"

    @property
    def snapshot(self) -> Path:
        return self.root / "snapshot"

    @property
    def embedding_tables(self) -> Path:
        """Where embeddings of all shards are put together, rebuilt when they are missing."""
        return self.root / "temp" / "embeddings"

    @property
    def temp(self) -> Path:
        return self.root / "temp"

    def caption_folder(self, dataset: str) -> Path:
        return self.captions / checked_name("dataset", dataset)

    def curation_folder(self, dataset: str) -> Path:
        return self.curation / checked_name("dataset", dataset)

    def shard(self, dataset: str, shard: str) -> Path:
        return self.shards / checked_name("dataset", dataset) / f"{checked_name('shard', shard)}.tar"

    def thumbnail_shard(self, dataset: str, shard: str) -> Path:
        return self.thumbnails / checked_name("dataset", dataset) / f"{checked_name('shard', shard)}.tar"

    def score_folder(self, dataset: str, shard: str) -> Path:
        return self.scores / checked_name("dataset", dataset) / checked_name("shard", shard)

    def embedding_folder(self, dataset: str, shard: str) -> Path:
        return self.embeddings / checked_name("dataset", dataset) / checked_name("shard", shard)

    def check_writable(self) -> None:
        """Raises: WorkspaceError when the workspace was opened read-only."""
        if self.read_only:
            raise WorkspaceError("the workspace is open read-only", where=str(self.root),
                                 fix="Open it without --read-only to change anything.")

    @staticmethod
    def folders_in(directory: Path) -> list[str]:
        """The names of the folders in ``directory``, sorted; none when it is not there."""
        try:
            with os.scandir(directory) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
        except FileNotFoundError:
            return []


def file_stamp(status: os.stat_result) -> int:
    """A number that changes when a file is replaced: from its modification time and size, never 0."""
    return (status.st_mtime_ns * 31 + status.st_size) % (2**62) + 1
