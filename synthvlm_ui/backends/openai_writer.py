"""Any server that speaks OpenAI's chat completions as a caption writer: vLLM, Ollama, TGI, llama.cpp, hosted ones.

Asks several texts at a time, and again with growing waits when the server is busy, stalls, breaks or answers nonsense.
Follows no redirect, since that could carry the key elsewhere. Knows no caption and no class.
"""

from __future__ import annotations

import base64
import io
import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
from PIL import Image

from synthvlm_ui.backends.http_patience import Budget, BudgetSpent, retry_after_s, wait_s
from synthvlm_ui.backends.writer_names import key_for, served_model
from synthvlm_ui.config import environment
from synthvlm_ui.errors import BadSetting, GenerationFailed, ModelUnavailable
from synthvlm_ui.protocols import UInt8Image, WriteRequest
from synthvlm_ui.records import WriterInfo

CONCURRENCY = 8
ATTEMPTS = 6
TIMEOUT_S = 120.0
MAX_ANSWER_BYTES = 4 * 2**20
_REFUSED = {401: "refuses the key", 403: "refuses the key", 404: "has no such model or address"}
_AGAIN = frozenset({408, 409, 425, 429})
_THOUGHTS = re.compile(r"^\s*<think>.*?</think>\s*", re.DOTALL)


class _Again(Exception):
    """An answer that another attempt may mend; ``retry_after`` is what the server asks for in seconds."""

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(why)


class OpenAiWriter:
    """Asks a server's /chat/completions.

    Args: ``name`` is openai:MODEL@URL; ``budget`` limits requests and tokens over the writer's life. Concurrency and
    timeout come from SYNTHVLM_WRITER_CONCURRENCY and SYNTHVLM_WRITER_TIMEOUT_S.
    Raises: BadSetting.
    """

    def __init__(self, name: str, *, budget: Budget | None = None, attempts: int = ATTEMPTS,
                 pause: Callable[[float], None] = time.sleep) -> None:
        served = served_model(name)
        self.budget = budget or Budget()
        self._served, self._attempts, self._pause = served, attempts, pause
        self._timeout_s = _positive("WRITER_TIMEOUT_S", TIMEOUT_S)
        concurrency = int(_positive("WRITER_CONCURRENCY", CONCURRENCY))
        key_for(served.url)  # so that an unreadable key is said at once
        self._length_field = "max_tokens"
        self._refused = threading.Event()
        self.info = WriterInfo(
            name=served.name, model=served.model, revision="", accepts_images=True, concurrency=concurrency,
            notes="Seeds are passed on; whether the same seed gives the same text is up to the server.")

    def write(self, requests: Sequence[WriteRequest]) -> list[str | Exception]:
        """One answer per request, in order, or why there is none; ModelUnavailable when the server refuses us."""
        if not requests:
            return []
        self._refused.clear()
        workers = min(self.info.concurrency, len(requests))
        with self._client() as client, ThreadPoolExecutor(max_workers=workers) as pool:
            return list(pool.map(partial(self._answer, client), requests))

    def _client(self) -> httpx.Client:
        key = key_for(self._served.url)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        return httpx.Client(headers=headers, follow_redirects=False,
                            timeout=httpx.Timeout(self._timeout_s, connect=min(10.0, self._timeout_s)),
                            limits=httpx.Limits(max_connections=self.info.concurrency))

    def _answer(self, client: httpx.Client, request: WriteRequest) -> str | Exception:
        why = "not asked"
        for attempt in range(self._attempts):
            if self._refused.is_set():  # the same key was refused beside us: do not ask another thousand times
                return ModelUnavailable("the server refused another request of this call", where=self._served.url)
            try:
                self.budget.take_request()
                return self._ask(client, request)
            except _Again as error:
                why = str(error)
                if attempt + 1 < self._attempts:
                    self._pause(wait_s(attempt, error.retry_after))
            except ModelUnavailable as error:
                self._refused.set()
                return error
            except (BudgetSpent, BadSetting, GenerationFailed) as error:
                return error
        return GenerationFailed(f"no answer after {self._attempts} attempts; the last: {why}", where=self._served.url)

    def _ask(self, client: httpx.Client, request: WriteRequest) -> str:
        body = {"model": self._served.model, "messages": [{"role": "user", "content": _content(request)}],
                "temperature": request.temperature, self._length_field: request.max_new_tokens, "seed": request.seed,
                "stream": False}
        try:
            status, headers, content = self._post(client, body)
        except (httpx.TimeoutException, TimeoutError):
            raise _Again(f"no answer within {self._timeout_s:g} s") from None
        except httpx.RequestError as error:
            raise _Again(f"{type(error).__name__}: {error}"[:200]) from None
        except httpx.InvalidURL as error:
            raise BadSetting(f"not an address: {error}"[:200], where=self._served.url) from None
        if status == 200:
            return self._text_of(content)
        said = _excerpt(content)
        if status in _AGAIN or status >= 500:
            raise _Again(f"status {status}: {said}", retry_after_s(headers.get("retry-after")))
        if status in _REFUSED:
            raise ModelUnavailable(f"the server {_REFUSED[status]} (status {status}: {said})", where=self._served.name,
                                   fix="Check the address, the model's name and the key.")
        if status == 400 and "max_completion_tokens" in said and self._length_field == "max_tokens":
            self._length_field = "max_completion_tokens"
            raise _Again("the server wants max_completion_tokens", 0.0)
        raise GenerationFailed(f"the server refused the request with status {status}: {said}", where=self._served.url)

    def _post(self, client: httpx.Client, body: dict[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and content, all within the timeout: a server that drips bytes is one that stalls."""
        deadline = time.monotonic() + self._timeout_s
        content = b""
        url, sent = f"{self._served.url}/chat/completions", json.dumps(body).encode("ascii")
        with client.stream("POST", url, content=sent) as response:
            for part in response.iter_bytes():
                content += part
                if len(content) > MAX_ANSWER_BYTES:
                    raise _Again(f"an answer of more than {MAX_ANSWER_BYTES // 2**20} MiB")
                if time.monotonic() > deadline:
                    raise TimeoutError
            return response.status_code, response.headers, content

    def _text_of(self, content: bytes) -> str:
        try:
            answer = json.loads(content)
            text = answer["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError):
            raise _Again(f"an answer without choices: {_excerpt(content)}") from None
        usage = answer.get("usage")
        spent = usage.get("total_tokens") if isinstance(usage, dict) else None
        # A server that does not count is counted for, roughly: a token is some four characters of English.
        self.budget.add_tokens(spent if isinstance(spent, int) and spent >= 0 else len(content) // 4)
        if not isinstance(text, str):
            raise _Again("an answer whose content is no text")
        return _THOUGHTS.sub("", text).strip()


def _content(request: WriteRequest) -> str | list[dict[str, Any]]:
    if request.image is None:
        return request.prompt
    return [{"type": "text", "text": request.prompt},
            {"type": "image_url", "image_url": {"url": _data_url(request.image)}}]


def _data_url(image: UInt8Image) -> str:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _excerpt(content: bytes) -> str:
    return " ".join(content[:300].decode("utf-8", "replace").split())[:200]


def _positive(name: str, default: float) -> float:
    given = environment(name, "")
    try:
        value = float(given or default)
    except ValueError:
        value = 0.0
    if not 0 < value < 10_000 or (name.endswith("CONCURRENCY") and value < 1):
        raise BadSetting(f"SYNTHVLM_{name} is {given!r}", fix="Give a number above 0.")
    return value
