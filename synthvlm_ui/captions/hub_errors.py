"""What the Hub's clients raise, said in one clear line: no network, gated, missing, a script, a choice to make.

Imports none of them: their classes are known by name. Knows no reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from synthvlm_ui.errors import SynthVLMError, UnreadableFile


class OutOfReach(UnreadableFile):
    """The Hub does not answer."""


class Named(Protocol):
    """A data set of the Hub; printed, it is what the user may give again."""

    @property
    def id(self) -> str: ...
    @property
    def revision(self) -> str | None: ...


@contextmanager
def told(dataset: Named) -> Iterator[None]:
    """Whatever the Hub's clients raise, in one clear line."""
    try:
        yield
    except SynthVLMError:
        raise
    except Exception as error:
        raise _told_error(dataset, error) from error


def _told_error(dataset: Named, error: Exception) -> UnreadableFile:
    first = (str(error) or type(error).__name__).strip().splitlines()[0][:300]
    for kinds, say in _SAYINGS:
        if any(kind.__name__ in kinds for kind in type(error).__mro__):
            found = say(dataset, error, first)
            if found is not None:
                return found
    return UnreadableFile(f"{dataset.id} cannot be read: {first}", where=str(dataset),
                          fix="Look at its page: --files PATTERN reads only some of its files.")


def _gated(dataset: Named, error: Exception, first: str) -> UnreadableFile | None:
    if "gated" not in f"{type(error).__name__} {first}".lower():
        return None
    return UnreadableFile(f"{dataset.id} is gated", where="Hugging Face Hub",
                          fix="Accept its terms on its page and set HF_TOKEN.")


def _missing(dataset: Named, error: Exception, _first: str) -> UnreadableFile:
    if "Revision" in f"{type(error).__name__} {error}":
        return UnreadableFile(f"{dataset.id} has no revision {dataset.revision!r}", where="Hugging Face Hub",
                              fix="Name a branch, tag or commit of it.")
    return UnreadableFile(f"there is no public data set {dataset.id}, nor a file of that name", where=str(dataset),
                          fix="Check the spelling; a private data set needs HF_TOKEN.")


def _no_files(dataset: Named, _error: Exception, first: str) -> UnreadableFile:
    return UnreadableFile(f"{dataset.id} holds no data files that can be read: {first}", where=str(dataset),
                          fix="Look at its files; a list of captions can be downloaded and given by itself.")


def _script(dataset: Named, _error: Exception, first: str) -> UnreadableFile | None:
    if "scripts are no longer supported" not in first:
        return None
    return UnreadableFile(f"{dataset.id} is a script, and code of a data set is not run", where=str(dataset),
                          fix="Read the tables that the Hub made of it: --revision refs/convert/parquet.")


def _choice(dataset: Named, error: Exception, _first: str) -> UnreadableFile | None:
    """A configuration or split that has to be named, or is not there: the library lists those that are."""
    said = " ".join(str(error).split())[:400]
    for word, option in (("config", "--config"), ("split", "--split")):
        if word in said.lower():
            return UnreadableFile(f"{dataset.id}: {said}", where=str(dataset), fix=f"Name one with {option}.")
    return None


def _out_of_reach(dataset: Named, error: Exception, first: str) -> OutOfReach:
    return OutOfReach(f"the Hub cannot be reached ({type(error).__name__}: {first[:120]})", where=str(dataset),
                       fix="Connect to the network, or give a file or directory on this machine.")


_Saying = Callable[[Named, Exception, str], UnreadableFile | None]
# By the names of classes, so that nothing has to be imported to name them; the first that says something holds.
_SAYINGS: Sequence[tuple[frozenset[str], _Saying]] = (
    (frozenset({"GatedRepoError", "DatasetNotFoundError", "HfHubHTTPError"}), _gated),
    (frozenset({"RepositoryNotFoundError", "RevisionNotFoundError", "DatasetNotFoundError", "HFValidationError"}),
     _missing),
    (frozenset({"DataFilesNotFoundError", "EmptyDatasetError", "FileNotFoundDatasetsError"}), _no_files),
    (frozenset({"RuntimeError"}), _script),
    (frozenset({"ValueError"}), _choice),
    (frozenset({"ConnectionError", "TimeoutException", "TransportError", "NetworkError", "OfflineModeIsEnabled",
                "LocalEntryNotFoundError", "HfHubHTTPError"}), _out_of_reach),
)
