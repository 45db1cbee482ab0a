"""The lobby of a public demo: who only looks sees the owner's workspace, who changes something gets a copy of it.

Makes copies, counts what was added to them, has their jobs take turns, and deletes them when their visitor is gone.
Knows visitors by a name that somebody else vouches for; knows no cookie and no page.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import LimitReached
from synthvlm_ui.jobs import worker_state
from synthvlm_ui.service import Studio
from synthvlm_ui.store import Workspace
from synthvlm_ui.store.files.atomic import write_bytes
from synthvlm_ui.visitors.copying import added_bytes, copy_workspace
from synthvlm_ui.visitors.lanes import Lane, queued_of
from synthvlm_ui.visitors.limits import Limits, Used

FOLDER = "visitors"
_BASE, _SEEN = ".copied.json", ".seen"
_LOOK_EVERY_S, _SWEEP_EVERY_S, _SEEN_EVERY_S = 0.5, 5.0, 10.0
_LEAVING_S = 10.0
log = logging.getLogger(__name__)


@dataclass
class _Guest:
    studio: Studio
    base: Used  # what the copy held when it was made
    seen_s: float


class Lobby:
    """The owner's studio and those of visitors. ``close`` ends its thread and closes the copies, but deletes none."""

    def __init__(self, owner: Studio, limits: Limits) -> None:
        self.owner, self.limits = owner, limits
        self._place = owner.workspace.root / FOLDER
        self._guests: dict[str, _Guest] = {}
        self._lock = threading.RLock()
        self._lanes = (Lane(writes_files=False), Lane(writes_files=True))
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._clear()
        self._thread = threading.Thread(target=self._run, name="visitors' jobs", daemon=True)
        self._thread.start()

    def studio_of(self, visitor: str) -> Studio:
        """Their own copy if they have one, else the owner's, which may only be read."""
        guest = self._guest(visitor)
        return guest.studio if guest else self.owner

    def own(self, visitor: str) -> Studio:
        """Their own copy, made now if need be. Raises: LimitReached when there are too many visitors."""
        with self._lock:
            guest = self._guest(visitor)
            if guest is None:
                self._check_copying()
                copy_workspace(self.owner.workspace.root, self._folder(visitor))
                guest = self._open(visitor)
            return guest.studio

    def may_change(self, visitor: str) -> bool:
        """Whether there is room for a copy of theirs."""
        return self._guest(visitor) is not None or self._copies() < self.limits.at_once

    def used(self, visitor: str) -> Used:
        """What they have added so far."""
        guest = self._guest(visitor)
        return _since(guest) if guest else Used(0, 0, 0)

    def check(self, visitor: str, images: int = 0, rows: int = 0) -> None:
        """Whether so many more may be added. Raises: LimitReached."""
        self.used(visitor).check(self.limits, images, rows)

    def standing(self, visitor: str) -> dict[str, Any]:
        """{own, used{images, rows, bytes}, limits{...}}: what a page says of it."""
        return {"own": self._guest(visitor) is not None, "used": asdict(self.used(visitor)),
                "limits": asdict(self.limits)}

    def turns(self, visitor: str) -> dict[str, dict[str, float]]:
        """{job id: {place, wait_s}} of their jobs that wait for others'."""
        guest = self._guest(visitor)
        if guest is None:
            return {}
        if not queued_of({visitor: guest.studio})[visitor]:
            return {}
        queued = queued_of(self._studios())
        mine = {job["id"] for job in queued.get(visitor, ())}
        return {job: asdict(turn) for lane in self._lanes for job, turn in lane.places(queued).items() if job in mine}

    def close(self) -> None:
        self._ended.set()
        self._wake.set()
        self._thread.join(_LEAVING_S)
        with self._lock:
            for visitor in list(self._guests):
                self._guests.pop(visitor).studio.close()

    # -- one visitor

    def _folder(self, visitor: str) -> Path:
        # Whoever sees a path, as in a shown command, must not learn the name that opens it.
        return self._place / hashlib.sha256(visitor.encode()).hexdigest()[:20]

    def _guest(self, visitor: str) -> _Guest | None:
        with self._lock:
            guest = self._guests.get(visitor)
            if guest is None and (self._folder(visitor) / _BASE).is_file():
                guest = self._open(visitor)  # of before the app was started again
            if guest is not None:
                self._see(guest)
            return guest

    def _open(self, visitor: str) -> _Guest:
        folder = self._folder(visitor)
        studio = Studio(Workspace.open(folder, create=False), wake=lambda _device: self._wake.set(),
                        queries=self.owner.queries)
        try:
            base = Used(**json.loads((folder / _BASE).read_bytes()))
        except FileNotFoundError:
            base = _held_by(studio)
            write_bytes(folder / _BASE, json.dumps(asdict(base)).encode())
        self._guests[visitor] = guest = _Guest(studio, base, 0.0)
        self._see(guest)
        return guest

    def _see(self, guest: _Guest) -> None:
        now = time.monotonic()
        if now - guest.seen_s > _SEEN_EVERY_S or guest.seen_s == 0.0:
            (guest.studio.workspace.root / _SEEN).touch()
        guest.seen_s = now

    def _check_copying(self) -> None:
        if self._copies() >= self.limits.at_once:
            raise LimitReached(f"{self.limits.at_once} visitors have a copy of this demo now, the most there may be",
                               fix="Look around, and try again later; or run it on a machine of your own.")
        making = [job for job in self.owner.jobs.list()["jobs"] if job["state"] in ("queued", "running")]
        if making:
            raise LimitReached(f"the demo is still being made ({making[0]['progress']:.0%})",
                               fix="Look on while it grows; you can change it when it is complete.")

    def _copies(self) -> int:
        return sum(1 for entry in os.scandir(self._place) if entry.is_dir() and not entry.name.startswith("."))

    def _studios(self) -> dict[str, Studio]:
        with self._lock:
            return {visitor: guest.studio for visitor, guest in self._guests.items()}

    # -- the thread

    def _run(self) -> None:
        swept_s = 0.0
        while not self._ended.is_set():
            try:
                studios = self._studios()
                queued = queued_of(studios)
                for lane in self._lanes:
                    lane.look(studios, queued)
                if time.monotonic() - swept_s > _SWEEP_EVERY_S:
                    swept_s = time.monotonic()
                    self._stop_the_full()
                    self._sweep()
            except Exception:  # of one visitor's copy: the others' jobs go on
                log.exception("the visitors' jobs were not looked after")
            self._wake.wait(_LOOK_EVERY_S)
            self._wake.clear()

    def _stop_the_full(self) -> None:
        """A job that goes on past a limit is stopped where it is."""
        for lane in self._lanes:
            guest = self._guests.get(lane.visitor or "")
            if guest is not None:
                try:
                    _since(guest).check(self.limits)
                except LimitReached as error:
                    lane.stop(str(error))

    def _sweep(self) -> None:
        idle_s = self.limits.minutes * 60
        with self._lock:
            gone = [visitor for visitor, guest in self._guests.items() if time.monotonic() - guest.seen_s > idle_s]
            leaving = {visitor: self._guests.pop(visitor) for visitor in gone}
        for visitor, guest in leaving.items():
            for lane in self._lanes:
                lane.leave(visitor)
            _wait_for_workers(guest.studio)
            guest.studio.close()
            shutil.rmtree(guest.studio.workspace.root, ignore_errors=True)
        self._clear()

    def _clear(self) -> None:
        """Deletes what visitors left behind when the app ended, if it is old enough; they may come back before."""
        self._place.mkdir(exist_ok=True)
        with self._lock:
            open_now = {guest.studio.workspace.root for guest in self._guests.values()}
            for entry in self._place.iterdir():
                if entry in open_now:
                    continue
                try:
                    age_s = time.time() - (entry / _SEEN).stat().st_mtime
                except OSError:
                    age_s = float("inf")
                if age_s > self.limits.minutes * 60:
                    shutil.rmtree(entry, ignore_errors=True)


def _held_by(studio: Studio) -> Used:
    studio.refresh()
    captions = studio.workspace.captions
    return Used(studio.workspace.columns.n, sum(captions.count(name) for name in captions.datasets()),
                added_bytes(studio.workspace.root))


def _since(guest: _Guest) -> Used:
    now = _held_by(guest.studio)
    return Used(max(0, now.images - guest.base.images), max(0, now.rows - guest.base.rows),
                max(0, now.bytes - guest.base.bytes))


def _wait_for_workers(studio: Studio) -> None:
    until_s = time.monotonic() + _LEAVING_S
    jobs = studio.workspace.paths.jobs
    devices = {job["device"] for job in studio.jobs.list()["jobs"]}
    while time.monotonic() < until_s and any(worker_state(jobs, device) != "absent" for device in devices):
        time.sleep(0.1)
