"""Every error a user can do something about, one class each.

* SynthVLMError
  + UserError                     exit code 2: the request cannot be carried out as it stands
    - UnreadableFile              a file is missing, not of its format, or not decodable
    - EmptyInput                  a file or a set holds nothing to work on
    - CaptionTooLong              a caption is longer than any model could use
    - DuplicateId                 the same id twice, and the user asked for that to be an error
    - UnknownName                 a dataset, generator, scorer, selection, job, format or candidate that is not there
    - BadSetting                  a number or option outside what the engine can do
    - WorkspaceError              not a workspace, written by a newer version, read-only, or in use
    - ModelUnavailable            weights that cannot be had: no network, gated, missing, or no extra
    - DiskFull                    no room left where the workspace lives
  + Failure                       exit code 1: the request was right and the work broke
    - WorkerDied                  the process that did the work is gone
    - OutOfMemory                 the device has too little memory, even for one image
    - DeviceLost                  the device stopped answering: nothing more can be drawn in this process
    - CorruptData                 a shard, score file or journal that does not read back
    - GenerationFailed            the engine refused or broke on a request

Knows nothing of how an error is shown: the command line prints ``str(error)``, the browser shows a toast.
"""

from __future__ import annotations


class SynthVLMError(Exception):
    """What happened, where, and what to do about it.

    ``what`` is one clause without a full stop, ``where`` a file, line, option or name, ``fix`` one imperative sentence.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(what)

    def __str__(self) -> str:
        located = f"{self.what} ({self.where})" if self.where else self.what
        return f"{located}. {self.fix}".strip() if self.fix else f"{located}."

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.fix)


def _rebuild(cls: type[SynthVLMError], what: str, where: str, fix: str) -> SynthVLMError:
    return cls(what, where=where, fix=fix)


class UserError(SynthVLMError):
    """The request cannot be carried out as it stands."""

    exit_code = 2


class UnreadableFile(UserError):
    """A file is missing, not of its format, or not decodable."""


class EmptyInput(UserError):
    """A file or a set holds nothing to work on."""


class CaptionTooLong(UserError):
    """A caption is longer than any model could use."""


class DuplicateId(UserError):
    """The same id twice, and the user asked for that to be an error."""


class UnknownName(UserError):
    """A dataset, generator, scorer, selection, job, format or candidate that is not there."""

    @classmethod
    def of(cls, kind: str, name: str, known: list[str]) -> UnknownName:
        """Says which names of this kind are there, so that a typing error is seen at once."""
        listed = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
        fix = f"Known: {listed}." if known else f"There is no {kind} yet."
        return cls(f"unknown {kind} {name!r}", fix=fix)


class BadSetting(UserError):
    """A number or option outside what the engine can do."""


class WorkspaceError(UserError):
    """Not a workspace, written by a newer version, read-only, or in use."""


class ModelUnavailable(UserError):
    """Weights that cannot be had: no network, gated, missing, no model directory, or a missing extra."""


class DiskFull(UserError):
    """No room left where the workspace lives."""


class LimitReached(UserError):
    """A visitor of a public demo has used up what they may add, or there are too many visitors."""


class Failure(SynthVLMError):
    """The request was right and the work broke."""


class WorkerDied(Failure):
    """The process that did the work is gone."""


class OutOfMemory(Failure):
    """The device has too little memory, even for one image."""


class DeviceLost(Failure):
    """The device stopped answering: nothing more can be drawn in this process."""


class CorruptData(Failure):
    """A shard, score file or journal that does not read back."""


class GenerationFailed(Failure):
    """The engine refused or broke on a request."""
