"""The sample trees of examples/."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User

from orchestration.builders.array import spec_from_text
from orchestration.models import Tree
from orchestration.services.trees import tree_create

LABEL = "sample"
OURSELVES = b"127.0.0.1:8000"  # what the files call the server that they are loaded into


def sample_files() -> list[Path]:
    """The files that `samples_load` reads, in order."""
    return sorted((Path(settings.BASE_DIR) / "examples").glob("[0-9]*.json"))


def samples_load(*, owner: User, server: str = OURSELVES.decode()) -> list[Tree]:
    """The sample trees that *owner* did not have yet, now stored with the label "sample".

    *server*: host and port of the server that samples call themselves.
    Raises Invalid when a file uses an executor of an application that is not installed.
    """
    mine = Tree.objects.filter(owner=owner).values_list("name", "labels")
    present = {name for name, labels in mine if LABEL in labels}
    texts = [path.read_bytes().replace(OURSELVES, server.encode()) for path in sample_files()]
    specs = [spec_from_text(text, format="json") for text in texts]
    return [tree_create(owner=owner, spec=spec, labels=[LABEL]) for spec in specs if spec.name not in present]
