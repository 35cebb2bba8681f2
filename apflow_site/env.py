"""Typed access to the environment: the only module that reads os.environ."""

from __future__ import annotations

import os
import re

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}


def env_str(name: str, default: str = "") -> str:
    """Text of variable *name*, or *default* when it is not set."""
    return os.environ.get(name, default)


def env_bool(name: str, *, default: bool = False) -> bool:
    """Truth of variable *name*. Raises ImproperlyConfigured for anything but 1/0, true/false, yes/no, on/off."""
    text = os.environ.get(name)
    if text is None:
        return default
    if text.strip().lower() in TRUE:
        return True
    if text.strip().lower() in FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={text!r}: write 1 or 0")


def env_int(name: str, default: int, *, minimum: int = 0) -> int:
    """Whole number of variable *name*. Raises ImproperlyConfigured when it is no number or below *minimum*."""
    text = os.environ.get(name)
    if text is None or not text.strip():
        return default
    try:
        number = int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={text!r}: write a whole number") from None
    if number < minimum:
        raise ImproperlyConfigured(f"{name}={number}: must be at least {minimum}")
    return number


def env_float(name: str, default: float, *, minimum: float = 0.0) -> float:
    """Number of variable *name*. Raises ImproperlyConfigured when it is no number or below *minimum*."""
    text = os.environ.get(name)
    if text is None or not text.strip():
        return default
    try:
        number = float(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={text!r}: write a number") from None
    if not number >= minimum:
        raise ImproperlyConfigured(f"{name}={number}: must be at least {minimum:g}")
    return number


def env_list(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """Comma-separated words of variable *name*, empty ones dropped."""
    text = os.environ.get(name)
    if text is None:
        return list(default)
    return [word.strip() for word in text.split(",") if word.strip()]


def env_limits(name: str) -> dict[str, int]:
    """Pairs of variable *name*, written `http=10,command=2`. Raises ImproperlyConfigured for anything else."""
    limits: dict[str, int] = {}
    for word in env_list(name):
        key, _, number = word.partition("=")
        if not key.strip() or not number.strip().isdecimal() or int(number) < 1:
            raise ImproperlyConfigured(f"{name}: '{word}' is not of the form executor=number (number at least 1)")
        limits[key.strip()] = int(number)
    return limits


def env_pairs(name: str) -> dict[str, str]:
    """Pairs of variable *name*, written `http=net,command=shell`. Raises ImproperlyConfigured for anything else."""
    pairs: dict[str, str] = {}
    for word in env_list(name):
        key, _, value = (part.strip() for part in word.partition("="))
        if not key or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
            raise ImproperlyConfigured(f"{name}: '{word}' is not of the form executor=queue (letters, digits, _ and -)")
        pairs[key] = value
    return pairs


def env_choice(name: str, choices: tuple[str, ...]) -> str:
    """Variable *name*, one of *choices*; the first of them when it is not set. Raises ImproperlyConfigured."""
    text = os.environ.get(name, "").strip().lower() or choices[0]
    if text not in choices:
        raise ImproperlyConfigured(f"{name}={text!r}: write one of {', '.join(choices)}")
    return text


def env_failpoints(name: str) -> dict[str, str]:
    """Pairs of variable *name*, written `run.start=kill,engine.claim=sleep:0.5@3`. Raises ImproperlyConfigured."""
    points: dict[str, str] = {}
    for word in env_list(name):
        point, _, action = (part.strip() for part in word.partition("="))
        if not re.fullmatch(r"(kill|raise|commit_then_raise|sleep:\d+(\.\d+)?)(@[1-9]\d*)?", action):
            forms = "kill, raise, commit_then_raise or sleep:SECONDS, maybe with @N for the N-th time only"
            raise ImproperlyConfigured(f"{name}: '{word}' is not of the form place=action: the action is {forms}")
        points[point] = action
    return points
