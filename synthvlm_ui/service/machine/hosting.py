"""What the place that hosts the app promises: a Space's hardware and whether its disk outlives a restart.

Reads the environment and looks at mounts; knows no server and no page. What a Space sets: SPACE_ID, SPACES_ZERO_GPU,
and with ``hf_oauth`` in its front matter four names for logins with the Hub's accounts.
"""

from __future__ import annotations

import os
from pathlib import Path

from synthvlm_ui.errors import BadSetting

BUCKET = Path("/data")
_OAUTH = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")


def in_a_space() -> bool:
    return bool(os.environ.get("SPACE_ID"))


def on_zero_gpu() -> bool:
    """Whether cards are lent for moments only."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("true", "1")


def hardware() -> str:
    """What a Space computes with, in a few words; "" elsewhere."""
    if not in_a_space():
        return ""
    if on_zero_gpu():
        return "ZeroGPU: a card lent for moments"
    from synthvlm_ui.service.machine.devices import cards  # which asks here where ZeroGPU is

    found = cards()
    return found[0].name if found else f"processor with {os.environ.get('CPU_CORES') or os.cpu_count()} cores"


def offers_login() -> bool:
    """Whether visitors can log in with their account of the Hub."""
    return in_a_space() and all(os.environ.get(name) for name in _OAUTH)


def keep_own_login() -> None:
    """In a Space, whose visitors are strangers, no request to the Hub carries the Space's own token unless it is named.

    Otherwise whoever types the name of a private data set or model would read it with the owner's rights. Holds for
    processes that this one starts too; has to come before huggingface_hub is loaded.
    """
    if in_a_space():
        os.environ.setdefault("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")


def kept_place(bucket: Path = BUCKET) -> Path | None:
    """Where a Space's workspace outlives a restart: in the storage bucket, when one is mounted and may be written."""
    return bucket / "synthvlm" if in_a_space() and os.path.ismount(bucket) and os.access(bucket, os.W_OK) else None


def notice(workspace: Path, bucket: Path = BUCKET) -> str:
    """What a user has to know of the disk, "" when there is nothing to say."""
    if not in_a_space():
        return ""
    if kept_place(bucket) is not None and workspace.is_relative_to(bucket):
        return ""
    return ("This Space forgets everything when it restarts: export what you want to keep, or mount a storage bucket "
            f"at {bucket}.")


def check_training(command: str) -> None:
    """Raises: BadSetting where nothing can train, with what to do instead."""
    if on_zero_gpu():
        raise BadSetting("this Space borrows its card for moments, so nothing trains here", where="ZeroGPU",
                         fix=f"Train on a machine of your own or as a job of Hugging Face (hf jobs run): {command}")
