"""Scenarios that a named test plays, and those that wait, with the reason."""

from __future__ import annotations

ELSEWHERE = {
    14: "tests/services/test_runs.py::test_a_second_run_is_refused_while_one_is_active_and_the_answer_names_it",
    24: "tests/builders/test_array_bad.py::CASES",
    26: "tests/builders/test_array_bad.py::cycle",
    28: "tests/builders/test_link.py::test_only_what_is_fully_completed_can_be_linked",
    29: "tests/builders/test_mixed.py::test_another_users_tasks_cannot_be_linked",
    30: "tests/builders/test_copy.py::test_overrides_change_the_copy_alone",
    31: "tests/builders/test_copy.py::test_a_copy_of_a_run_tree_starts_from_the_beginning",
    32: "tests/builders/test_copy.py::test_lineage_is_kept_per_task",
    33: "tests/builders/test_copy.py::test_what_a_copy_of_a_part_takes",
    34: "tests/builders/test_mixed.py::test_what_is_named_is_linked_and_all_else_copied",
    35: "tests/builders/test_archive.py::test_the_database_refuses_every_change",
    36: "tests/engine/test_engine.py::test_one_slot_takes_the_most_urgent_first_over_all_runs",
    39: "tests/engine/test_engine.py::test_an_optional_dependent_waits_and_runs_after_the_failure_knowing_it",
    40: "tests/engine/test_engine.py::test_an_optional_dependent_waits_and_runs_after_the_failure_knowing_it",
    44: "tests/services/test_transitions_races.py::test_a_meeting_point_of_two_starts_once",
    45: "tests/engine/test_cancel.py::test_what_has_ended_cannot_be_cancelled_and_the_answer_names_its_state",
    46: "tests/engine/test_cancel.py::test_a_running_task_is_stopped_with_the_reason_and_its_dependents_hear_of_it",
    47: "tests/engine/test_cancel.py::test_after_the_cancel_of_a_run_nothing_of_it_starts",
    48: "tests/engine/test_recovery.py::test_after_kill_9_the_next_engine_takes_over_within_five_seconds",
    49: "tests/services/test_runs.py::test_re_running_from_a_task_hands_on_new_results_only",
    51: "tests/services/test_runs.py::test_re_running_from_a_task_hands_on_new_results_only",
    52: "tests/services/test_runs.py::test_only_runs_a_task_and_the_upstream_it_lacks",
    53: "tests/api/test_answers.py::test_a_repeated_request_is_carried_out_once",
    54: "tests/services/test_runs.py::test_strangers_find_nothing_and_viewers_may_not",
    56: "tests/rpc/test_methods.py::test_delete_takes_what_is_under_it_and_refuses_what_is_awaited",
    57: "tests/builders/test_array_bad.py::CASES",
    59: "tests/api/test_access.py::test_matrix",
    60: "tests/webhooks/test_pump.py::test_it_is_tried_again_with_the_same_id_until_it_arrives",
    61: "tests/stream/test_two_ways.py::test_fifty_clients_see_every_event_once_and_in_order",
    65: "tests/triggers/test_hooks.py::test_signed_requests",
    68: "tests/engine/test_order_sizes.py::test_it_completes",
}
WAITS = (
    dict.fromkeys(range(17, 22), "no issue: hooks; the product has none, own executors take their place")
    | {22: "no issue: demonstration mode; the executor 'simulate' takes its place"}
    | dict.fromkeys(range(62, 65), "no issue yet: schedules")
    | {
        66: "no issue yet: calendar export of schedules",
        67: "no issue: an allow-list of executors",
    }
)
