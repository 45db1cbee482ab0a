"""Who is logged in with the Hub's account, in a Space: a signed cookie of the visitor's browser, nothing on the server.

Gradio's own session cookie is lost where a browser blocks cookies of a page in another site's frame, which a Space is;
a partitioned one belongs to that frame and comes back. Gradio's log-in routes and handlers use the session put here.
"""

from __future__ import annotations

import hashlib
import os

from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.types import Receive, Scope, Send

from synthvlm_ui.service.machine import hosting

COOKIE = "synthvlm_hub"
SESSION_S = 8 * 3600  # as long as the Hub's tokens last


class FramedSession(SessionMiddleware):
    """A session of its own in a copy of the scope, so that gradio's, further out, stays empty and sets no cookie."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(dict(scope), receive, send)


def hub_login() -> list[Middleware]:
    """The session of logins with the Hub, where there are any."""
    if not hosting.offers_login():
        return []
    key = hashlib.sha256(f"synthvlm {os.environ['OAUTH_CLIENT_SECRET']}".encode()).hexdigest()
    return [Middleware(FramedSession, secret_key=key, session_cookie=COOKIE, max_age=SESSION_S, same_site="none",
                       https_only=True, partitioned=True)]
