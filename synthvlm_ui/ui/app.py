"""Builds the page: header, welcome, one tab per stage; and everything the server is launched with.

Knows the studio only to hand it to tabs and routes.
"""

from __future__ import annotations

import os
from typing import Any

from starlette.middleware import Middleware

from synthvlm_ui.config import AppSettings
from synthvlm_ui.service import Accounts, Studio
from synthvlm_ui.ui.access.guards import middleware
from synthvlm_ui.ui.access.hub_login import hub_login
from synthvlm_ui.ui.access.login import RequireLogin, Sessions
from synthvlm_ui.ui.access.visiting import Visiting
from synthvlm_ui.ui.gradio_start import import_gradio
from synthvlm_ui.ui.routes.api import PREFIX, Api
from synthvlm_ui.ui.routes.build import build_routes
from synthvlm_ui.ui.tabs import (
    captions_tab,
    compare_tab,
    curate_tab,
    diversity_tab,
    export_tab,
    findings_tab,
    generate_tab,
    jobs_drawer,
    train_tab,
)
from synthvlm_ui.ui.theme import build_theme
from synthvlm_ui.visitors import Lobby

QUEUE_LOOKS_EVERY_S = 0.02
STATIC = PREFIX.lstrip("/") + "/static"
HEAD = f"""
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect \
width='16' height='16' rx='4' fill='%231d4ed8'/%3E%3Cpath d='M4 11l3-4 2 2.5L11.5 5' stroke='white' \
stroke-width='1.8' fill='none'/%3E%3C/svg%3E">
<link rel="stylesheet" href="{STATIC}/css/app.css">
<link rel="stylesheet" href="{STATIC}/css/curate.css">
<link rel="stylesheet" href="{STATIC}/css/diversity.css">
<link rel="stylesheet" href="{STATIC}/css/captions.css">
<link rel="stylesheet" href="{STATIC}/css/compare.css">
<link rel="stylesheet" href="{STATIC}/css/train.css">
<link rel="stylesheet" href="{STATIC}/css/findings.css">
<script type="module" src="{STATIC}/js/main.js"></script>
"""


def build_app(studio: Studio, settings: AppSettings, lobby: Lobby | None = None) -> tuple[Any, dict[str, Any]]:
    """The page and the arguments of its ``launch``; with a ``lobby``, ``studio`` is what visitors look at."""
    gradio = import_gradio()
    api = Api(studio, read_only=settings.read_only, lobby=lobby)
    if lobby is not None:
        api.signed = Sessions.of_workspace(settings.workspace, read_only=False)
    with gradio.Blocks(title="SynthVLM UI", analytics_enabled=False, fill_width=True,
                       delete_cache=(3600, 3600)) as page:
        jobs_drawer.build()
        with gradio.Tabs(elem_id="rooms"):
            for tab in (captions_tab, generate_tab, curate_tab, compare_tab, diversity_tab, export_tab,
                        train_tab, findings_tab):
                tab.build(api)
    _rest(page)
    return page, _launch_arguments(api, settings)


def _login(settings: AppSettings) -> list[Middleware]:
    """Behind the guards, before everything else: asks who it is, where accounts were given."""
    if settings.auth is None:
        return []
    return [Middleware(RequireLogin, accounts=Accounts(settings.auth),
                       sessions=Sessions.of_workspace(settings.workspace, settings.read_only),
                       hosted=bool(os.environ.get("SPACE_ID")))]


def _visits(api: Api, hosted: bool) -> list[Middleware]:
    """Where visitors come: says of every request whose it is."""
    return [] if api.signed is None else [Middleware(Visiting, signed=api.signed, hosted=hosted)]


def _rest(page: Any) -> None:
    """Lets gradio look for work 50 times a second instead of 1000, which keeps an idle app near 0 % CPU."""
    queue: Any = getattr(page, "_queue", None)
    if hasattr(queue, "sleep_when_free"):
        queue.sleep_when_free = max(queue.sleep_when_free, QUEUE_LOOKS_EVERY_S)


def _launch_arguments(api: Api, settings: AppSettings) -> dict[str, Any]:
    hosted = bool(os.environ.get("SPACE_ID"))
    return {
        "server_name": settings.host,
        "server_port": settings.port,
        "theme": build_theme(),
        "head": HEAD,
        "quiet": True,
        "share": False,
        "root_path": settings.root_path,
        "show_error": True,
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "pwa": False,
        "mcp_server": False,
        "max_file_size": "200mb",
        "allowed_paths": [],
        "app_kwargs": {
            "routes": build_routes(api),
            "middleware": [*middleware(settings.allowed_hosts, settings.host, hosted, settings.root_path),
                           *_login(settings), *_visits(api, hosted), *hub_login()],
            "openapi_url": None,
            "docs_url": None,
            "redoc_url": None,
        },
    }
