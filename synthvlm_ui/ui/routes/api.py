"""Turns plain functions into Starlette endpoints: JSON in, JSON out, errors as data, changes one at a time.

Knows neither the studio's actions nor the page; the files beside this one name the actions.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from contextvars import ContextVar
from typing import Any, Protocol, cast
from urllib.parse import quote, unquote

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from synthvlm_ui.errors import BadSetting, LimitReached, SynthVLMError, UnknownName, UserError, WorkspaceError
from synthvlm_ui.service import Studio
from synthvlm_ui.ui.access.present import Present, visitor
from synthvlm_ui.visitors import Lobby, check_named

PREFIX = "/gradio_api/synthvlm"
MAX_BODY_BYTES = 4 * 2**20
SENDING_S = 60  # after which half a request is let go
REFRESH_EVERY_S = 0.3
LOOK_EVERY_S = 0.3
# Threads that compute at once: more than there are cores would only wait for each other and each hold its own arrays.
COMPUTING = os.cpu_count() or 2
HEX = frozenset("0123456789abcdef")
ACTOR_HEADER = "x-synthvlm-actor"

# NaN and infinity come out as null, since JSON has no word for them.
JSON_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS

Json = dict[str, Any]
Endpoint = Callable[[Request], Any]
log = logging.getLogger(__name__)
_actor: ContextVar[str | None] = ContextVar("actor", default=None)
_login: ContextVar[str | None] = ContextVar("login", default=None)


class Download(Protocol):
    """A file that is made while it is sent, of a size that is known before."""

    @property
    def name(self) -> str: ...

    def size_bytes(self) -> int: ...

    def blocks(self) -> Iterator[bytes]: ...


def login() -> str | None:
    """Who is logged in, None on a server without logins."""
    return _login.get()


def actor() -> str | None:
    """Who asks, as the page says in its header; None when it says nothing."""
    return _actor.get()


class Api:
    """The studio as the routes see it: reads run side by side, changes wait for each other."""

    def __init__(self, studio: Studio, *, read_only: bool, lobby: Lobby | None = None) -> None:
        """``lobby``: visitors come, and every route works on what is theirs."""
        self.studio = studio if lobby is None else cast(Studio, Present(lobby))
        self.read_only, self.lobby = read_only, lobby
        self.signed: Any = None  # what vouches for visitors' cookies
        self._computing = asyncio.Semaphore(COMPUTING)
        self._refreshed: dict[Any, float] = {}

    def get(self, path: str, action: Callable[[Mapping[str, str]], Any]) -> Route:
        """A route whose action reads: it gets the path's and the query's values as one mapping of strings."""
        async def endpoint(request: Request) -> Response:
            _note_actor(request)
            values = {**request.query_params, **{key: str(value) for key, value in request.path_params.items()}}
            return await self._answer(lambda: action(values))

        return Route(PREFIX + path, endpoint, methods=["GET"])

    def poll(self, path: str, is_due: Callable[[Mapping[str, str]], bool],
             action: Callable[[Mapping[str, str]], Any], most_s: int) -> Route:
        """A route that reads as soon as something is due, or after the ``wait`` seconds that were asked for.

        Waiting holds no thread, and ends when whoever asked has gone.
        """
        async def endpoint(request: Request) -> Response:
            _note_actor(request)
            values = dict(request.query_params)
            try:
                until = time.monotonic() + number(values, "wait", 0, 0, most_s)
                while not await run_in_threadpool(is_due, values) and time.monotonic() < until:
                    await asyncio.sleep(LOOK_EVERY_S)
                    if await request.is_disconnected():
                        return Response(status_code=204)
            except SynthVLMError as error:
                return error_response(error)
            return await self._answer(lambda: action(values))

        return Route(PREFIX + path, endpoint, methods=["GET"])

    def post(self, path: str, action: Callable[[Json], Any], *, changes: bool, computes: bool = False) -> Route:
        """A route whose action gets the request's JSON object.

        ``changes``: refused when read-only, one at a time. ``computes``: only as many at a time as there are cores for.
        """
        async def endpoint(request: Request) -> Response:
            _note_actor(request)
            try:
                async with asyncio.timeout(SENDING_S):
                    body = await _object_of(request)
            except SynthVLMError as error:
                return error_response(error)
            except (ClientDisconnect, TimeoutError):  # half a request: there is nobody to tell
                return Response(status_code=408)
            body.update({key: str(value) for key, value in request.path_params.items()})
            if self.lobby is not None:
                try:
                    check_named(body)
                except SynthVLMError as error:
                    return error_response(error)
            return await self._answer(lambda: self.change(lambda: action(body)) if changes else action(body),
                                      self._computing if computes else None)

        return Route(PREFIX + path, endpoint, methods=["POST"])

    def upload(self, path: str, action: Callable[[bytes, Mapping[str, str]], Any], most_bytes: int) -> Route:
        """A route whose action gets the request's body as it came, such as a picture, and the query's values."""
        async def endpoint(request: Request) -> Response:
            _note_actor(request)
            try:
                content = await _body_of(request, most_bytes)
            except SynthVLMError as error:
                return error_response(error)
            values = dict(request.query_params)
            return await self._answer(lambda: action(content, values))

        return Route(PREFIX + path, endpoint, methods=["POST"])

    def bytes(self, path: str, action: Callable[[Mapping[str, str]], tuple[bytes, str]], *, cache: str) -> Route:
        """A route that answers with the bytes and media type its action returns."""
        async def endpoint(request: Request) -> Response:
            values = {**request.query_params, **{key: str(value) for key, value in request.path_params.items()}}
            try:
                content, media_type = await run_in_threadpool(action, values)
            except SynthVLMError as error:
                return error_response(error)
            return Response(content, media_type=media_type, headers={"Cache-Control": cache})

        return Route(PREFIX + path, endpoint, methods=["GET"])

    def download(self, path: str, action: Callable[[Mapping[str, str]], Download], media_type: str) -> Route:
        """A route that sends a file piece by piece while it is made, under the name its action gives it."""
        async def endpoint(request: Request) -> Response:
            try:
                found = await run_in_threadpool(action, {key: str(value) for key, value in request.path_params.items()})
                size = await run_in_threadpool(found.size_bytes)
            except SynthVLMError as error:
                return error_response(error)
            headers = {"Content-Length": str(size), "Cache-Control": "no-store",
                       "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name, safe='')}"}
            blocks = found.blocks() if request.method == "GET" else iter(())
            return StreamingResponse(blocks, media_type=media_type, headers=headers)

        return Route(PREFIX + path, endpoint, methods=["GET"])

    def refresh(self) -> None:
        """Lets the studio look for new shards, scores and decisions, at most every REFRESH_EVERY_S seconds."""
        now, workspace = time.monotonic(), self.studio.workspace.root
        if now - self._refreshed.get(workspace, 0.0) >= REFRESH_EVERY_S:
            self._refreshed[workspace] = now
            self.studio.refresh()

    def change(self, action: Callable[[], Any]) -> Any:
        """Runs an action that writes; one at a time. Raises: WorkspaceError when the app only shows the workspace."""
        self.check_may_change()
        with self.studio.changing:
            return action()

    def check_may_change(self) -> None:
        """Raises: WorkspaceError when the app only shows the workspace."""
        if self.read_only:
            raise WorkspaceError("this server only shows the workspace and changes nothing",
                                 fix="Start it without --read-only to make changes.")
        if self.lobby is not None:
            name = visitor()
            if name is None:
                raise LimitReached("your browser keeps no cookie of this page, so you have no copy to change",
                                   fix="Allow its cookies, or open the page outside of a frame, and load it again.")
            self.lobby.own(name)
            self.lobby.check(name)

    def room(self, *, images: int = 0, rows: int = 0) -> None:
        """Whether a visitor may add so much. Raises: LimitReached."""
        if self.lobby is not None:
            self.lobby.check(visitor() or "", images, rows)

    def rows_left(self) -> int | None:
        """How many captions a visitor may still add, None where nobody counts."""
        if self.lobby is None:
            return None
        return max(1, self.lobby.limits.rows - self.lobby.used(visitor() or "").rows)

    def standing(self) -> Json:
        """What the page says of a visitor's copy and of turns; empty where there are no visitors."""
        name = visitor()
        if self.lobby is None or name is None:
            return {}
        return {**self.lobby.standing(name), "turns": self.lobby.turns(name), "may_change": self.lobby.may_change(name)}

    async def _answer(self, work: Callable[[], Any], among: asyncio.Semaphore | None = None) -> Response:
        try:
            async with among or nullcontext():
                content = await run_in_threadpool(lambda: orjson.dumps(work(), option=JSON_OPTIONS))
            return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})
        except SynthVLMError as error:
            return error_response(error)
        except Exception as error:
            log.exception("a request failed")
            return JSONResponse({"error": {"text": f"{type(error).__name__}: {error}", "kind": type(error).__name__}},
                                status_code=500)


def error_response(error: SynthVLMError) -> JSONResponse:
    """What, where and what to do about it, with 404 for an unknown name, 400 for other user errors, 500 otherwise."""
    status = 404 if isinstance(error, UnknownName) else 400 if isinstance(error, UserError) else 500
    facts = {"text": str(error), "what": error.what, "where": error.where, "fix": error.fix,
             "kind": type(error).__name__}
    return JSONResponse({"error": facts}, status_code=status, headers={"Cache-Control": "no-store"})


def number(values: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    """A whole number of a request, clipped to its range. Raises: BadSetting when it is no number."""
    given = values.get(name)
    if given in (None, ""):
        return default
    try:
        return max(least, min(most, int(given)))
    except (TypeError, ValueError):
        raise BadSetting(f"{name} {given!r} is not a whole number", where=name) from None


def text(values: Mapping[str, Any], name: str) -> str:
    """A string of a request. Raises: BadSetting when it is missing or something else."""
    given = values.get(name)
    if not isinstance(given, str) or not given.strip():
        raise BadSetting(f"{name} is missing", where=name, fix=f"Give a {name}.")
    return given.strip()


def page_writer(name: str, where: str = "writer") -> str:
    """A writer that a page may name. Raises: BadSetting for an address: a page must not make this server ask any that
    somebody types into it."""
    if name.startswith("openai:"):
        raise BadSetting("a server is named on the command line or in the environment, not in the page", where=where,
                         fix="Set SYNTHVLM_WRITER_URL and SYNTHVLM_WRITER_MODEL, start the app again, choose openai.")
    return name


def candidate_id(values: Mapping[str, str], name: str = "id") -> str:
    """The id in a path: 16 hex digits and nothing else, so that no path can be smuggled in. Raises: UnknownName."""
    given = values[name]
    if len(given) != 16 or not HEX.issuperset(given):
        raise UnknownName(f"unknown candidate {given[:40]!r}")
    return given


async def _object_of(request: Request) -> Json:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise BadSetting("the request is not JSON", fix="Send it as application/json.")
    content = await _body_of(request, MAX_BODY_BYTES)
    try:
        value = json.loads(content or b"{}")
    except ValueError:
        raise BadSetting("the request is not readable JSON") from None
    if not isinstance(value, dict):
        raise BadSetting("the request is not a JSON object")
    return value


async def _body_of(request: Request, most_bytes: int) -> bytes:
    """Raises: BadSetting when there is more of it."""
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > most_bytes:
            raise BadSetting(f"the request is larger than {most_bytes // 2**20} MiB", fix="Send less at a time.")
    return bytes(content)


def _note_actor(request: Request) -> None:
    """Threads that work for this request see the same context."""
    given = request.headers.get(ACTOR_HEADER)
    _actor.set(unquote(given) if given else None)
    _login.set(request.scope.get("synthvlm_login"))
