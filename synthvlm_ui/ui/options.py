"""Command-line options of the browser app, with SYNTHVLM_* and GRADIO_SERVER_PORT as their defaults.

Knows no page: it only fills ``config.AppSettings``.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
from collections.abc import Sequence
from pathlib import Path

from synthvlm_ui.config import AppSettings, default_workspace, environment
from synthvlm_ui.errors import BadSetting

FIRST_PORT = 7860
PORTS_TRIED = 100
TRUE_WORDS = frozenset({"1", "true", "yes", "on"})


def settings_from(arguments: Sequence[str] | None = None) -> AppSettings:
    """The settings of one server process. Raises: BadSetting when a port is not a port or already in use."""
    options = _parser().parse_args(arguments)
    if options.visitors is None:  # a Space is open to everybody, unless its owner says who may come in
        options.visitors = "on" if os.environ.get("SPACE_ID") and not (options.auth or options.read_only) else "off"
    return AppSettings(
        workspace=options.workspace.expanduser(),
        host=options.host,
        port=_port(options.port, options.host),
        allowed_hosts=tuple(options.allowed_host or _hosts_of_environment()),
        read_only=options.read_only,
        demo=options.demo,
        actor=environment("ACTOR", "local"),
        auth=options.auth,
        root_path=_root_path(options.root_path),
        visitors=options.visitors == "on",
        visitor_limits=options.visitor_limits,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="app.py", description="SynthVLM UI in the browser.")
    parser.add_argument("--workspace", type=Path, default=_default_workspace(),
                        help="directory of the data [%(default)s]")
    parser.add_argument("--host", default=environment("HOST", _default_host()),
                        help="address to listen on [%(default)s]")
    parser.add_argument("--port", type=int, help=f"port to listen on [first free one from {FIRST_PORT}]")
    parser.add_argument("--allowed-host", action="append", metavar="NAME",
                        help="another name this server answers to; may be given again")
    parser.add_argument("--read-only", action="store_true", default=_flag("READ_ONLY"),
                        help="show everything, change nothing")
    parser.add_argument("--demo", action="store_true", default=_flag("DEMO"),
                        help="start making the demo at once when the workspace is empty")
    parser.add_argument("--auth", type=Path, metavar="FILE", default=_path("AUTH"),
                        help="let in only the accounts of this file (python -m synthvlm_ui users add NAME --file FILE)")
    parser.add_argument("--visitors", choices=("on", "off"), default=environment("VISITORS", "") or None,
                        help="everyone who changes something works in a copy of their own [on in a Space, else off]")
    parser.add_argument("--visitor-limits", metavar="NAME=N,...", default=environment("VISITOR_LIMITS", ""),
                        help="what a visitor may add: images, rows, mb; minutes an idle copy is kept; copies at_once")
    parser.add_argument("--root-path", metavar="PATH", default=environment("ROOT_PATH", ""),
                        help="path under which a proxy shows the app, such as /synthvlm")
    return parser


def _path(name: str) -> Path | None:
    given = environment(name, "")
    return Path(given).expanduser() if given else None


def _root_path(given: str) -> str:
    """``/a/b`` without a slash at its end, or nothing. Raises: BadSetting."""
    path = given.strip().rstrip("/")
    if path and not re.fullmatch(r"(/[A-Za-z0-9._~@-]+)+", path):
        raise BadSetting(f"{given!r} is not the path of a page", where="--root-path", fix="Give it as /synthvlm.")
    return path


def _default_workspace() -> Path:
    """As given, or the storage bucket of a Space; the service is loaded only where that can be."""
    if os.environ.get("SPACE_ID") and not environment("WORKSPACE", ""):
        from synthvlm_ui.service.machine.hosting import kept_place

        return kept_place() or default_workspace()
    return default_workspace()


def _default_host() -> str:
    """Only this machine, except in a Space, whose front end looks for the app from outside the container."""
    if not os.environ.get("SPACE_ID"):
        return "127.0.0.1"
    return os.environ.get("GRADIO_SERVER_NAME") or "0.0.0.0"


def _flag(name: str) -> bool:
    return environment(name, "").lower() in TRUE_WORDS


def _hosts_of_environment() -> list[str]:
    """SYNTHVLM_ALLOWED_HOST and a Space's public names in SPACE_HOST, both comma separated."""
    named = environment("ALLOWED_HOST", "").split(",") + os.environ.get("SPACE_HOST", "").split(",")
    return [name.strip() for name in named if name.strip()]


def _port(given: int | None, host: str) -> int:
    announced = environment("PORT", os.environ.get("GRADIO_SERVER_PORT", ""))
    if given is None and announced:
        if not announced.isdecimal():
            raise BadSetting(f"port {announced!r} is not a number", where="SYNTHVLM_PORT, GRADIO_SERVER_PORT",
                             fix="Give a number from 1 to 65535.")
        given = int(announced)
    if given is None:
        if not os.environ.get("SPACE_ID"):
            return _first_free(host)
        given = FIRST_PORT  # where a Space's front end looks, and nowhere else
    if not 1 <= given <= 65535:
        raise BadSetting(f"port {given} is not a port", where="--port", fix="Give a number from 1 to 65535.")
    if not _is_free(host, given):
        raise BadSetting(f"port {given} is in use", where="--port", fix="Stop the other program or give another port.")
    return given


def _first_free(host: str) -> int:
    for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        if _is_free(host, port):
            return port
    raise BadSetting(f"no free port from {FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1} on {host}", where="--port",
                     fix="Give a free port, or an address of this machine as --host.")


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
