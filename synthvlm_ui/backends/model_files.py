"""Where a model's files are: a local directory, the Hub's cache on this machine, or nowhere yet.

Looks before it loads: what is missing, pickled, gated or out of reach is said in one line within seconds and without
importing an engine. Knows no engine.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import ModelUnavailable

PIPELINE_INDEX = "model_index.json"
_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_SAMPLE_BYTES = 65_536
PROBE_TIMEOUT_S = 6.0


def looks_like_hub_id(name: str) -> bool:
    """Whether this can be a Hub id: "organisation/name", and not a directory of that name."""
    return bool(_HUB_ID.fullmatch(name)) and not Path(name).is_dir()


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file, or {} when the file is missing or holds anything else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def problem_of_pipeline(directory: Path) -> str:
    """Why this directory cannot be loaded as a diffusers pipeline with safetensors weights, or "" when it can."""
    index = read_json(directory / PIPELINE_INDEX)
    if not index:
        return f"{PIPELINE_INDEX} is missing or not readable"
    if not str(index.get("_class_name", "")):
        return f"{PIPELINE_INDEX} names no pipeline class"
    for part, entry in index.items():
        if part.startswith("_") or not isinstance(entry, list) or len(entry) != 2 or None in entry:
            continue
        folder = directory / part
        if not folder.is_dir():
            return f"the folder {part} is missing"
        problem = _problem_of_weights(folder) if (folder / "config.json").is_file() else ""
        if problem:
            return problem
    return ""


def _problem_of_weights(folder: Path) -> str:
    for index in folder.glob("*.safetensors.index*.json"):
        lacking = {name for name in read_json(index).get("weight_map", {}).values() if not (folder / name).is_file()}
        if lacking and not any(folder.glob("*.fp16*.safetensors")):
            return f"{folder.name} lacks {min(lacking)}"
    if any(folder.glob("*.safetensors")):
        return ""
    if any(next(folder.glob(pattern), None) for pattern in _PICKLED):
        return f"{folder.name} holds pickled weights only, which can run code when loaded; safetensors are required"
    return f"{folder.name} holds no *.safetensors"


def variant_of_pipeline(directory: Path) -> str | None:
    """"fp16" when some part of this pipeline has its weights in that variant only, else None."""
    for weights in directory.glob("*/*.safetensors"):
        if ".fp16" in weights.name and not any(
            ".fp16" not in other.name for other in weights.parent.glob("*.safetensors")
        ):
            return "fp16"
    return None


def cached_snapshot(hub_id: str, marker: str) -> Path | None:
    """The newest snapshot of a Hub model on this machine that holds the file ``marker``; never touches the network."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(hub_id, marker)
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def is_here(source: str) -> bool:
    """Whether a model of transformers can be read without the network: a directory, or a Hub id in the cache."""
    if looks_like_hub_id(source):
        return cached_snapshot(source, "config.json") is not None
    return (Path(source).expanduser() / "config.json").is_file()


def reads_images(directory: Path) -> bool:
    """Whether the config of a model of transformers says that it has a vision tower beside its language model."""
    return isinstance(read_json(directory / "config.json").get("vision_config"), dict)


def probe_hub(hub_id: str, marker: str, timeout_s: float = PROBE_TIMEOUT_S) -> None:
    """Asks the Hub whether this file of this model can be had. Raises: ModelUnavailable, within ``timeout_s``."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    if constants.HF_HUB_OFFLINE:
        raise ModelUnavailable(f"{hub_id} is not on this machine and HF_HUB_OFFLINE is set", where=_cache_place(),
                               fix="Unset HF_HUB_OFFLINE, or give a local directory.")
    problem = _within(timeout_s, lambda: get_hf_file_metadata(hf_hub_url(hub_id, marker), timeout=timeout_s))
    if problem is not None:
        raise unavailable(hub_id, marker, problem)


def download(hub_id: str, patterns: Sequence[str]) -> Path:
    """Fetches the files of a Hub model that match, into the Hub's cache. Raises: ModelUnavailable."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(patterns), etag_timeout=PROBE_TIMEOUT_S))
    except Exception as error:
        raise unavailable(hub_id, ", ".join(patterns), error) from error


def cached_file(hub_id: str, name: str) -> Path | None:
    """This file of a Hub model when it is on this machine; never touches the network."""
    snapshot = cached_snapshot(hub_id, name)
    return snapshot / name if snapshot is not None else None


def download_file(hub_id: str, name: str) -> Path:
    """Fetches one file of a Hub model. Raises: ModelUnavailable."""
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(hub_id, name, etag_timeout=PROBE_TIMEOUT_S))
    except Exception as error:
        raise unavailable(hub_id, name, error) from error


def require_weights(name: str, marker: str) -> None:
    """Makes sure, within seconds, that a local directory or a Hub model has the file ``marker``.

    Raises: ModelUnavailable.
    """
    directory = Path(name).expanduser()
    if looks_like_hub_id(name):
        if cached_snapshot(name, marker) is None:
            probe_hub(name, marker)
    elif not (directory / marker).is_file():
        raise ModelUnavailable(f"there is no {marker}", where=str(directory),
                               fix="Give the directory of a model, or its Hub id (org/name).")


def resolve_weights(name: str, patterns: Sequence[str]) -> Path:
    """The directory of a model: as named, or the Hub's snapshot, fetched if need be. Raises: ModelUnavailable."""
    return download(name, patterns) if looks_like_hub_id(name) else Path(name).expanduser()


def unavailable(hub_id: str, wanted: str, error: BaseException) -> ModelUnavailable:
    """The one clear line for whatever the Hub's client raised."""
    from huggingface_hub import errors as hub

    local = "or give a local directory"
    if isinstance(error, hub.GatedRepoError):
        return ModelUnavailable(f"{hub_id} is gated", where="Hugging Face Hub",
                                fix=f"Accept its terms on its page and set HF_TOKEN, {local}.")
    if isinstance(error, hub.RepositoryNotFoundError | hub.HFValidationError):
        return ModelUnavailable(f"there is no public model {hub_id}", where="Hugging Face Hub",
                                fix=f"Check the spelling; a private model needs HF_TOKEN; {local}.")
    if isinstance(error, hub.EntryNotFoundError) and not isinstance(error, hub.LocalEntryNotFoundError):
        return ModelUnavailable(f"{hub_id} has no {wanted}", where="Hugging Face Hub",
                                fix=f"Choose a model that has it, {local}.")
    reason = f"{type(error).__name__}: {error}".splitlines()[0][:160]
    return ModelUnavailable(f"{hub_id} is not on this machine and the Hub cannot be reached ({reason})",
                            where=_cache_place(), fix=f"Connect to the network, {local}.")


def _cache_place() -> str:
    from huggingface_hub import constants

    return f"looked in {constants.HF_HUB_CACHE}"


def _within(timeout_s: float, call: Callable[[], object]) -> BaseException | None:
    """What the call raised, TimeoutError when it did not return in time, None when all is well.

    A name server that does not answer blocks beyond any timeout of the client, hence the thread.
    """
    outcome: list[BaseException | None] = []

    def run() -> None:
        try:
            call()
        except Exception as error:
            outcome.append(error)
        else:
            outcome.append(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout_s)
    return outcome[0] if outcome else TimeoutError(f"no answer in {timeout_s:g} s")


def revision_of(directory: Path) -> str:
    """The Hub's commit when the directory is a snapshot of its cache, else a digest of the content (16 hex digits)."""
    resolved = directory.resolve()
    if resolved.parent.name == "snapshots" and _COMMIT.fullmatch(resolved.name):
        return resolved.name
    return content_digest(directory)


def content_digest(directory: Path) -> str:
    """16 hex digits over the names, sizes and (sampled) bytes of a model's json, txt and safetensors files.

    Of a large file the first, middle and last 64 KiB count: every header, and enough of the weights to tell two
    trainings apart without reading gigabytes.
    """
    total = hashlib.sha256()
    for path in sorted(directory.rglob("*")) if directory.is_dir() else [directory]:
        if path.suffix not in (".json", ".safetensors", ".txt", ".model") or not path.is_file():
            continue
        size = path.stat().st_size
        total.update(f"{path.relative_to(directory).as_posix()}\0{size}\0".encode())
        with path.open("rb") as file:
            for start in sorted({0, max(0, size // 2 - _SAMPLE_BYTES // 2), max(0, size - _SAMPLE_BYTES)}):
                file.seek(start)
                total.update(file.read(_SAMPLE_BYTES))
    return total.hexdigest()[:16]
