"""nginx in front of the app, as on a server behind a name and in a Space."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NGINX = "/usr/sbin/nginx"
START_LIMIT_S = 20
CONFIG = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 200m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {servers}
}}
"""


@contextmanager
def nginx(folder: Path, servers: str) -> Iterator[int]:
    """Runs nginx with these ``server`` blocks, in which PORT stands for the port it listens on, which is yielded."""
    if not shutil.which(NGINX):
        pytest.skip(f"needs {NGINX}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, servers=servers.replace("PORT", str(port))))
    process = subprocess.Popen([NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)])
    try:
        _wait(port)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int) -> None:
    until = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nginx did not start")
