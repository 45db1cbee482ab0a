"""Visitors of a public demo, as requests: a signed cookie names them, and everything a route asks of the studio goes to
the one that is theirs.

Refuses what only the owner may do. Knows the lobby, cookies and paths; knows no action of the studio.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from synthvlm_ui.ui.access.guards import SAFE_METHODS, header
from synthvlm_ui.ui.access.login import SESSION_S, Sessions, cookie_line, inside
from synthvlm_ui.ui.access.present import visiting
from synthvlm_ui.ui.gradio_start import import_gradio
from synthvlm_ui.ui.routes.api import PREFIX, Api

COOKIE = "synthvlm_visitor"
# What needs hours, a model or file that does not ship, or somebody else's server.
OWNERS_ONLY = ("/hub/", "/train/start", "/train/look", "/train/evaluate", "/train/try", "/findings/start",
               "/compare/fid", "/heads/learn")
_KIND = "visitor:"


class Visiting:
    """Middleware: gives the page's first request a cookie, and every request its visitor."""

    def __init__(self, app: ASGIApp, signed: Sessions, hosted: bool = False) -> None:
        self.app, self._signed, self._hosted = app, signed, hosted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = inside(scope)
        if scope["method"] not in SAFE_METHODS and path.removeprefix(PREFIX).startswith(OWNERS_ONLY):
            facts = {"text": "This is a public demo: training, findings and foreign models are not for visitors. "
                             "Run SynthVLM UI on a machine of your own.", "kind": "NotForVisitors"}
            refused = JSONResponse({"error": facts}, 403, headers={"Cache-Control": "no-store"})
            return await refused(scope, receive, send)
        name = named_in(header(scope, b"cookie"), self._signed)
        if name is None and scope["method"] == "GET" and not path.rstrip("/"):
            name = secrets.token_hex(16)
            send = self._with_cookie(name, scope, send)
        with visiting(name):
            await self.app(scope, receive, send)

    def _with_cookie(self, name: str, scope: Scope, send: Send) -> Send:
        cookie = cookie_line(COOKIE, self._signed.cookie(_KIND + name), SESSION_S, scope, self._hosted)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        return sending


def asked(api: Api, handler: Callable[..., Any]) -> Callable[..., Any]:
    """A handler of gradio's that works on what is its visitor's: gradio calls handlers outside of their request."""
    signed = api.signed
    if signed is None:
        return handler

    def handle(request: Any, *values: Any) -> Any:
        with visiting(named_in(request.headers.get("cookie", ""), signed)):
            return handler(*values)

    def handle_login(request: Any, login: Any, *values: Any) -> Any:
        return handle(request, login, *values)

    # Gradio finds out by the annotations what it is to give beside the form's values, and where.
    found: Callable[..., Any] = handle_login if "login" in handler.__annotations__ else handle
    found.__annotations__ = {**handler.__annotations__, "request": import_gradio().Request}
    return found


def named_in(cookies: str, signed: Sessions) -> str | None:
    """The visitor that a cookie header names, None when none of its cookies is ours."""
    said = signed.names_in(cookies, COOKIE)
    return next((one.removeprefix(_KIND) for one in said if one.startswith(_KIND)), None)
