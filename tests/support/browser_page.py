"""A tab of the browser, used as a person does: by what is written on it, with mouse and keys."""

from __future__ import annotations

import base64
import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.devtools import PATIENCE, DevTools, DevToolsError, Parameters

POLL = 0.04
GLANCE = 10.0
"""How long to wait for one look at a page: while it is being left, the browser may not answer at all."""

# Where to click on the first visible element that matches and has the text; null while there is none.
_FIND = """
(async ({selector, text}) => {
  // Before its first frames a page takes no input.
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  const named = (element) => [element.innerText, element.getAttribute("aria-label"), element.value]
    .some((name) => typeof name === "string" && name.includes(text));
  const element = [...document.querySelectorAll(selector)].find((one) => one.checkVisibility() && named(one));
  if (element === undefined) return null;
  element.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
  const {x, y, width, height} = element.getBoundingClientRect();
  const point = {x: x + width / 2, y: y + height / 2};
  const hit = document.elementFromPoint(point.x, point.y);
  if (hit === null || !(element.contains(hit) || hit.contains(element))) return null;
  window.isUnpressed = true;
  const pressed = ({target}) => element.contains(target) && delete window.isUnpressed;
  window.addEventListener("mousedown", pressed, {capture: true, once: true});
  return point;
})
"""
_ATTEMPTS = 5
KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "Space": (" ", 32, " "),
}


@dataclass
class Answer:
    """One answer a page got: its URL, fields and body, and the method of the request."""

    method: str
    url: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""


@dataclass
class Seen:
    """What a page has done so far."""

    urls: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    not_kept: list[str] = field(default_factory=list)


class Page:
    """A tab; every wait is for something to appear and raises `AssertionError` when it does not."""

    def __init__(
        self, devtools: DevTools, target: str, *, record: bool = False, ignore_certificates: bool = False
    ) -> None:
        self._devtools = devtools
        self._target = target
        self.seen = Seen()
        self._arrivals = 0
        self._paused: queue.Queue[Parameters | None] = queue.Queue()
        self._made_up: Parameters | None = None
        attached = devtools.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session: str = attached["sessionId"]
        devtools.listen(self._session, self._notice)
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.call(f"{domain}.enable")
        # A tab that nobody looks at would not get keys.
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        if ignore_certificates:
            self.call("Security.setIgnoreCertificateErrors", ignore=True)
        if record:
            threading.Thread(target=self._record, name="answers", daemon=True).start()
            self.call("Fetch.enable", patterns=[{"urlPattern": "*", "requestStage": "Response"}])
        self.resize(1280, 860)

    # What a person does.

    def go(self, url: str) -> None:
        """Type an address."""
        arrivals = self._arrivals
        answer = self.call("Page.navigate", url=url)
        assert "errorText" not in answer, f"{url}: {answer['errorText']}"
        self._devtools.wait_for(lambda: self._arrivals > arrivals, f"the page {url}")

    def reload(self) -> None:
        """Press the reload button."""
        arrivals = self._arrivals
        self.call("Page.reload")
        self._devtools.wait_for(lambda: self._arrivals > arrivals, "the page once more")

    def back(self, steps: int = 1) -> str:
        """Press the back button; return the address of the page it led to."""
        history = self.call("Page.getNavigationHistory")
        entry = history["entries"][history["currentIndex"] - steps]
        arrivals = self._arrivals
        self.call("Page.navigateToHistoryEntry", entryId=entry["id"])
        self._devtools.wait_for(lambda: self._arrivals > arrivals, "the page before")
        url: str = entry["url"]
        return url

    def addresses(self) -> list[str]:
        """Return the addresses in this tab's history up to the one shown."""
        history = self.call("Page.getNavigationHistory")
        return [entry["url"] for entry in history["entries"][: history["currentIndex"] + 1]]

    def click(self, selector: str, text: str = "") -> None:
        """Click the first visible element that has the text."""
        find = f"{_FIND}({json.dumps({'selector': selector, 'text': text})})"
        self.call("Page.bringToFront")
        for _ in range(_ATTEMPTS):
            point = self.eventually(find, f"{selector} {text!r} to click")
            for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
                button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
                self.call("Input.dispatchMouseEvent", type=kind, **point, **button)
            # A page that is not painted yet drops what it gets; one that is leaving has got it.
            with contextlib.suppress(DevToolsError, PageError):
                if self.evaluate("window.isUnpressed === true", patience=GLANCE):
                    continue
            return
        raise AssertionError(f"{selector} {text!r} does not react.")

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key of `KEYS`."""
        name, code, text = KEYS[key]
        common = {"key": name, "code": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        for character in text:
            self.call("Input.dispatchKeyEvent", type="keyDown", text=character, key=character)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=character)

    def tab_to(self, text: str, *, longest: int = 60) -> None:
        """Press Tab until what has the focus has the text."""
        for _ in range(longest):
            self.press("Tab")
            if text in self.focused():
                return
        raise AssertionError(f"No {text!r} is reached with the Tab key.")

    # What a person sees.

    def text(self) -> str:
        """Return the text that can be seen."""
        text: str = self.evaluate("document.body === null ? '' : document.body.innerText")
        return text

    def focused(self) -> str:
        """Return the name of what has the focus."""
        name: str = self.evaluate(
            "(({activeElement: e, body}) => e === body ? '' : [e.getAttribute('aria-label'), e.labels?.[0]?.innerText, "
            "e.innerText, e.name].find((name) => name) ?? '')(document)"
        )
        return name

    def address(self) -> str:
        """Return the address."""
        address: str = self.evaluate("location.href")
        return address

    def wait_for(self, text: str, *, patience: float = PATIENCE) -> None:
        """Wait until the text can be seen."""
        self.eventually(f"document.body.innerText.includes({json.dumps(text)})", repr(text), patience=patience)

    def wait_without(self, text: str, *, patience: float = PATIENCE) -> None:
        """Wait until the text can be seen no more."""
        condition = f"!document.body.innerText.includes({json.dumps(text)})"
        self.eventually(condition, f"the end of {text!r}", patience=patience)

    def wait_for_address(self, address: str) -> None:
        """Wait until the address is this one."""
        self.eventually(f"location.href === {json.dumps(address)}", address)

    def eventually(self, expression: str, what: str, *, patience: float = PATIENCE) -> Any:
        """Evaluate until the value is true, and return it."""
        deadline = time.monotonic() + patience
        while True:
            # The page may be about to change.
            with contextlib.suppress(DevToolsError, PageError):
                value = self.evaluate(expression, patience=GLANCE)
                if value:
                    return value
            if time.monotonic() >= deadline:
                raise AssertionError(f"{what} did not appear. The page is:\n{self._description()}")
            time.sleep(POLL)

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until what was seen fulfils the condition."""
        self._devtools.wait_for(condition, what)

    def evaluate(self, expression: str, *, patience: float = PATIENCE) -> Any:
        """Return the JSON value of a script's expression, awaited; raises `PageError`."""
        parameters = {"expression": expression, "awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = self._devtools.call("Runtime.evaluate", self._session, patience=patience, **parameters)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    # How it is looked at.

    def resize(self, width: int, height: int, *, scale: float = 1, phone: bool = False) -> None:
        """Set the size in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone
        )

    def prefer(self, colour_scheme: str) -> None:
        """Prefer `light` or `dark`; no transition is waited for."""
        features = [
            {"name": "prefers-color-scheme", "value": colour_scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.call("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path: Path, part: str | None = None) -> None:
        """Write what can be seen as a PNG file, or the part that a selector names with a margin around it."""
        clip = {}
        if part is not None:
            box = self.evaluate(
                f"(({{x, y, width, height}}) => ({{x: x + scrollX - 16, y: y + scrollY - 16, width: width + 32, "
                f"height: height + 32, scale: 1}}))(document.querySelector({json.dumps(part)}).getBoundingClientRect())"
            )
            clip = {"clip": box, "captureBeyondViewport": True}
        answer = self.call("Page.captureScreenshot", format="png", **clip)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def hold(self, url_pattern: str) -> None:
        """Let requests to such addresses wait for ever."""
        self.call("Fetch.enable", patterns=[{"urlPattern": url_pattern, "requestStage": "Request"}])

    def answer(self, url_pattern: str, status: int, document: dict[str, Any]) -> None:
        """Answer requests to such addresses with a problem document, in the server's place."""
        fields = [{"name": "Content-Type", "value": "application/problem+json"}]
        body = base64.b64encode(json.dumps(document).encode()).decode()
        self._made_up = {"responseCode": status, "responseHeaders": fields, "body": body}
        self.hold(url_pattern)

    def release(self) -> None:
        """Let the requests that were held or answered go on."""
        self._made_up = None
        self.call("Fetch.disable")

    def call(self, method: str, **parameters: Any) -> Parameters:
        """Call the DevTools protocol for this tab."""
        return self._devtools.call(method, self._session, **parameters)

    def detach(self) -> None:
        """Stop recording."""
        self._paused.put(None)

    def _description(self) -> str:
        try:
            return f"{self.address()}\n{self.text()}"
        except (DevToolsError, PageError) as fault:
            return f"(not there: {fault})"

    def _notice(self, method: str, event: Parameters) -> None:
        match method:
            case "Page.frameNavigated" if "parentId" not in event["frame"]:
                if event.get("type") == "BackForwardCacheRestore":
                    self._arrivals += 1
            case "Page.loadEventFired":
                self._arrivals += 1
            case "Page.backForwardCacheNotUsed":
                self.seen.not_kept = [one["reason"] for one in event["notRestoredExplanations"]]
            case "Network.requestWillBeSent":
                self.seen.urls.append(event["request"]["url"])
            case "Runtime.consoleAPICalled":
                words = [str(one.get("value", one.get("description", ""))) for one in event["args"]]
                self.seen.console.append(" ".join(words))
                if event["type"] in ("error", "warning", "assert"):
                    self.seen.complaints.append(f"console.{event['type']}: {' '.join(words)}")
            case "Runtime.exceptionThrown":
                details = event["exceptionDetails"]
                text = details.get("exception", {}).get("description") or details["text"]
                self.seen.complaints.append(f"exception: {text}")
            case "Log.entryAdded":
                entry = event["entry"]
                self.seen.console.append(f"{entry['text']} {entry.get('url', '')}")
                if entry["level"] in ("error", "warning"):
                    self.seen.complaints.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}".strip())
            case "Audits.issueAdded":
                if event["issue"]["code"] == "ContentSecurityPolicyIssue":
                    self.seen.complaints.append(f"policy: {json.dumps(event['issue']['details'])}")
            case "Fetch.requestPaused" if self._made_up is not None:
                self._devtools.send(
                    "Fetch.fulfillRequest", self._session, requestId=event["requestId"], **self._made_up
                )
            case "Fetch.requestPaused":
                self._paused.put(event)

    def _record(self) -> None:
        """Keep each answer before the page gets it."""
        while (event := self._paused.get()) is not None:
            headers = [(header["name"], header["value"]) for header in event.get("responseHeaders", ())]
            request = event["request"]
            status = event.get("responseStatusCode", 0)
            answer = Answer(request["method"], request["url"], status, headers)
            # A redirection has no body to ask for.
            with contextlib.suppress(DevToolsError):
                body = self.call("Fetch.getResponseBody", requestId=event["requestId"])
                text = body["body"]
                answer.body = base64.b64decode(text) if body["base64Encoded"] else text.encode()
            self.seen.answers.append(answer)
            with contextlib.suppress(DevToolsError):
                self.call("Fetch.continueRequest", requestId=event["requestId"])


class PageError(Exception):
    """A script failed in the page."""
