"""What the windows of a test complain of: nothing that a browser reports may pass unheard."""

from __future__ import annotations

REPORT = """addEventListener("securitypolicyviolation", (event) =>
  cspReport(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));"""
LEFT = "WebSocket is closed before the connection is established"  # the page was left while it was connecting


class Listener:
    """Hears the contexts that it was given."""

    def __init__(self) -> None:
        self._heard: list[str] = []
        self._forgiven: list[str] = [LEFT]

    def hear(self, context, *, script: bool) -> None:
        """Listen to all pages of *context*, in which scripts run or not."""
        if script:
            context.expose_binding("cspReport", lambda source, text: self._heard.append(f"CSP report: {text}"))
            context.add_init_script(REPORT)
        context.on("console", self._console)
        context.on("weberror", lambda error: self._heard.append(f"exception: {error.error}"))
        context.on("response", self._response)

    def forgive(self, *words: str) -> None:
        """Complaints with one of *words* in them are what the test is about."""
        self._forgiven += words

    def complaints(self) -> list[str]:
        """What was heard and not forgiven."""
        return [text for text in self._heard if not any(word in text for word in self._forgiven)]

    def _console(self, message) -> None:
        if message.type in {"error", "warning"}:
            self._heard.append(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _response(self, response) -> None:
        if response.status >= 500:
            self._heard.append(f"answer {response.status}: {response.url}")
