"""A page in headless Chromium, by chromedriver: what it asks for, what it says on the console, how it looks.

Debian has both as `chromium` and `chromium-driver`.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import Request, urlopen

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


class Browser:
    """A browser with an empty profile."""

    def __enter__(self) -> Browser:
        self.profile = tempfile.TemporaryDirectory()
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        port = next(
            found[1]
            for line in self.driver.stdout
            if (found := re.search(r"successfully on port (\d+)", line))
        )
        self.address = f"http://127.0.0.1:{port}/session"
        wanted = {
            "goog:chromeOptions": {"args": [*FLAGS, f"--user-data-dir={self.profile.name}"]},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        session = self._ask("", {"capabilities": {"alwaysMatch": wanted}})
        self.address += f"/{session['sessionId']}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        urlopen(Request(self.address, method="DELETE")).close()
        self.driver.terminate()
        self.driver.wait()
        self.profile.cleanup()

    def open(self, path: Path, width: int, scheme: str = "light", medium: str = "screen") -> None:
        """Show a file in a window so wide, "light" or "dark", as on a "screen" or in "print"."""
        size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
        self.cdp("Emulation.setDeviceMetricsOverride", **size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.cdp("Emulation.setEmulatedMedia", media=medium, features=features)
        self.address_of_page = path.resolve().as_uri()
        self._ask("/url", {"url": self.address_of_page})

    def console(self) -> list[str]:
        """Return what the page, or the browser about it, said since the last call."""
        return [entry["message"] for entry in self._ask("/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """Return what the page asked for since the last call, but for itself."""
        log = self._ask("/se/log", {"type": "performance"})
        events = [json.loads(entry["message"])["message"] for entry in log]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        of_page = [each["request"]["url"] for each in sent if each["documentURL"] == self.address_of_page]
        assert self.address_of_page in of_page
        return [url for url in of_page if url != self.address_of_page]

    def evaluate(self, script: str) -> Any:
        """Return what a script returns."""
        return self._ask("/execute/sync", {"script": script, "args": []})

    def screenshot(self, path: Path) -> None:
        """Write the whole page as PNG."""
        picture = self.cdp("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        path.write_bytes(base64.b64decode(picture["data"]))

    def cdp(self, command: str, **parameters: Any) -> Any:
        """Return what a command of the DevTools protocol gives."""
        return self._ask("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def _ask(self, path: str, content: dict[str, Any]) -> Any:
        request = Request(
            self.address + path, json.dumps(content).encode(), {"Content-Type": "application/json"}
        )
        with urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())["value"]
