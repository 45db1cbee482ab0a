"""Stages that work at the same time on successive items, each in a thread of its own, with bounded room between them.

While the last stage works on item k - 1 the one before works on k and the source on k + 1. Order is kept, nothing is
dropped, and whatever a stage raises is raised where the results are read. Knows nothing of what the stages do.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Any

Stage = Callable[[Any], Any]


class _Closed(Exception):
    """Nobody writes to this channel any more, or nobody reads from it."""


class _Broken:
    """Travels through the channels in place of an item, so that what was finished before it still arrives."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Channel:
    """A queue of at most ``room`` items that either end can close."""

    def __init__(self, room: int) -> None:
        self._room, self._items, self._closed = room, deque[Any](), False
        self._changed = threading.Condition()

    def put(self, item: Any) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._room)
            if self._closed:
                raise _Closed
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> Any:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._items))
            if not self._items:
                raise _Closed
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self, drop: bool = False) -> None:
        """Ends the channel; what lies in it is still read, unless ``drop``."""
        with self._changed:
            self._closed = True
            if drop:
                self._items.clear()
            self._changed.notify_all()


def in_turn(source: Iterable[Any], *stages: Stage) -> Generator[Any, None, None]:
    """The same as ``overlapped`` in the calling thread: one item through all stages, then the next."""
    for item in source:
        for stage in stages:
            item = stage(item)
        yield item


def overlapped(source: Iterable[Any], *stages: Stage, room: int = 1) -> Generator[Any, None, None]:
    """What the stages make of the items of ``source``, in order; ``room`` items may wait before each stage.

    Leaving the loop early, or an error of any stage, ends all threads before control returns: each finishes the item
    in its hands and takes no other. Raises: whatever the source or a stage raises, after the items before it.
    """
    channels = [_Channel(room) for _ in range(len(stages) + 1)]
    threads = [threading.Thread(target=_feed, args=(source, channels[0]), name="source", daemon=True)]
    for number, stage in enumerate(stages):
        threads.append(threading.Thread(target=_work, args=(stage, channels[number], channels[number + 1]),
                                        name=f"stage {number}", daemon=True))
    for thread in threads:
        thread.start()
    try:
        while True:
            try:
                item = channels[-1].get()
            except _Closed:
                return
            if isinstance(item, _Broken):
                raise item.error
            yield item
    finally:
        for channel in channels:
            channel.close(drop=True)
        for thread in threads:
            thread.join()


def _feed(source: Iterable[Any], out: _Channel) -> None:
    try:
        for item in source:
            out.put(item)
    except _Closed:
        pass
    except BaseException as error:
        _pass_on(_Broken(error), out)
    finally:
        out.close()


def _work(stage: Stage, inlet: _Channel, out: _Channel) -> None:
    try:
        while True:
            item = inlet.get()
            out.put(item if isinstance(item, _Broken) else stage(item))
    except _Closed:
        pass
    except BaseException as error:
        _pass_on(_Broken(error), out)
    finally:
        inlet.close(drop=True)
        out.close()


def _pass_on(broken: _Broken, out: _Channel) -> None:
    try:
        out.put(broken)
    except _Closed:
        pass
