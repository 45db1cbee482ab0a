"""Settings of a process: defaults, then environment variables, then command-line options.

Knows no room and opens nothing. Generation and selection settings are records, since they are stored with the data.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from synthvlm_ui.errors import BadSetting

REPOSITORY = Path(__file__).resolve().parent.parent
ASSETS = REPOSITORY / "assets"
MINIATURE = ASSETS / "miniature"
SAMPLE = ASSETS / "sample"

DEFAULT_GENERATOR = "miniature"
DEFAULT_SCORERS = ("clip", "ssim", "guards")
MAX_CAPTION_CHARACTERS = 4000
MIN_FREE_BYTES = 500 * 2**20
WORKER_IDLE_S = 300.0
CHUNK_TARGET_S = 20.0


def environment(name: str, default: str) -> str:
    """The value of SYNTHVLM_<NAME>, or the default when it is unset or empty."""
    return os.environ.get(f"SYNTHVLM_{name}") or default


def default_workspace() -> Path:
    """SYNTHVLM_WORKSPACE, or the folder ``workspace`` in the current directory."""
    return Path(environment("WORKSPACE", "workspace")).expanduser()


@dataclass(frozen=True)
class AppSettings:
    """How the browser app is served. Only loopback by default; ``allowed_hosts`` are the names it answers to."""

    workspace: Path = field(default_factory=default_workspace)
    host: str = "127.0.0.1"
    port: int = 7860
    allowed_hosts: tuple[str, ...] = ()
    read_only: bool = False
    demo: bool = False
    actor: str = "local"
    auth: Path | None = None
    root_path: str = ""
    visitors: bool = False
    visitor_limits: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise BadSetting(f"port {self.port} is not a port", where="--port", fix="Give a number from 0 to 65535.")
        if self.visitors and (self.auth is not None or self.read_only):
            raise BadSetting("visitors get a copy of their own: there is nobody to log in and nothing to be read only",
                             where="--visitors", fix="Give --visitors on, or --auth or --read-only.")
