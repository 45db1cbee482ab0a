"""What the name of a caption writer means: a table's entry, a Hub id, a directory, or a model on a server.

A name says everything but the key, so that a job can keep it. Knows no engine and asks no network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from synthvlm_ui.backends.model_files import cached_snapshot, looks_like_hub_id, probe_hub, reads_images
from synthvlm_ui.config import environment
from synthvlm_ui.errors import BadSetting, ModelUnavailable, UnknownName

WRITER_NAMES = ("miniature", "transformers", "openai")
DEFAULT_INSTRUCT_MODEL = "Qwen/Qwen2.5-1.5B-Instruct"
_SERVED = re.compile(r"openai:(?P<model>.+?)@(?P<url>[A-Za-z][A-Za-z0-9+.-]*:.*)")


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model behind an OpenAI-compatible server; ``url`` ends before /chat/completions."""

    model: str
    url: str

    @property
    def name(self) -> str:
        return f"openai:{self.model}@{self.url}"


def full_writer_name(name: str) -> str:
    """The name with everything that the environment adds to it: ``openai`` alone is the server that is set up there.

    SYNTHVLM_WRITER_URL (https://host/v1) and SYNTHVLM_WRITER_MODEL say which. Raises: BadSetting.
    """
    if name == "transformers":
        return DEFAULT_INSTRUCT_MODEL
    if name != "openai":
        return served_model(name).name if name.startswith("openai:") else name
    url, model = environment("WRITER_URL", ""), environment("WRITER_MODEL", "")
    if not url or not model:
        lacking = "SYNTHVLM_WRITER_URL" if not url else "SYNTHVLM_WRITER_MODEL"
        raise BadSetting(f"{lacking} is not set", where="--writer openai",
                         fix="Set it, or give --writer openai:MODEL@https://host/v1.")
    return served_model(f"openai:{model}@{url}").name


def served_model(name: str) -> ServedModel:
    """The parts of ``openai:MODEL@URL``. Raises: BadSetting for another scheme than http(s), or a URL with a login."""
    found = _SERVED.fullmatch(name.strip())
    if found is None:
        raise BadSetting(f"{name[:80]!r} names no model on a server", where="--writer",
                         fix="Write it as openai:MODEL@https://host/v1.")
    url = found["url"].rstrip("/").removesuffix("/chat/completions")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise BadSetting(f"{url[:80]!r} is not an http or https address", where="--writer",
                         fix="Give the server's address, such as http://127.0.0.1:11434/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise BadSetting("the server's address carries a login, a query or a fragment", where="--writer",
                         fix="Give the address alone; a key belongs into SYNTHVLM_WRITER_KEY_FILE.")
    return ServedModel(found["model"].strip(), url)


def key_for(url: str) -> str:
    """The key of the server that is set up in the environment, and "" for every other server.

    SYNTHVLM_WRITER_KEY_FILE holds it, or SYNTHVLM_WRITER_KEY is it; either is sent to SYNTHVLM_WRITER_URL only, so that
    naming another address never sends it there. Raises: BadSetting.
    """
    file, key = environment("WRITER_KEY_FILE", ""), environment("WRITER_KEY", "")
    if not (file or key) or origin_of(url) != origin_of(environment("WRITER_URL", "")):
        return ""
    if file:
        try:
            key = Path(file).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadSetting(f"the key cannot be read: {type(error).__name__}", where=file,
                             fix="Check SYNTHVLM_WRITER_KEY_FILE.") from error
    key = key.strip()
    if not key.isascii() or not key.isprintable():
        raise BadSetting("the key holds characters that no header can carry", where="SYNTHVLM_WRITER_KEY")
    return key


def origin_of(url: str) -> tuple[str, str, int | None]:
    """(scheme, host, port) of an address."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        return "", "", None


def require_sight(name: str) -> None:
    """Refuses a writer, by its full name, of which it is known that it reads no images. Raises: BadSetting.

    What a server's model can do, and one of the Hub that is not here yet, shows only when it is asked.
    """
    if name.startswith("openai:"):
        return
    directory = cached_snapshot(name, "config.json") if looks_like_hub_id(name) else Path(name).expanduser()
    if name == "miniature" or (directory is not None and not reads_images(directory)):
        raise BadSetting(f"the writer {name!r} reads no images", where="--writer",
                         fix="Name a vision-language model by Hub id or directory, or openai:MODEL@URL on a server.")


def require_local_writer(name: str) -> None:
    """Makes sure, within seconds, that a Hub id or directory can be had. Raises: UnknownName, ModelUnavailable."""
    if looks_like_hub_id(name):
        if cached_snapshot(name, "config.json") is None:
            probe_hub(name, "config.json")
        return
    directory = Path(name).expanduser()
    if not directory.is_dir():
        if directory.exists() or len(directory.parts) > 1:
            raise ModelUnavailable("no such model directory", where=name, fix="Give an existing directory or a Hub id.")
        error = UnknownName.of("caption writer", name, list(WRITER_NAMES))
        raise UnknownName(error.what, fix=f"{error.fix} Or give a Hub id (org/name), a directory or openai:MODEL@URL.")
    if not (directory / "config.json").is_file() or not any(directory.glob("*.safetensors")):
        raise ModelUnavailable("no language model (config.json with *.safetensors)", where=name,
                               fix="Give a directory that save_pretrained wrote.")
