"""What strangers send is bounded while it comes: Twisted and Django would first put all of it on disk or in memory."""

from __future__ import annotations

from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.conf import settings
from twisted.web.http import HTTPChannel

from orchestration.engine.backpressure import PatientServer

Channel: Any = HTTPChannel  # half typed
LINGER_S = 5  # after an early answer: closed while the other side sends, its system would throw the answer away


class BoundedChannel(Channel):
    """A connection that can answer before a request has come whole; then it drops the rest of it, and ends."""

    early = lingers = False

    def answer_early(self, request: BoundedRequest) -> None:
        self.early, self.persistent = True, False
        request.requestReceived(self._command, self._path, self._version)

    def dataReceived(self, data: bytes) -> None:
        if not self.early:
            super().dataReceived(data)

    def allContentReceived(self) -> None:
        if not self.early:
            super().allContentReceived()

    def loseConnection(self) -> None:
        if not self.early or self.lingers:
            super().loseConnection()
            return
        self.lingers = True
        self.setTimeout(LINGER_S)
        self._networkProducer.resumeProducing()
        self._networkProducer.unregisterProducer()
        self.transport.loseWriteConnection()


class BoundedRequest(WebRequest):
    """Its body is not longer than MAX_BODY_BYTES. One that is gets answered at once: the application is told of a
    length over the limit, and refuses it in the shape of its doors."""

    early = False

    def __init__(self, *args: Any, **options: Any) -> None:
        # forms are Django's: Twisted would read them before anything is limited, in the loop, and nobody looks at it
        super().__init__(*args, **options, parsePOSTFormSubmission=False)

    def gotLength(self, length: int | None) -> None:
        fits = length is None or length <= settings.MAX_BODY_BYTES
        super().gotLength(length if fits else 0)
        if not fits:
            self._answer_early()

    def handleContentChunk(self, data: bytes) -> None:
        if self.early:
            return
        if self.content.tell() + len(data) > settings.MAX_BODY_BYTES:
            self._answer_early()
        else:
            super().handleContentChunk(data)

    def _answer_early(self) -> None:
        self.early = True
        self.content.close()
        super().gotLength(0)
        for name in (b"Transfer-Encoding", b"Expect", b"Upgrade"):
            self.requestHeaders.removeHeader(name)
        self.requestHeaders.setRawHeaders(b"Content-Length", [b"%d" % (settings.MAX_BODY_BYTES + 1)])
        self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        self.channel.answer_early(self)


class BoundedSocket(WebSocketProtocol):
    """A message over MAX_SOCKET_BYTES is not kept: the application gets one that is too long in its place, and nothing
    after it. The limit of Daphne's own options is for both ways, and ends without a word."""

    early = False

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        if self.message_data_total_length > settings.MAX_SOCKET_BYTES and not self.early:
            self.early = True
            super().onMessage(bytes(settings.MAX_SOCKET_BYTES + 1), isBinary=True)

    def onMessageFrameData(self, payload: bytes) -> None:
        if not self.early:
            super().onMessageFrameData(payload)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if not self.early:
            super().onMessage(payload, isBinary)

    def serverClose(self, code: int | None = None) -> None:
        """Daphne's own knows no code but 1000 and those above 3000: it fails on 1009 and 1011."""
        self.sendCloseFrame(code=code or 1000)


class BoundedFactory(HTTPFactory):
    protocol = BoundedChannel

    def buildProtocol(self, addr: Any) -> Any:
        made = super().buildProtocol(addr)
        made.requestFactory = BoundedRequest
        return made


class BoundedServer(PatientServer):
    """Daphne makes its factories in the middle of `run`: what it sets is exchanged here."""

    @property
    def http_factory(self) -> HTTPFactory:
        return self._http_factory

    @http_factory.setter
    def http_factory(self, _: HTTPFactory) -> None:
        self._http_factory = BoundedFactory(self)

    @property
    def ws_factory(self) -> WebSocketFactory:
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, made: WebSocketFactory) -> None:
        made.protocol = BoundedSocket
        self._ws_factory = made
