"""Sends an export to the Hugging Face Hub as a dataset with its card.

Knows the export only by its manifest: what is not listed there is not sent. Nothing leaves the machine unless a person
asked for this very push.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import BadSetting, Failure, ModelUnavailable, UserError
from synthvlm_ui.export.contents import listed_files

_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
# The Hub takes a commit of some thousands of files; more go up in several commits that can be resumed.
_FILES_PER_COMMIT = 2000


@dataclass(frozen=True, slots=True)
class Push:
    """What a push sends: ``files`` maps each path inside the repository to its size in bytes."""

    folder: Path
    repo_id: str
    private: bool
    files: Mapping[str, int]

    def to_json(self, *, dry_run: bool, url: str | None = None) -> dict[str, Any]:
        return {"repo_id": self.repo_id, "private": self.private, "files": len(self.files),
                "bytes": sum(self.files.values()), "listing": sorted(self.files)[:50], "dry_run": dry_run, "url": url}


def plan_push(folder: str | Path, repo_id: str, *, private: bool = False) -> Push:
    """Lists what would be sent, with every file checked to be there at the size of the manifest.

    Raises: UnreadableFile when the folder is no export or has changed, BadSetting for a name the Hub cannot have.
    """
    folder = Path(folder)
    files = dict(listed_files(folder))
    if not _REPO.fullmatch(repo_id):
        raise BadSetting(f"{repo_id!r} is no name of a repository", where="--repo",
                         fix="Write it as USER/NAME, in letters, digits, '.', '_' and '-'.")
    return Push(folder, repo_id, private, files)


def push(planned: Push, *, token: str | None = None, endpoint: str | None = None) -> str:
    """Makes the repository when it is not there, sends the files, and returns the dataset's address.

    ``token`` None is the login of this machine (HF_TOKEN, or a stored one). Raises: ModelUnavailable when the Hub
    cannot be reached, UserError when it refuses, Failure when it breaks.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    hub = HfApi(endpoint=endpoint, token=token, library_name="synthvlm-ui")
    try:
        hub.create_repo(planned.repo_id, repo_type="dataset", private=planned.private, exist_ok=True)
        _upload(hub, planned)
    except LocalTokenNotFoundError:
        raise _no_login(planned) from None
    except HfHubHTTPError as error:
        raise _refused(error, planned, token) from None
    except Exception as error:
        # The Hub's client raises its HTTP library's own errors, and which library that is changes with its version.
        if not isinstance(error, OSError) and not type(error).__module__.startswith("httpx"):
            raise
        raise ModelUnavailable(f"the Hub cannot be reached: {_first_line(error, token)}", where=planned.repo_id,
                               fix="Try again with a network.") from None
    return f"{hub.endpoint}/datasets/{planned.repo_id}"


def _upload(hub: Any, planned: Push) -> None:
    names = sorted(planned.files)
    # From version 2 of its client on, one call splits what is too much for a commit.
    if len(names) > _FILES_PER_COMMIT and hasattr(hub, "upload_large_folder"):
        hub.upload_large_folder(planned.repo_id, folder_path=planned.folder, repo_type="dataset",
                                private=planned.private, allow_patterns=names, print_report=False)
        return
    hub.upload_folder(repo_id=planned.repo_id, folder_path=planned.folder, repo_type="dataset", allow_patterns=names,
                      commit_message="Upload of a SynthVLM UI export")


def _refused(error: Any, planned: Push, token: str | None) -> Exception:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return _no_login(planned)
    if status is not None and 400 <= status < 500:
        return UserError(f"the Hub refuses: {_first_line(error, token)}", where=planned.repo_id, fix="Mend that first.")
    return Failure(f"the Hub broke off: {_first_line(error, token)}", where=planned.repo_id, fix="Push again.")


def _first_line(error: Exception, token: str | None) -> str:
    """What went wrong, without the token, should the other side have repeated it."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__).strip().rstrip(".")
    return line.replace(token, "(token)") if token else line


def _no_login(planned: Push) -> UserError:
    return UserError("the Hub wants a login that may write there", where=planned.repo_id,
                     fix="Set HF_TOKEN to a token with write access, or check the name of the repository.")
