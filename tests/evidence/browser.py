# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real, headless Chromium, driven by the DevTools protocol over a pipe: no port, no driver, no WebSocket.

The protocol's messages are JSON, each ended by a NUL byte; Chromium reads them from descriptor 3 and answers on 4
(chromium, content/browser/devtools/devtools_pipe_handler.cc).
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--mute-audio",
    "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--font-render-hinting=none", "--hide-scrollbars",
    # Nothing has an address: a request that a page tries to make fails at once, and is seen.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)  # fmt: skip


class BrowserError(Exception):
    """Chromium did not do what it was asked."""


def install() -> Path:
    """The browser of Debian's package chromium, installed where it is missing and we may.

    :raises BrowserError: says what to do when it cannot be installed.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found:
        return Path(found)
    remedy = "install it: apt-get install -y chromium"
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise BrowserError(f"Chromium is missing and only root can install it; {remedy}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "--quiet"],
        # The lab may be installing what it needs at the same time.
        [
            "apt-get",
            "install",
            "--yes",
            "--quiet",
            "--no-install-recommends",
            "-o",
            "DPkg::Lock::Timeout=600",
            "chromium",
        ],
    ):
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, timeout=900, check=False)
        if done.returncode != 0:
            raise BrowserError(f"{' '.join(command)} failed: {done.stderr[-500:]}; {remedy}")
    return Path(shutil.which("chromium") or "/usr/bin/chromium")


class Browser:
    """One running Chromium with one page."""

    def __init__(self, program: Path, folder: Path) -> None:
        asks, self._asks = os.pipe()
        self._answers, answers = os.pipe()
        # Low numbers may be taken here already: in the child, and only there, they become 3 and 4.
        asks, answers = _above(asks), _above(answers)

        def low() -> None:
            os.dup2(asks, 3)
            os.dup2(answers, 4)

        self._process = subprocess.Popen(
            [str(program), *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=low, pass_fds=(3, 4), env={**os.environ, "HOME": str(folder)},
        )  # fmt: skip
        os.close(asks)
        os.close(answers)
        self._number, self._buffer = 0, b""
        self.events: list[dict[str, Any]] = []
        self._session = ""
        targets = self.send("Target.getTargets")["targetInfos"]
        page = next(target for target in targets if target["type"] == "page")
        attached = self.send("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log", "Accessibility"):
            self.send(f"{domain}.enable")

    def send(self, method: str, timeout: float = 60.0, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer; events that come meanwhile are kept."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._asks, json.dumps(message).encode() + b"\0")
        limit = time.monotonic() + timeout
        while True:
            answer = self._read(limit, method)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def _read(self, limit: float, what: str) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, limit - time.monotonic()))
            part = os.read(self._answers, 1 << 20) if ready else b""
            if not part:
                raise BrowserError(f"Chromium did not answer {what} (exit code {self._process.poll()})")
            self._buffer += part
        head, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(head)

    def wait(self, event: str, timeout: float = 60.0) -> dict[str, Any]:
        """The next event of this name."""
        limit = time.monotonic() + timeout
        while True:
            for index, seen in enumerate(self.events):
                if seen.get("method") == event:
                    return self.events.pop(index)["params"]
            self.events.append(self._read(limit, event))

    def open(self, page: Path, width: int = 1280, height: int = 900, dark: bool = False, mobile: bool = False) -> None:
        """Load a file as a person with this window and preference would."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media="", features=[scheme])
        # A page that is open already would only be scrolled.
        self.events.clear()
        self.send("Page.navigate", url="about:blank")
        self.wait("Page.loadEventFired")
        self.events.clear()
        self.send("Page.navigate", url=page.as_uri())
        self.wait("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """The value of an expression in the page; works where the page itself may run no script."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def requests(self) -> list[str]:
        """Addresses that were asked for since the page was opened."""
        return [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """What the page's console and the browser's own log say: refused scripts, broken style."""
        found = []
        for event in self.events:
            if event.get("method") == "Log.entryAdded":
                found.append(event["params"]["entry"]["text"])
            if event.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
                found.append(json.dumps(event["params"])[:400])
        return found

    def press(self, key: str) -> None:
        """One key, down and up."""
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        more = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
        for kind in ("keyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=codes[key],
                **(more if kind == "keyDown" else {}),
            )  # fmt: skip

    def picture(self, path: Path, height: int | None = None) -> None:
        """A PNG of the page from its top, as wide as the window; as high as the page unless a height is given."""
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], height or 16000), "scale": 1}
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self) -> bytes:
        """The page as a printer gets it, A4."""
        return base64.b64decode(self.send("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)["data"])

    def close(self) -> None:
        """End it, kindly and then not."""
        with contextlib.suppress(BrowserError, OSError):
            self._session = ""
            self.send("Browser.close", timeout=10)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        os.close(self._asks)
        os.close(self._answers)


def _above(descriptor: int) -> int:
    """The same pipe under a number that 3 and 4 do not overwrite."""
    kept = []
    while descriptor < 5:
        kept.append(descriptor)
        descriptor = os.dup(descriptor)
    for number in kept:
        os.close(number)
    return descriptor


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser for as long as it is needed; its profile goes with it."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        running = Browser(install(), Path(folder))
        try:
            yield running
        finally:
            running.close()
