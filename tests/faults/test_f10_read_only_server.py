"""F10 and clause 22: a server of PostgreSQL that answers, but takes no writes."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest

from tests.faults.support import until
from tests.settings import POSTGRES
from tests.support_postgres import shared

pytestmark = [
    pytest.mark.fault,
    pytest.mark.slow,
    pytest.mark.skipif(not POSTGRES, reason="only on PostgreSQL: about its server"),
]


def set_read_only(place, how):
    """For every session that begins from now on; only those that write are cut off, as nobody else need notice."""
    name = urlsplit(place.environment["DATABASE_URL"]).path[1:]
    shared().execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {how}')
    if how == "on":
        shared().cut(name)


def test_f10_read_only_for_a_while(place):
    """What has ended meanwhile is kept, whoever asks is told what to do, and nobody has to start anything again."""
    server = place.server()
    run = place.begin(place.task("a", hold=True), place.task("b", after=["a"]))
    place.begun("a")
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as browser:
        browser.get("/login/")
        form = {"username": "who", "password": "none", "csrfmiddlewaretoken": browser.cookies["apflow_csrf"]}
        set_read_only(place, "on")
        place.go()

        def ready():
            answer = browser.get("/readyz")
            return answer.status_code, answer.json()["status"]

        until(lambda: ready() == (503, "degraded"), "the engine's trouble")
        until(lambda: "read-only" in place.log("up"), "its reason")
        answer = place.post(server.url, "trees/", {"tasks": [{"name": "no", "executor": "noop"}]})
        page = browser.post("/login/", data=form)
        part = browser.post("/login/", data=form, headers={"HX-Request": "true"})
        set_read_only(place, "off")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert "read-only" in answer.json()["error"]["message"]
        assert int(answer.headers["Retry-After"]) > 0
        assert (page.status_code, part.status_code) == (503, 503)
        assert "made writable again" in page.text
        assert "made writable again" in part.text
        assert place.run_ended(run) == "completed"
        until(lambda: ready()[0] == 200, "readiness")
        until(lambda: place.post(server.url, "trees/", {"tasks": [{"name": "yes"}]}).status_code == 201, "writes")
    assert [(status, code) for _, status, code, _ in place.attempts("a")] == [("completed", "")]
    place.right(once=["a", "b"])
