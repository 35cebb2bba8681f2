"""A proxy as many companies have one: pages pass, WebSockets may not."""

from __future__ import annotations

import contextlib
import socket
import threading
from http import HTTPStatus

CHUNK = 65536


class Proxy:
    """Forwards to *port* of this machine; `sockets`: whether an upgrade to a WebSocket passes; `silent`: else it is not
    even refused."""

    def __init__(self, port: int) -> None:
        self.sockets = False
        self.silent = False
        self.refused = 0
        self._target, self._open = port, True
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """From now on nobody answers."""
        self._open = False
        self._listener.shutdown(socket.SHUT_RDWR)  # else it goes on accepting until somebody comes
        self._listener.close()

    def _accept(self) -> None:
        while self._open:
            with contextlib.suppress(OSError):  # whoever came has gone already, or this is closed
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                part = client.recv(CHUNK)
                if not part:
                    return
                head += part
            upgrade = b"\r\nupgrade: websocket" in head.lower()
            if upgrade and not self.sockets:
                self.refused += 1
                if self.silent:
                    client.recv(CHUNK)  # until whoever asked gives up
                    return
                status = HTTPStatus.BAD_GATEWAY
                client.sendall(f"HTTP/1.1 {status} {status.phrase}\r\nContent-Length: 0\r\n\r\n".encode())
                return
            if not upgrade:  # one request for each connection, so that every head comes by here
                head = head.replace(b"Connection: keep-alive", b"Connection: close")
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                server.sendall(head)
                back = threading.Thread(target=_pour, args=(server, client), daemon=True)
                back.start()
                _pour(client, server)
                back.join()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(CHUNK):
            sink.sendall(part)
        sink.shutdown(socket.SHUT_WR)
