"""Static files and large pages without a web server in front."""

from __future__ import annotations

import gzip
import re
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers
from whitenoise.middleware import WhiteNoiseMiddleware

TEXTS = ("text/", "application/json", "image/svg+xml")  # what becomes much smaller
SMALL = 500  # bytes that are not worth it
LARGE = 32 * 1024  # bytes of a page; smaller ones, among them all that show a secret once, are sent as they are
TAKES_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))")


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise, with answers held in memory: its file responses are sync iterators, which ASGI can stream only by
    reading them whole in another thread, and warns about. Texts without a .gz file beside them are compressed here."""

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponseBase:
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file:
                content = found.file.read()
        response = HttpResponse(content, status=found.status)
        del response["Content-Type"]
        for name, value in found.headers:
            response[name] = value
        return _compressed(response, request)


def _compressed(response: HttpResponse, request: HttpRequest) -> HttpResponse:
    """*response*, smaller when it is a text and the browser takes it so."""
    texts = response.headers.get("Content-Type", "").startswith(TEXTS)
    if response.status_code != 200 or not texts or len(response.content) < SMALL or "Content-Encoding" in response:
        return response
    patch_vary_headers(response, ["Accept-Encoding"])
    if TAKES_GZIP.search(request.headers.get("Accept-Encoding", "")):
        response.content = _gzip(response.content)
        response["Content-Encoding"] = "gzip"
        response["Content-Length"] = str(len(response.content))
    return response


@lru_cache(maxsize=64)
def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=9, mtime=0)


class LargePagesMiddleware(GZipMiddleware):
    """Compresses pages of many rows. What is streamed or for programs stays: events must not wait in a buffer."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        html = response.headers.get("Content-Type", "").startswith("text/html")
        if not html or not isinstance(response, HttpResponse) or len(response.content) < LARGE:
            return response
        return super().process_response(request, response)
