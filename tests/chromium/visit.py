"""A person with a browser profile: opens pages, and notes everything that is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Error,
    Page,
    Request,
    Response,
    ViewportSize,
)

WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}

# A violation of the content security policy is an event; the console tells it too, but not always.
_TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`));
"""
# A chart is drawn anew when its width passes 520 pixels.
_CHARTS_ARE_DRAWN = """() => document.readyState === "complete" &&
  [...document.querySelectorAll("figure.chart")].every((figure) => {
    const width = figure.querySelector(".chart-picture").clientWidth, drawn = figure.dataset;
    const fits = !drawn.drawing && (Number(drawn.width) < 520) === (width < 520);
    return width === 0 || (drawn.drawn !== undefined && fits)
      || figure.querySelector(".chart-message").textContent.includes("could not");
  })"""
# A window that was resized tells its page in the next frame.
_NEXT_FRAME = "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"


@dataclass
class Visitor:
    """One profile at one width. complaints: what pages did that no page may do."""

    context: BrowserContext
    origin: str
    complaints: list[str] = field(default_factory=list)
    _resting: Page | None = None
    _used: Page | None = None
    _window: ViewportSize = field(init=False)

    def open(self, path: str) -> Page:
        """A page by its path or whole URL, its charts drawn; its status has to be 200."""
        page, self._resting = self._resting or self._new_page(), None
        url = path if "://" in path else self.origin + path
        answer = page.goto(url)
        assert answer is not None
        assert answer.status == 200, f"{url}: {answer.status}"
        wait_for_charts(page)
        return page

    def told(self) -> list[str]:
        """The complaints, which are forgotten then."""
        complaints, self.complaints = self.complaints, []
        return complaints

    def rest(self) -> None:
        """Close the pages but for one, which is emptied: a new one would cost a process.

        Who emulates something in a page, or moves in its history, has a profile of their own.
        """
        if self._used is not None and self._used.is_closed():
            self._used = self._resting = None
        for page in self.context.pages:
            if page is not self._used:
                page.close()
        if self._used is not None and self._resting is None:
            self._used.goto("about:blank")
            self._used.mouse.move(0, 0)
            self._used.set_viewport_size(self._window)
            self._resting = self._used

    def _new_page(self) -> Page:
        page = self.context.new_page()
        self._listen(page)
        if self._used is None:
            assert page.viewport_size is not None
            self._used, self._window = page, page.viewport_size
        return page

    def _listen(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._note(page, f"error: {error}"))
        page.on("request", self._see_request)
        page.on("requestfailed", lambda request: self._see_failure(page, request))
        page.on("response", self._see_answer)
        page.on("dialog", self._see_dialog)

    def _note(self, page: Page, complaint: str) -> None:
        self.complaints.append(f"{path_of(page.url)}: {complaint}")

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.complaints.append(f"console {message.type}: {message.text} ({message.location})")

    def _see_request(self, request: Request) -> None:
        if not request.url.startswith((self.origin + "/", "data:", "blob:")):
            self.complaints.append(f"request to another host: {request.url}")

    def _see_answer(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")

    def _see_failure(self, page: Page, request: Request) -> None:
        # What the browser gives up because its page is left is nobody's fault.
        if request.failure != "net::ERR_ABORTED":
            self._note(page, f"request failed: {request.url} ({request.failure})")

    def _see_dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


def new_profile(browser: Browser, width: str, **options: Any) -> BrowserContext:
    """A fresh profile, at one of WIDTHS; options are those of Playwright's new_context()."""
    context = browser.new_context(**{"viewport": _viewport(width), **options})
    context.set_default_timeout(20_000)
    context.add_init_script(_TELL_VIOLATIONS)
    return context


def resize(page: Page, width: str) -> None:
    """The page's window at another of WIDTHS, its charts drawn for it."""
    page.set_viewport_size(_viewport(width))
    page.evaluate(_NEXT_FRAME)
    wait_for_charts(page)


def _viewport(width: str) -> ViewportSize:
    across, down = WIDTHS[width]
    return {"width": across, "height": down}


def wait_for_charts(page: Page) -> None:
    """Until every chart that can be seen is drawn; fails with what a chart says instead."""
    try:
        page.wait_for_function(_CHARTS_ARE_DRAWN)
    except Error as exc:
        words = page.locator(".chart-message").all_text_contents()
        raise AssertionError(f"{page.url}: charts were not drawn: {words}") from exc
    words = [text for text in page.locator(".chart-message").all_text_contents() if "could" in text]
    assert words == [], page.url


def path_of(url: str) -> str:
    """Path, query and fragment of a URL."""
    return urlsplit(url)._replace(scheme="", netloc="").geturl()


def keep_picture(page: Page, path: Path) -> Path:
    """The whole page as a PNG.

    The window is made as high as the page: a picture of more than the window would for a moment
    change its width too, and have every chart drawn anew.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    window = page.viewport_size
    assert window is not None
    height = int(page.evaluate("() => document.scrollingElement.scrollHeight"))
    page.set_viewport_size({"width": window["width"], "height": max(height, window["height"])})
    page.screenshot(path=path)
    page.set_viewport_size(window)
    return path
