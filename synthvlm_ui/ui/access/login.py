"""Logging in to a shared server: nothing is answered to anybody else, neither the app's own routes nor gradio's.

Sessions are signed cookies, so restarting the app logs nobody out. Wrong passwords cost growing waits. Who is logged in
is written into the request in place of whatever name the page sends. Knows no action of the studio.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import os
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from synthvlm_ui.service import Accounts
from synthvlm_ui.ui.access.guards import header
from synthvlm_ui.ui.routes.api import ACTOR_HEADER, PREFIX

COOKIE = "synthvlm_session"
LOGIN, LOGOUT = f"{PREFIX}/login", f"{PREFIX}/logout"
# Gradio asks its own server for this while it starts; it tells nothing and starts nothing twice.
STARTUP = "/gradio_api/startup-events"
SESSION_S = 7 * 24 * 3600
FREE_TRIES, LONGEST_WAIT_S = 5, 900
MOST_BYTES = 4096
KEY_FILE = ".session-key"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Log in · SynthVLM UI</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root {{ color-scheme: light dark; --back: #f6f8fb; --card: #fff; --text: #0f172a; --line: #cbd5e1; --bad: #b91c1c; }}
@media (prefers-color-scheme: dark) {{ :root {{ --back: #0b1220; --card: #131c2e; --text: #e2e8f0; --line: #475569;
  --bad: #fca5a5; }} }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }}
form {{ background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 28px; display: grid;
  width: min(320px, 84vw); gap: 14px; }}
h1 {{ font-size: 20px; margin: 0; }} label {{ display: grid; gap: 4px; font-size: 14px; }}
input {{ font: inherit; padding: 9px 10px; border: 1px solid var(--line); border-radius: 8px; background: transparent;
  color: inherit; }}
button {{ font: inherit; font-weight: 600; padding: 10px; border: 0; border-radius: 8px; background: #1d4ed8;
  color: #fff; cursor: pointer; }}
p {{ margin: 0; color: var(--bad); }}
</style></head><body><form method="post" action="{action}"><h1>SynthVLM UI</h1>{problem}
<label>Name<input name="name" autocomplete="username" required autofocus maxlength="40"></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required maxlength="1000"></label>
<button>Log in</button></form></body></html>"""


class Sessions:
    """Cookies that say who somebody is and until when, signed so that nobody else can make one."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of_workspace(cls, workspace: Path, read_only: bool) -> Sessions:
        """With the key of this workspace, made at the first start; one that may not be written has a key for now."""
        path = workspace / KEY_FILE
        if path.is_file():
            return cls(path.read_bytes())
        key = secrets.token_bytes(32)
        if not read_only:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(key)
        return cls(key)

    def cookie(self, name: str) -> str:
        # In hexadecimal digits, since cookies are quoted for anything else.
        said = f"{int(time.time()) + SESSION_S}:{name}".encode().hex()
        return f"{said}.{self._signed(said)}"

    def name_in(self, cookie: str) -> str | None:
        """Who this cookie says it is, None when it is not ours or too old."""
        said, _, signature = cookie.partition(".")
        if not signature or not hmac.compare_digest(self._signed(said).encode(), signature.encode("utf-8", "replace")):
            return None
        until, _, name = bytes.fromhex(said).decode().partition(":")
        return name if time.time() < int(until) else None

    def names_in(self, header_value: str, cookie_name: str) -> Iterator[str]:
        """What those cookies of a request say that have this name and that we signed."""
        for cookie in header_value.split(";"):
            key, _, value = cookie.strip().partition("=")
            if key == cookie_name and (said := self.name_in(value)) is not None:
                yield said

    def _signed(self, said: str) -> str:
        return hmac.new(self._key, said.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


class Patience:
    """How long somebody has to wait after wrong passwords: nothing for the first five, then doubling up to 15 minutes.

    Counted by name and by address, so that neither many names from one place nor one name from many get further.
    """

    def __init__(self) -> None:
        self._wrong: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def enter(self, *keys: str) -> float:
        """Seconds to wait, or 0.0 for a try, which counts as wrong until ``forgive``.

        Counted before the password is looked at, so that tries sent at the same moment do not all pass.
        """
        with self._lock:
            now = time.monotonic()
            wait = max(self._until(key) - now for key in keys)
            if wait > 0:
                return wait
            if len(self._wrong) > 10_000:  # somebody tries names without end: the oldest half is forgotten
                for key in sorted(self._wrong, key=lambda one: self._wrong[one][1])[:5_000]:
                    del self._wrong[key]
            for key in keys:
                self._wrong[key] = (self._wrong.get(key, (0, 0.0))[0] + 1, now)
            return 0.0

    def forgive(self, *keys: str) -> None:
        with self._lock:
            for key in keys:
                self._wrong.pop(key, None)

    def _until(self, key: str) -> float:
        tries, last = self._wrong.get(key, (0, 0.0))
        return last + min(LONGEST_WAIT_S, 2.0 ** (tries - FREE_TRIES + 1)) if tries >= FREE_TRIES else 0.0


class RequireLogin:
    """Lets through only who is logged in."""

    def __init__(self, app: ASGIApp, accounts: Accounts, sessions: Sessions, hosted: bool = False) -> None:
        self.app, self._accounts, self._sessions, self._patience = app, accounts, sessions, Patience()
        self._hosted = hosted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        path = inside(scope)
        name = self._who(scope)
        if scope["type"] == "http" and path == LOGOUT and scope["method"] == "POST":
            return await self._left(scope)(scope, receive, send)
        if scope["type"] == "http" and path == STARTUP:
            return await self.app(scope, receive, send)
        if scope["type"] == "http" and path == LOGIN:
            return await (await self._answer(Request(scope, receive)))(scope, receive, send)
        if name is None:
            if scope["type"] == "websocket":
                return await send({"type": "websocket.close", "code": 4401})
            return await self._ask(scope)(scope, receive, send)
        headers = [(key, value) for key, value in scope["headers"] if key.lower() != ACTOR_HEADER.encode()]
        headers.append((ACTOR_HEADER.encode(), quote(name).encode()))
        await self.app({**scope, "headers": headers, "synthvlm_login": name}, receive, send)

    def _who(self, scope: Scope) -> str | None:
        for said in self._sessions.names_in(header(scope, b"cookie"), COOKIE):
            name, _, edition = said.partition(":")
            # A changed password ends every session that began with the old one.
            return name if edition and edition == self._accounts.edition(name) else None
        return None

    def _ask(self, scope: Scope) -> Response:
        """The page itself becomes the form; everything else is refused."""
        if scope["method"] == "GET" and not inside(scope).rstrip("/"):
            return _page(LOGIN.lstrip("/"), "", 401)
        facts = {"text": "You are not logged in. Open the page and log in.", "kind": "NotLoggedIn"}
        return JSONResponse({"error": facts}, 401, headers={"Cache-Control": "no-store"})

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            return RedirectResponse("../../", 303)
        try:
            form = parse_qs(await _body(request))
        except (ClientDisconnect, ValueError):
            return _page("login", "That was no login form.", 400)
        name, password = (form.get(key, [""])[0] for key in ("name", "password"))
        keys = (f"name {name}", f"address {request.client.host if request.client else ''}")
        wait = self._patience.enter(*keys)
        if wait > 0:
            answer = _page("login", f"Too many wrong passwords. Wait {wait:.0f} s and try again.", 429)
            answer.headers["Retry-After"] = str(int(wait) + 1)
            return answer
        fits = await run_in_threadpool(self._accounts.verify, name, password)
        if not fits:
            return _page("login", "Name or password is wrong.", 401)
        self._patience.forgive(*keys)
        inside = RedirectResponse("../../", 303)
        said = self._sessions.cookie(f"{name}:{self._accounts.edition(name)}")
        inside.headers.append("set-cookie", cookie_line(COOKIE, said, SESSION_S, request.scope, self._hosted))
        return inside

    def _left(self, scope: Scope) -> Response:
        left = RedirectResponse("../../", 303)
        left.headers.append("set-cookie", cookie_line(COOKIE, "", 0, scope, self._hosted))
        return left


def cookie_line(name: str, value: str, max_age_s: int, scope: Scope, hosted: bool) -> str:
    """A cookie that no script reads, for every path: the same app answers under that of a proxy and without.

    In the Hub's frame a lax cookie never comes back, and some browsers keep a foreign one only for the page around it;
    SameOrigin refuses what other sites ask for.
    """
    secure = (header(scope, b"x-forwarded-proto") or scope.get("scheme")) == "https"
    framed = "; SameSite=None; Partitioned" if hosted and secure else "; SameSite=Lax"
    return f"{name}={value}; HttpOnly; Path=/; Max-Age={max_age_s}{framed}{'; Secure' if secure else ''}"


def inside(scope: Scope) -> str:
    """The path below the one under which a proxy shows the app."""
    return str(scope.get("path", "")).removeprefix(str(scope.get("root_path", "")))


async def _body(request: Request) -> str:
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MOST_BYTES:
            raise ValueError
    return content.decode("utf-8")


def _page(action: str, problem: str, status: int) -> HTMLResponse:
    said = f'<p role="alert">{html.escape(problem)}</p>' if problem else ""
    return HTMLResponse(PAGE.format(action=action, problem=said), status, headers={"Cache-Control": "no-store"})
