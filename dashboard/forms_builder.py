"""The form of one task in the builder: its fields beside the inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy

from dashboard.contexts.common import priority_word
from orchestration.conf import conf
from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.json_gate import parse_json, safe_text
from orchestration.domain.lint import PRIORITIES
from orchestration.domain.outline_edit import Item
from orchestration.domain.task_fields import CHECKS, STRATEGIES, Limits
from orchestration.executors.registry import all_executors, find

NUMBERS = ("timeout_s", "max_attempts", "base_s", "cap_s")
TEXT, SELECT = {"class": "form-control", "autocomplete": "off"}, {"class": "form-select"}
GROUP = gettext_lazy("none: a folder, or a point to wait for")


def _text(label: Any, help_text: Any = "", **attributes: Any) -> forms.CharField:
    return forms.CharField(
        label=label, help_text=help_text, required=False, strip=False, widget=forms.TextInput(TEXT | attributes)
    )


class TaskForm(forms.Form):
    """The fields of a task. After `is_valid`, `changes` is what to put into the draft (None: at its default)."""

    name = _text(gettext_lazy("Name"), maxlength="255")
    executor = forms.CharField(label=gettext_lazy("Executor"), required=False, widget=forms.Select(SELECT))
    priority = forms.CharField(label=gettext_lazy("Priority"), required=False, widget=forms.Select(SELECT))
    timeout_s = _text(gettext_lazy("Timeout (seconds)"), placeholder=gettext_lazy("none"), inputmode="decimal")
    max_attempts = _text(gettext_lazy("Attempts"), placeholder=gettext_lazy("1: no retry"), inputmode="numeric")
    strategy = forms.CharField(label=gettext_lazy("Wait between attempts"), required=False, widget=forms.Select(SELECT))
    base_s = _text(gettext_lazy("First wait (seconds)"), inputmode="decimal")
    cap_s = _text(gettext_lazy("Longest wait (seconds)"), inputmode="decimal")
    params = forms.CharField(
        label=gettext_lazy("Executor parameters (JSON)"),
        required=False,
        widget=forms.Textarea({"class": "form-control mono", "rows": 3, "spellcheck": "false"}),
    )

    def __init__(self, item: Item, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=_initial(item), auto_id="id_%s")
        self.item = item
        self.changes: dict[str, Any] = {}
        for name, choices in (
            ("executor", _executor_choices(item.get("executor", ""))),
            ("priority", [(str(number), priority_word(number)) for number in PRIORITIES]),
            ("strategy", [("", gettext("default")), *((word, word) for word in STRATEGIES)]),
        ):
            self.fields[name].widget.choices = choices

    def clean(self) -> dict[str, Any]:
        """Checks each field as the import of an array does, and in its words."""
        given = self.cleaned_data
        values: dict[str, Any] = {"name": given.get("name", "").strip()}
        values["priority"] = _number(given.get("priority", "2"))
        values["timeout_s"], values["max_attempts"] = _number(given["timeout_s"]), _number(given["max_attempts"])
        backoff = {key: _number(given[key]) for key in ("base_s", "cap_s")} | {"strategy": given["strategy"] or None}
        values["backoff"] = {key: value for key, value in backoff.items() if value is not None}
        values["params"] = self._params(given["params"])
        self._check(values)
        self._check_executor(given.get("executor", ""))
        return given

    def _params(self, text: str) -> Any:
        try:
            return parse_json(text, max_bytes=conf().max_inputs_bytes) if text.strip() else {}
        except Invalid as error:
            self.add_error("params", error.problems[0].message)
            return {}

    def _check(self, values: Mapping[str, Any]) -> None:
        limits = Limits(conf().max_inputs_bytes, conf().max_depth)
        for key, value in values.items():
            problems: list[Problem] = []
            checked = CHECKS[key](value, key, limits, problems)
            for problem in problems:
                leaf = problem.path.rpartition(".")[2]
                self.add_error(leaf if leaf in self.fields else key if key in self.fields else None, problem.message)
            if not problems:
                self.changes[key] = None if checked == DEFAULT_VALUES.get(key, "") else checked

    def _check_executor(self, text: str) -> None:
        known = find(text)
        if known is None and text and text != self.item.get("executor"):
            self.add_error(
                "executor",
                (
                    gettext("there is no executor '%(safe_text)s': choose one of the list")
                    % {"safe_text": safe_text(text, 100)}
                ),
            )
        else:
            self.changes["executor"] = known.id if known else text


DEFAULT_VALUES: dict[str, Any] = {"priority": 2, "timeout_s": None, "max_attempts": 1, "backoff": {}, "params": {}}


def _initial(item: Item) -> dict[str, str]:
    backoff = item.get("backoff", {})
    found = {key: item.get(key, backoff.get(key)) for key in NUMBERS}
    texts = {key: "" if value is None else f"{value:g}" for key, value in found.items()}
    params = item.get("params", {})
    return {
        **texts,
        "name": item["name"],
        "executor": item.get("executor", ""),
        "priority": str(item.get("priority", 2)),
        "strategy": backoff.get("strategy", ""),
        "params": json.dumps(params, indent=2, ensure_ascii=False) if params else "",
    }


def _executor_choices(current: str) -> list[tuple[str, str]]:
    known = [(executor.id, f"{executor.name} ({executor.id})") for executor in all_executors()]
    lost = (
        [(current, (gettext("%(current)s: not installed") % {"current": current}))]
        if current and find(current) is None
        else []
    )
    return [("", str(GROUP)), *lost, *known]


def _number(text: str) -> Any:
    """A number if it is one; None for nothing; else the text, which will be refused in words."""
    text = text.strip()
    if not text:
        return None
    try:
        return int(text) if text.lstrip("-").isdecimal() and len(text) < 20 else float(text)
    except ValueError:
        return text
