"""What a required dependency holds back is let go: the question, the act, and who may."""

from __future__ import annotations

import pytest

from orchestration.domain.errors import Conflict
from orchestration.models import Dependency, Run
from orchestration.services.release import dependency_release
from tests.dashboard.conftest import signed_in
from tests.dashboard.rows import start
from tests.dashboard.test_explain_pages import fail
from tests.factories import make_tree, make_user, task, task_named


def link(tree):
    return f"/tasks/{task_named(tree, 'send').pk}/release?on={task_named(tree, 'load').pk}"


def edge(tree):
    return Dependency.objects.get(task=task_named(tree, "send"), depends_on=task_named(tree, "load"))


def test_the_chain_has_the_button_and_the_question_says_what_runs(clients, tree):
    fail(tree)
    send = task_named(tree, "send")
    page = clients["ann"].get(f"/tasks/{send.pk}").content.decode()
    assert link(tree) in page
    assert link(tree) not in clients["bob"].get(f"/tasks/{send.pk}").content.decode()
    question = clients["ann"].get(link(tree)).content.decode()
    assert "Run “send” without “load”?" in question
    assert "Make it optional and run 1 task" in question
    assert "curl -X PATCH" in question
    assert edge(tree).required


def test_it_makes_the_dependency_optional_and_runs_the_task(clients, tree):
    run = fail(tree)
    answer = clients["ann"].post(link(tree))
    again = Run.objects.latest("pk")
    assert answer.headers["Location"] == again.get_absolute_url()
    assert again.pk != run.pk
    assert again.total == 1
    assert not edge(tree).required
    send = task_named(tree, "send")
    assert send.run_id == again.pk
    assert send.blocked_by_id is None


def test_only_who_may_change_the_tree_may_do_it(clients, tree):
    fail(tree)
    assert clients["bob"].get(link(tree)).status_code == 403
    assert clients["bob"].post(link(tree)).status_code == 403
    assert signed_in(make_user("eve")).post(link(tree)).status_code == 404
    assert clients["ann"].get(link(tree).split("?")[0]).status_code == 404
    assert edge(tree).required


def test_an_active_run_keeps_its_dependencies(clients, tree):
    fail(tree)
    start(tree)
    assert "dependencies can be changed once it has ended" in clients["ann"].get(link(tree)).content.decode()
    assert clients["ann"].post(link(tree)).status_code == 409
    assert edge(tree).required


@pytest.mark.django_db
def test_without_a_run_nothing_is_changed():
    draft = task("draft", executor="", inputs={"text": "nobody takes it yet"}, after=["send"])
    tree = make_tree(task("R"), task("load"), task("send", after=["load"]), draft)
    with pytest.raises(Conflict):
        dependency_release(user=tree.owner, task_id=task_named(tree, "send").pk, depends_on=task_named(tree, "load").pk)
    assert edge(tree).required
