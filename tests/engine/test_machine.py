from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.factories import make_user
from tests.mutants.machine import Machine

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

# no database of examples (it would live in the working directory), no deadline (other tests may run beside)
SETTINGS = settings(
    max_examples=30,
    stateful_step_count=30,
    deadline=None,
    database=None,
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


def test_whatever_happens_the_rows_tell_the_same_as_the_events():
    make_user()
    run_state_machine_as_test(Machine, settings=SETTINGS)
