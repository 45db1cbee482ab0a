"""Middleware that refuses what a browser page of somebody else could send to this server.

A foreign Host is answered 400 (DNS rebinding), a change asked for by another site 403 (cross-site request forgery),
and gradio's fetch-a-URL route is closed. Every answer forbids the page to load anything from elsewhere.
Knows nothing of what the routes do.
"""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
FETCH_PROXY = ("/gradio_api/file=http:", "/gradio_api/file=https:", "/gradio_api/proxy=")
POLICY = "; ".join((
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # gradio's own start-up script and gr.HTML need both
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "media-src 'self' blob:",
    "worker-src 'self' blob:",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
))
FRAMED_BY_SELF = "; frame-ancestors 'self'"
FRAMED_BY_HUB = "; frame-ancestors 'self' https://huggingface.co"


def middleware(allowed_hosts: tuple[str, ...], host: str, hosted: bool = False,
               root_path: str = "") -> list[Middleware]:
    """The guards in the order a request meets them. ``hosted``: the page may stand in a frame of the Hub."""
    names = frozenset(name.lower() for name in (*LOOPBACK_NAMES, *allowed_hosts, *_named(host)))
    return [
        *([Middleware(UnderPath, root_path=root_path)] if root_path else []),
        Middleware(TrustedHost, names=names),
        Middleware(SameOrigin, forwarded=hosted),
        Middleware(Headers, policy=POLICY + (FRAMED_BY_HUB if hosted else FRAMED_BY_SELF)),
    ]


def _named(host: str) -> tuple[str, ...]:
    """The address listened on is a name of this server, unless it stands for every address there is."""
    if host in ("0.0.0.0", "::", ""):
        return ()
    return (f"[{host}]" if ":" in host else host,)


def header(scope: Scope, name: bytes) -> str:
    """The value of one request header, or an empty string."""
    for key, value in scope.get("headers", ()):
        if key.lower() == name:
            return str(value.decode("latin-1"))
    return ""


def host_name(value: str) -> str:
    """``name`` of ``name:port``, lower case; an IPv6 address keeps its brackets."""
    value = value.strip().lower()
    if value.startswith("["):
        return value.partition("]")[0] + "]"
    return value.partition(":")[0]


class UnderPath:
    """Takes the path away under which a proxy shows the app, where the proxy has not done so (JupyterHub does not)."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app, self.root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        if scope["type"] in ("http", "websocket") and (path + "/").startswith(self.root_path + "/"):
            rest = path[len(self.root_path):] or "/"
            scope = {**scope, "path": rest, "raw_path": rest.encode("utf-8")}
        await self.app(scope, receive, send)


class TrustedHost:
    """Answers only requests that call this server by one of its names."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            name = host_name(header(scope, b"host"))
            if name not in self.names:
                message = f"This server does not answer to the name {name!r}. Start it with --allowed-host {name}."
                return await PlainTextResponse(message, 400)(scope, receive, send)
        await self.app(scope, receive, send)


class SameOrigin:
    """Refuses changes that another site asks for, and gradio's routes that fetch a URL for the caller."""

    def __init__(self, app: ASGIApp, forwarded: bool = False) -> None:
        self.app, self.forwarded = app, forwarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = str(scope.get("path", ""))
            if any(start in path for start in FETCH_PROXY):
                return await PlainTextResponse("This server fetches nothing for others.", 403)(scope, receive, send)
            if scope["method"] not in SAFE_METHODS and self._is_foreign(scope):
                return await PlainTextResponse("A change asked for by another site is refused.", 403)(
                    scope, receive, send)
        await self.app(scope, receive, send)

    def _is_foreign(self, scope: Scope) -> bool:
        site = header(scope, b"sec-fetch-site")
        if site and site not in ("same-origin", "none"):
            return True
        origin = header(scope, b"origin")
        if not origin:
            return False
        host = (header(scope, b"x-forwarded-host") if self.forwarded else "") or header(scope, b"host")
        return origin.partition("://")[2].lower() != host.lower()


class Headers:
    """Adds the page's security headers to every answer."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self.app = app
        self.added = [(b"content-security-policy", policy.encode("ascii")), (b"x-content-type-options", b"nosniff"),
                      (b"referrer-policy", b"same-origin")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *self.added]}
            await send(message)

        await self.app(scope, receive, send_with_headers)
