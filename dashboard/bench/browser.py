"""What a browser makes of the pages: time until they can be used, processor time, memory, and scrolling."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from dashboard.bench.sample import Sample

try:
    from playwright.sync_api import sync_playwright
except ImportError:  # a tool of developers: requirements-e2e.lock
    sync_playwright = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, CDPSession, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
LOADS = 7
STEPS = 40  # turns of the wheel
USABLE = "() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => r(performance.now()))))"
RECEIVED = "() => performance.getEntriesByType('navigation')[0].responseEnd"
WEIGHT = """() => performance.getEntriesByType("resource").filter((one) => /\\.(css|js)$/.test(one.name))
  .reduce((sum, one) => sum + one.encodedBodySize, 0)"""
HOLES = """() => {
  const rows = document.querySelector("#rows").getBoundingClientRect();
  let holes = 0;
  for (let y = Math.max(rows.top, 0) + 4; y < Math.min(rows.bottom, innerHeight) - 4; y += 8) {
    if (!document.elementFromPoint(innerWidth / 2, y)?.closest("#rows > tr[aria-level]")) holes += 1;
  }
  return holes;
}"""


def missing() -> str:
    """Why there can be no figures of a browser; "" when there can."""
    if sync_playwright is None:
        return "Playwright is not installed (requirements-e2e.lock)"  # type: ignore[unreachable]
    return "" if _chromium() else "no Chromium found"


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


def signed_in(browser: Browser, url: str, cookies: dict[str, str], **options: Any) -> BrowserContext:
    """Windows of whoever has *cookies* at *url*."""
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 800}, **options)
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    return context


def measure_browser(sample: Sample, url: str, cookies: dict[str, str]) -> dict[str, Any]:
    """The figures of the large run that goes on, of the graph and of the large tree. Needs what `missing` asks for."""
    with launched() as browser:
        blank = _blank_mb(browser)
        context = signed_in(browser, url, cookies)
        before = _renderers(browser)
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        found = {
            "run, goes on": f"/runs/{sample.live}",
            f"graph of a run, {sample.boxes:,} boxes": f"/runs/{sample.graph}/graph",
            "tree page of the large tree": f"/trees/{sample.tree}",
        }
        figures: dict[str, Any] = {"blank_tab_mb": blank, "pages": []}
        for name, path in found.items():
            loaded = _loads(page, session, path)
            memory = max(map(_memory_mb, _renderers(browser) - before), default=0.0)
            figures["pages"].append({"page": name, **loaded, "tab_mb": memory})
        before = _renderers(browser)  # what scrolling keeps must not hide in what earlier pages left behind
        fresh = context.new_page()
        figures["scroll"] = _scroll(fresh, sample)
        figures["scroll"]["heap_mb"] = _heap_mb(context.new_cdp_session(fresh))
        figures["scroll"]["tab_mb"] = max(map(_memory_mb, _renderers(browser) - before), default=0.0)
        page.goto(f"/runs/{sample.live}", wait_until="load")
        figures["script_and_style_kb"] = round(page.evaluate(WEIGHT) / 1000, 1)
    return figures


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def _loads(page: Page, session: CDPSession, path: str) -> dict[str, float]:
    """Medians of several loads: until it is drawn and its script has run; and the time of its main thread."""
    usable, after, busy = [], [], []
    for _ in range(LOADS):
        page.goto("about:blank")
        before = _task_ms(session)
        page.goto(path, wait_until="domcontentloaded")
        at = page.evaluate(USABLE)
        usable.append(at)
        after.append(at - page.evaluate(RECEIVED))
        busy.append(_task_ms(session) - before)
    page.wait_for_timeout(1000)  # news of the socket
    return {
        "usable_ms": round(median(usable)),
        "after_answer_ms": round(median(after)),
        "main_thread_ms": round(median(busy)),
    }


def _scroll(page: Page, sample: Sample) -> dict[str, Any]:
    """Through a window from top to bottom by the wheel, then by jumps; lines without a row right after each step."""
    page.goto(f"/runs/{sample.live}", wait_until="load")
    page.mouse.move(640, 600)
    holes = looks = 0
    for step in range(STEPS + 20):
        if step < STEPS:
            page.mouse.wheel(0, 240)
        else:
            page.evaluate("(part) => scrollTo(0, part * document.body.scrollHeight)", (step * 7 % 20) / 20)
        page.evaluate(USABLE)
        holes += page.evaluate(HOLES)
        looks += 1
    return {"looks": looks, "lines_without_row": holes}


def _task_ms(session: CDPSession) -> float:
    return 1000 * _metrics(session).get("TaskDuration", 0)


def _heap_mb(session: CDPSession) -> float:
    """What the page's scripts hold, once the garbage is out."""
    session.send("Performance.enable")
    session.send("HeapProfiler.collectGarbage")
    return round(_metrics(session)["JSHeapUsedSize"] / 2**20, 1)


def _metrics(session: CDPSession) -> dict[str, float]:
    return {one["name"]: float(one["value"]) for one in session.send("Performance.getMetrics")["metrics"]}


def _blank_mb(browser: Browser) -> float:
    before = _renderers(browser)
    context = browser.new_context()
    page = context.new_page()
    page.goto("about:blank")
    page.wait_for_timeout(500)
    found = max(map(_memory_mb, _renderers(browser) - before), default=0.0)
    context.close()
    return found


def _renderers(browser: Browser) -> set[int]:
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return {one["id"] for one in processes if one["type"] == "renderer"}


def _memory_mb(pid: int) -> float:
    """Memory of a process with its share of what several use; 0 where the system does not tell."""
    path = Path(f"/proc/{pid}/smaps_rollup")
    found = re.search(r"^Pss:\s+(\d+)", path.read_text(), re.MULTILINE) if path.exists() else None
    return round(int(found[1]) / 1024, 1) if found else 0.0
