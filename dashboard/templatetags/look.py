"""Glyphs, icons and numbers of the pages."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dashboard.contexts.common import State
from orchestration.domain.story import duration_words

register = template.Library()
THEMES = ("light", "dark")


@register.simple_tag
def icon(name: str) -> SafeString:
    """A line icon of the sprite; decoration, hidden from screen readers."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="#i-{}"/></svg>', name)


@register.simple_tag
def glyph(state: State, size: str = "") -> SafeString:
    """The shape of *state*, in its colour; the word stands beside it."""
    return _shape(state.key, size)


@lru_cache(maxsize=64)
def _shape(key: str, size: str) -> SafeString:
    """A page has hundreds, of a dozen kinds."""
    large = " glyph-lg" if size == "lg" else ""
    return format_html('<svg class="glyph s-{}{}" aria-hidden="true"><use href="#g-{}"/></svg>', key, large, key)


@register.simple_tag
def state_label(state: State) -> SafeString:
    """Shape and word of *state*."""
    return format_html(
        '<span class="state s-{}">{} <span class="word">{}</span></span>', state.key, glyph(state), state.word
    )


@register.simple_tag
def bar(segments: tuple[Any, ...], label: str, size: str = "") -> SafeString:
    """A progress bar by state; *label* says the same in words."""
    rect = '<rect class="{}" x="{}" y="0" width="{}" height="8"/>'
    rects = format_html_join("", rect, ((s.key, s.x, s.width) for s in segments))
    return format_html(
        '<svg class="bar {}" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        size, label, rects,
    )  # fmt: skip


@register.simple_tag
def moment(at: datetime | None) -> SafeString:
    """A time as "3 min ago" that keeps itself current; the absolute time on hover."""
    if at is None:
        return SafeString("—")
    text = f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S %Z}"
    return format_html('<time class="num" datetime="{}" title="{}" data-ago>{}</time>', at.isoformat(), text, text)


@register.simple_tag
def clock(since: float, text: str) -> SafeString:
    """A duration; it counts on by itself while *since* (seconds since 1970) is set."""
    if not since:
        return format_html('<span class="num">{}</span>', text)
    return format_html('<span class="num" data-since="{}">{}</span>', f"{since:.3f}", text)


@register.filter
def thousands(value: int) -> str:
    """10,000 rather than 10000."""
    return f"{value:,}"


@register.filter
def seconds(value: float) -> str:
    """Seconds in words."""
    return duration_words(value)


@register.simple_tag(takes_context=True)
def theme_attribute(context: template.Context) -> SafeString:
    """The chosen theme for <html>, or nothing: then the system's choice holds."""
    request = context.get("request")
    theme = request.COOKIES.get("theme", "") if request else ""
    return format_html(' data-bs-theme="{}"', theme) if theme in THEMES else SafeString("")


@register.simple_tag
def zone_attribute() -> SafeString:
    """The time zone of the viewer for <html>: the script writes times that come over the socket in it too."""
    return format_html(' data-zone="{}"', timezone.get_current_timezone_name())


@register.simple_tag(takes_context=True)
def nav_item(context: template.Context, name: str, icon_name: str, label: str) -> SafeString:
    """An entry of the main menu, marked when the page is in its section."""
    url = reverse(name)
    path = context["request"].path if context.get("request") else ""
    here = path == url if name == "overview" else path.startswith(url)
    return format_html(
        '<li><a class="nav-link" href="{}"{}>{}<span>{}</span></a></li>',
        url, SafeString(' aria-current="page"') if here else "", icon(icon_name), label,
    )  # fmt: skip
