"""The Hub's part of a login with OpenID Connect, and of a push: on loopback, and nobody is asked for consent."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from hub_taker import Handler, Hub  # noqa: E402
from joserfc import jwk, jwt  # noqa: E402

ISSUER = "https://huggingface.co"
CLIENT, SECRET, SCOPES = "the-space", "the-space-s-secret", "openid profile contribute-repos"
VISITOR, VISITOR_TOKEN = "vera", "hf_oauth_of_the_visitor"


class LoginHub(Hub):
    """Remembers the nonce of each code that it gives, as it has to stand in the signed answer."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.key: Any = jwk.RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.nonces: dict[str, str] = {}
        self.logins: list[str] = []

    def environment(self) -> dict[str, str]:
        """What a Space with ``hf_oauth`` gets."""
        return {"OAUTH_CLIENT_ID": CLIENT, "OAUTH_CLIENT_SECRET": SECRET, "OAUTH_SCOPES": SCOPES,
                "OPENID_PROVIDER_URL": self.url}


class _Handler(Handler):
    server: LoginHub

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/.well-known/openid-configuration":
            self.answer({"issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/oauth/authorize",
                         "token_endpoint": f"{self.server.url}/oauth/token",
                         "jwks_uri": f"{self.server.url}/oauth/jwks",
                         "id_token_signing_alg_values_supported": ["RS256"]})
        elif path == "/oauth/jwks":
            self.answer({"keys": [self.server.key.as_dict(private=False)]})
        elif path == "/oauth/authorize":
            code = f"code-{len(self.server.nonces)}"
            self.server.nonces[code] = query["nonce"][0]
            back = query["redirect_uri"][0]
            self.send_response(302)
            self.send_header("Location", f"{back}&{urlencode({'code': code, 'state': query['state'][0]})}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            super().do_GET()

    def do_POST(self) -> None:
        if self.path != "/oauth/token":
            return super().do_POST()
        code, now = parse_qs(self.body().decode())["code"][0], int(time.time())
        claims = {"iss": ISSUER, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 3600,
                  "nonce": self.server.nonces.pop(code), "name": VISITOR, "preferred_username": VISITOR,
                  "profile": f"{ISSUER}/{VISITOR}", "picture": ""}
        self.server.logins.append(VISITOR)
        self.answer({"access_token": VISITOR_TOKEN, "token_type": "bearer", "expires_in": 3600, "scope": SCOPES,
                     "id_token": jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.server.key)})
