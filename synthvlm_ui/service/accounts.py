"""Who may use a shared server: names and hashed passwords in one file, which ``users add`` writes.

One line an account, ``NAME:scrypt:N:R:P:SALT:HASH`` with salt and hash in hexadecimal digits; lines that begin with #
are comments. Knows neither requests nor cookies.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from synthvlm_ui.errors import BadSetting, EmptyInput, UnreadableFile
from synthvlm_ui.store.files.atomic import exclusive, write_bytes

# 64 MiB and about 0.15 s a try: what RFC 7914 calls interactive use, times eight.
N, R, P = 2**16, 8, 1
_MEMORY_BYTES = 160 * 2**20
LEAST_CHARACTERS = 8
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,39}")


@dataclass(frozen=True)
class _Hashed:
    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, password: str, n: int = N, r: int = R, p: int = P, salt: bytes | None = None) -> _Hashed:
        salt = salt or secrets.token_bytes(16)
        digest = hashlib.scrypt(password.encode("utf-8"), salt=salt, n=n, r=r, p=p, maxmem=_MEMORY_BYTES, dklen=32)
        return cls(n, r, p, salt, digest)

    def fits(self, password: str) -> bool:
        return hmac.compare_digest(self.of(password, self.n, self.r, self.p, self.salt).digest, self.digest)

    def line(self, name: str) -> str:
        return f"{name}:scrypt:{self.n}:{self.r}:{self.p}:{self.salt.hex()}:{self.digest.hex()}"


class Accounts:
    """The accounts of one file, read anew when it changes, so that a removed account is out at once."""

    def __init__(self, path: Path) -> None:
        self.path, self._stamp, self._known = path, (0, 0), dict[str, _Hashed]()
        self._nobody = _Hashed.of(secrets.token_hex(16))
        if not self.names():
            raise EmptyInput("the file holds no account", where=str(path),
                             fix=f"Add one: python -m synthvlm_ui users add NAME --file {path}")

    def names(self) -> list[str]:
        """Everybody who may log in. Raises: UnreadableFile."""
        return sorted(self._read())

    def edition(self, name: str) -> str | None:
        """Differs after each change of the password, None for a name that there is not. Raises: UnreadableFile."""
        hashed = self._read().get(name)
        return hashed.salt.hex() if hashed else None

    def verify(self, name: str, password: str) -> bool:
        """Whether the password is this account's; a name that there is not takes as long. Raises: UnreadableFile."""
        hashed = self._read().get(name)
        fits = (hashed or self._nobody).fits(password)
        return hashed is not None and fits

    def _read(self) -> dict[str, _Hashed]:
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._known, self._stamp = _parse(self.path), stamp
        except OSError as error:
            raise UnreadableFile(f"the accounts cannot be read: {error.strerror or error}", where=str(self.path),
                                 fix="Add an account with users add, or check the path.") from error
        return self._known


def add_account(path: Path, name: str, password: str) -> bool:
    """Writes an account, readable by the owner of the file alone; returns whether one of that name was replaced.

    Raises: BadSetting for a name or password that is none, UnreadableFile, DiskFull, WorkspaceError.
    """
    if not _NAME.fullmatch(name):
        raise BadSetting(f"{name!r} cannot be a name", where="NAME",
                         fix="Use 1 to 40 of the characters A-Z a-z 0-9 . _ @ -, beginning with a letter or digit.")
    if len(password) < LEAST_CHARACTERS:
        raise BadSetting(f"the password has {len(password)} characters", fix=f"Use {LEAST_CHARACTERS} or more.")
    with exclusive(path.with_name(f".{path.name}.lock")):
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if path.exists():
            _parse(path)
        others = [line for line in lines if line.partition(":")[0] != name]
        write_bytes(path, ("\n".join([*others, _Hashed.of(password).line(name)]) + "\n").encode("utf-8"))
        os.chmod(path, 0o600)
    return len(others) < len(lines)


def _parse(path: Path) -> dict[str, _Hashed]:
    found: dict[str, _Hashed] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, kind, n, r, p, salt, digest = line.strip().split(":")
            hashed = _Hashed(int(n), int(r), int(p), bytes.fromhex(salt), bytes.fromhex(digest))
            fits_in_memory = 128 * hashed.n * hashed.r <= 2**27
            if kind != "scrypt" or not _NAME.fullmatch(name) or len(hashed.digest) != 32 or not fits_in_memory:
                raise ValueError
        except ValueError:
            raise UnreadableFile("no account as users add writes them", where=f"{path}, line {number}",
                                 fix="Remove the line and add the account again.") from None
        found[name] = hashed
    return found
