"""HTTP to the REST API, with its errors as failures, and event streams that resume."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import httpx

from orchestration.cli.failure import CONNECTION, Failure, exit_code_of

TIMEOUT_S = 30.0
QUIET_S = 60.0  # a stream says something at least every 15 seconds
PATIENCE_S = 30.0  # how long we try to get a lost stream back
PAUSE_S = 0.5
PAGE = 100


class Client:
    """A connection to one server, as one user. Use it as a context manager."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._url = url
        self._http = httpx.Client(base_url=f"{url}/api/v1/", headers=headers, timeout=TIMEOUT_S)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """The answer to a GET. Raises Failure."""
        return self._send("GET", path, params={key: value for key, value in query.items() if value is not None})

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The answer to a POST. Raises Failure."""
        return self._send("POST", path, json=body)

    def delete(self, path: str) -> None:
        """Raises Failure."""
        self._send("DELETE", path)

    def listed(self, path: str, limit: int, **query: Any) -> list[Any]:
        """The first *limit* items of a list. Raises Failure."""
        items: list[Any] = []
        cursor = None
        while len(items) < limit:
            page = self.get(path, page_size=min(PAGE, limit - len(items)), cursor=cursor, **query)
            items += page["items"]
            if not page["next"]:
                break
            cursor = httpx.URL(page["next"]).params["cursor"]
        return items

    def events(self, run_id: int, after: int = 0) -> Iterator[dict[str, Any]]:
        """The events of a run after number *after*, each once, to the run's end. Raises Failure.

        A lost connection is taken up where it broke off, for at most half a minute.
        """
        lost: float | None = None
        while True:
            try:
                for event in self._stream(run_id, after):
                    after, lost = event["seq"], None
                    yield event
                if self._ended(run_id, after):
                    return
                time.sleep(PAUSE_S)  # the server closed the stream before the end
            except (httpx.TransportError, Failure) as error:
                if isinstance(error, Failure) and error.exit_code != CONNECTION:
                    raise
                lost = lost or time.monotonic()
                if time.monotonic() - lost > PATIENCE_S:
                    raise self._unreached(error) from None
                time.sleep(PAUSE_S)

    def _ended(self, run_id: int, after: int) -> bool:
        run = self.get(f"runs/{run_id}/", fields="seq,completed_at")
        return run["completed_at"] is not None and run["seq"] <= after

    def _stream(self, run_id: int, after: int) -> Iterator[dict[str, Any]]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        timeout = httpx.Timeout(TIMEOUT_S, read=QUIET_S)
        with self._http.stream("GET", f"runs/{run_id}/events/", headers=headers, timeout=timeout) as response:
            if response.status_code != 200:
                response.read()
                raise _failure(response)
            for line in response.iter_lines():
                if line.startswith("data: "):
                    yield _event(line.removeprefix("data: "))

    def _send(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._http.request(method, path, **options)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._unreached(error) from None
        if not response.is_success:
            raise _failure(response)
        if response.status_code == 204:
            return None
        try:
            return response.json()
        except ValueError:
            raise Failure(CONNECTION, f"{self._url} does not answer as an apflow server") from None

    def _unreached(self, error: Exception) -> Failure:
        return Failure(CONNECTION, f"{self._url} cannot be reached: {error or type(error).__name__}")


def _event(text: str) -> dict[str, Any]:
    try:
        event: dict[str, Any] = json.loads(text)
    except ValueError:
        raise Failure(CONNECTION, "the stream of events cannot be understood") from None
    return event


def _failure(response: httpx.Response) -> Failure:
    code = exit_code_of(response.status_code)
    try:
        body = response.json()
        error = body["error"]
        listed = [f"{p['path']}: {p['message']}" if p["path"] else p["message"] for p in body.get("problems", [])]
        return Failure(code, "\n".join(listed) or str(error["message"]), body)
    except (ValueError, KeyError, TypeError, AttributeError):
        if not response.is_error:
            return Failure(CONNECTION, f"unexpected answer {response.status_code}: is the address right?")
        return Failure(code, f"the server answers {response.status_code}")
