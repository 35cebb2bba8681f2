"""Who may do what, for every route of the site. A new route needs a row here; see `world.ROLES` for the columns.

y: answered (also when the request itself is bad), l: asked to sign in, f: forbidden, n: not found (they do not learn
that it exists). Every other method of a route must be refused.
"""

from __future__ import annotations

# columns: anonymous, viewer, owner, other | shared view, shared run | admin, staff, superuser | read token, run token
TREE = "trees/<int:tree_id>"
RUN = "runs/<int:run_id>"
TASK = "tasks/<uuid:task_id>"
HOOK = "me/webhooks/<int:webhook_id>"
TRIGGER = f"{TREE}/triggers/<int:trigger_id>"
API = "api/v1/"
API_TREE, API_RUN, API_TASK = f"{API}{TREE}/", f"{API}{RUN}/", f"{API}{TASK}/"
API_HOOK = f"{API}webhooks/<int:webhook_id>/"
READ_ONLY = (
    "task", "run", "attempt", "event", "worker",  # the engine writes them
    "auditentry", "apitoken", "secret", "webhook", "webhookdelivery", "trigger", "bulkoperation", "treedraft",
    "savedfilter", "profile",
)  # fmt: skip
MODELS = ("tree", "treeshare", *READ_ONLY)
ADMIN = "admin/orchestration"
ONE = "<path:object_id>/"
TAILS = ("", "add/", f"{ONE}history/", f"{ONE}delete/", f"{ONE}change/")
USERS = [f"admin/auth/{model}/{tail}" for model in ("user", "group") for tail in TAILS]


def below(start: str, *tails: str) -> list[str]:
    return [start + tail for tail in tails]


def admin_pages(models, *tails: str) -> list[str]:
    return [f"{ADMIN}/{model}/{tail}" for model in models for tail in tails]


ROWS: list[tuple[str, str, list[str]]] = [
    # --- for everybody
    ("GET", "yyyy yy yyy yy", ["healthz", "readyz", "login/", "admin/login/"]),
    ("POST PUT", "yyyy yy yyy yy", ["login/"]),
    ("POST", "yyyy yy yyy yy", [
        "admin/login/", "theme", r"^hooks/(?P<public_id>[\w-]{1,64})(?:/(?P<secret>[\w-]{1,128}))?/?$",
    ]),
    ("GET", "nnnn nn nyy nn", ["metrics"]),  # or with the token of the settings: tests/operations
    ("GET POST PUT PATCH DELETE", "nnnn nn nnn nn", ["^api/"]),
    ("POST", "nnnn nn nnn nn", [r"^hooks(?:/|$)"]),
    # --- pages: tokens are not for them
    ("GET", "lyyy yy yyy ll", [
        "", "api/docs/", "bulk/<str:kind>", "operations/", "palette", "me", "me/tokens", "me/webhooks", "trees/",
        "runs/", "queue/", "executors/", "workers/", "me/secrets",
    ]),
    ("POST", "lyyy yy yyy ll", ["filters/<str:kind>/save", "bulk/<str:kind>", "me", "me/tour", "me/tokens"]),
    ("POST", "llll ll lll ll", ["logout/"]),  # leads to the sign-in page
    ("GET", "lfff ff yyy ll", ["audit/"]),
    ("GET", "lfyy yy yfy ll", ["trees/new", "trees/build", "executors/<str:executor_id>/try"]),
    ("POST", "lfyy yy yfy ll", ["trees/new", "trees/build", "executors/<str:executor_id>/try", "me/webhooks"]),
    ("POST", "lfyy yy yfy ll", ["me/secrets"]),
    ("POST", "lfyn nn nfn ll", ["me/secrets/<str:name>/delete"]),  # what others have is nobody's business
    ("POST", "lnyn nn yny ll", ["me/tokens/<int:token_id>/revoke"]),
    ("GET", "lnyn yy nyy ll", [
        *below(TREE, "", "/graph", "/export.json", "/dry-run"), *below(TASK, "", "/panel"),
        *below(RUN, "", "/graph", "/events", "/data", "/compare"), "runs/<int:run_a>/compare/<int:run_b>",
    ]),
    ("GET", "lnyn yy nfy ll", below(TREE, "/copy", "/link", "/archive", "/mixed")),
    ("POST", "lnyn yy nfy ll", below(TREE, "/copy", "/archive")),
    ("POST", "lnyn ff nff ll", below(TREE, "/link", "/mixed")),  # links are for one's own work only
    ("GET", "lnyn ff nfy ll", [
        *below(TREE, "/share", "/delete", "/edit", "/triggers", "/webhooks"), f"{TASK}/edit", TRIGGER,
    ]),
    ("POST", "lnyn ff nfy ll", [
        *below(TREE, "/share", "/share/<int:share_id>/remove", "/delete", "/rename", "/labels", "/limit"),
        *below(TREE, "/triggers", "/webhooks"), *below(TRIGGER, "", "/rotate", "/switch", "/delete"),
        *below(TASK, "/edit", "/move"),
    ]),
    ("GET POST", "lnyn ff nfy ll", [f"{TASK}/release"]),
    ("GET", "lnyn fy nfy ll", [f"{TREE}/start", f"{RUN}/rerun"]),
    ("POST", "lnyn fy nfy ll", [f"{TREE}/start", f"{TREE}/run", f"{RUN}/rerun", f"{TASK}/priority"]),
    ("GET POST", "lnyn fy nyy ll", [f"{RUN}/cancel", f"{TASK}/cancel"]),  # staff may cancel what runs wild
    ("GET", "lnyn nn nyy ll", ["operations/<int:operation_id>"]),
    ("POST", "lnyn nn nyy ll", ["operations/<int:operation_id>/stop"]),
    ("GET POST", "lnyn nn nny ll", [HOOK]),
    ("GET", "lnyn nn nny ll", [f"{HOOK}/deliveries/<int:delivery_id>"]),
    ("POST", "lnyn nn nny ll", [
        *below(HOOK, "/rotate", "/switch", "/test", "/delete", "/deliveries/<int:delivery_id>/again"),
    ]),
    ("GET", "lnyn nn nnn ll", ["trees/build/<int:draft_id>"]),
    ("POST", "lnyn nn nnn ll", [
        *below("filters/<int:filter_id>", "/default", "/delete"),
        *below("trees/build/<int:draft_id>", "/edit", "/save", "/discard"),
    ]),
    # --- the API
    ("GET", "lyyy yy yyy yy", [
        *below(API, "", "trees/", "tasks/", "runs/", "executors/", "executors/<str:executor_id>/", "queue/"),
        *below(API, "workers/", "me/", "tokens/", "secrets/", "webhooks/", "schema/", "operations/", "filters/"),
    ]),
    ("POST", "lyyy yy yyy fy", [f"{API}operations/"]),  # a preview, a refusal, or 202
    ("POST", "lyyy yy yyy ff", [f"{API}filters/"]),
    ("PATCH", "lyyy yy yyy ff", [f"{API}me/"]),
    ("DELETE", "lnyn nn nnn ff", [f"{API}filters/<int:filter_id>/"]),
    ("GET", "lnyn nn nyy yy", [f"{API}operations/<int:operation_id>/"]),
    ("POST", "lnyn nn nyy fy", [f"{API}operations/<int:operation_id>/stop/"]),
    ("GET", "lfff ff yyy ff", [f"{API}audit/"]),
    ("POST", "lyyy yy yyy fy", [f"{API}trees/bulk/"]),  # an outcome per tree
    ("POST", "lyyy yy yyy ff", [f"{API}tokens/"]),
    ("POST", "lfyy yy yfy ff", below(API, "trees/", "trees/import/", "webhooks/")),
    ("GET", "lnyn yy nyy yy", [
        *below(API_TREE, "", "tasks/", "dependencies/", "runs/", "export/", "dry-run/"), f"{API}compare/",
        *below(API_TASK, "", "attempts/", "attempts/<int:number>/", "explain/", "dependencies/"),
        f"{API_TASK}dependencies/<uuid:other_id>/", *below(API_RUN, "", "attempts/", "events/", "explain/"),
    ]),
    ("GET", "lnyn ff nfy yy", below(API_TREE, "shares/", "shares/<int:share_id>/", "triggers/")),
    ("GET", "lnyn ff nfy yy", [f"{API_TREE}triggers/<int:trigger_id>/"]),
    ("PATCH DELETE", "lnyn ff nfy ff", [
        *below(API_TREE, "", "shares/<int:share_id>/", "triggers/<int:trigger_id>/"),
        f"{API_TASK}dependencies/<uuid:other_id>/",
    ]),
    ("PATCH", "lnyn ff nfy ff", [API_TASK]),
    ("POST", "lnyn ff nfy ff", [f"{API_TASK}move/"]),
    ("POST", "lnyn ff nfy ff", [
        *below(API_TREE, "limit/", "shares/", "triggers/", "triggers/<int:trigger_id>/rotate/"),
        f"{API_TASK}dependencies/",
    ]),
    ("POST", "lnyn fy nfy fy", [f"{API_TREE}runs/", f"{API_TASK}priority/", f"{API_RUN}retry/"]),
    ("POST", "lnyn fy nyy fy", [f"{API_TASK}cancel/", f"{API_RUN}cancel/"]),
    ("POST", "lnyn yy nfy ff", below(API_TASK, "copy/", "archive/")),
    ("POST", "lnyn ff nff ff", below(API_TASK, "link/", "mixed/")),
    ("DELETE", "lnyn nn yny ff", [f"{API}tokens/<int:token_id>/"]),
    ("GET", "lnyn nn nnn yy", [f"{API}secrets/<str:name>/"]),
    ("PUT", "lfyy yy yfy ff", [f"{API}secrets/<str:name>/"]),  # one's own of that name
    ("DELETE", "lfyn nn nfn ff", [f"{API}secrets/<str:name>/"]),
    ("GET", "lnyn nn nny yy", below(API_HOOK, "", "deliveries/", "deliveries/<int:delivery_id>/")),
    ("PATCH DELETE", "lnyn nn nny ff", [API_HOOK]),
    ("POST", "lnyn nn nny ff", below(API_HOOK, "rotate/", "test/", "deliveries/<int:delivery_id>/redeliver/")),
    # --- the apflow protocol: who may call which method is in tests/rpc
    ("POST", "lnyn yy nyy yy", below("apflow", "", "/", "/tasks", "/tasks/")),  # asked for a task
    ("POST", "lyyy yy yyy yy", below("apflow", "/system", "/system/")),
    ("GET", "lyyy yy yyy yy", ["apflow/tasks/methods"]),
    # --- the admin site: the role of that name is about people in the dashboard, this is for staff
    ("GET", "llll ll lyy ll", ["admin/", "admin/jsi18n/", *below("admin/password_change/", "", "done/")]),
    ("GET", "llll ll lyy ll", [*admin_pages(MODELS, ONE), *below("admin/auth/", f"user/{ONE}", f"group/{ONE}")]),
    ("GET", "llll ll lyy ll", ["admin/r/<path:content_type_id>/<path:object_id>/"]),
    ("POST", "llll ll lyy ll", ["admin/password_change/"]),
    ("POST", "lyyy yy yll ll", ["admin/logout/"]),
    ("GET", "llll ll lny ll", ["admin/<app_label>/"]),
    ("GET", "llll ll lnn ll", [r"admin/(?P<url>.*)$"]),
    ("GET", "llll ll lff ll", ["admin/autocomplete/"]),  # names no field
    ("GET", "llll ll lfy ll", [*admin_pages(MODELS, "", f"{ONE}history/", f"{ONE}change/"), *USERS]),
    ("GET", "llll ll lfy ll", [*admin_pages(["treeshare"], "add/", f"{ONE}delete/"), "admin/auth/user/<id>/password/"]),
    ("GET POST", "llll ll lff ll", admin_pages((*READ_ONLY, "tree"), "add/", f"{ONE}delete/")),
    ("POST", "llll ll lff ll", admin_pages(READ_ONLY, f"{ONE}change/")),
    ("POST", "llll ll lfy ll", [
        *admin_pages(("tree", "treeshare"), f"{ONE}change/"), *admin_pages(["treeshare"], "add/", f"{ONE}delete/"),
        *(page for page in USERS if not page.endswith("/history/")), "admin/auth/user/<id>/password/",
    ]),
]  # fmt: skip


def rows() -> dict[tuple[str, str], str]:
    """(method, route) -> a letter per role."""
    return {
        (method, route): letters.replace(" ", "")
        for methods, letters, found in ROWS
        for route in found
        for method in methods.split()
    }
