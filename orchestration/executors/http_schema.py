"""The schemas of the `http` executor, from which its form is made."""

from __future__ import annotations

from orchestration.executors.base import JsonSchema

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")

HTTP_INPUTS: JsonSchema = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "title": "URL", "description": "http:// or https://", "minLength": 1},
        "method": {"type": "string", "title": "Method", "enum": list(METHODS), "default": "GET"},
        "headers": {"type": "object", "title": "Headers", "additionalProperties": {"type": "string"}, "default": {}},
        "params": {"type": "object", "title": "Query parameters", "default": {}},
        "json": {"title": "JSON body"},
        "data": {"type": "object", "title": "Form fields"},
        "text": {"type": "string", "title": "Text body"},
        "auth": {
            "type": "object",
            "title": "Authentication",
            "description": "bearer: token; basic: username, password; apikey: name, value, in (header or query).",
            "properties": {
                "type": {"enum": ["bearer", "basic", "apikey"]},
                "token": {"type": "string"},
                "username": {"type": "string"},
                "password": {"type": "string"},
                "name": {"type": "string"},
                "value": {"type": "string"},
                "in": {"enum": ["header", "query"]},
            },
            "required": ["type"],
        },
        "timeout_s": {
            "type": "number",
            "title": "Deadline (seconds)",
            "description": "For the whole exchange, redirects included.",
            "exclusiveMinimum": 0,
            "maximum": 3600,
            "default": 30,
        },
        "expect_status": {
            "title": "Expected status",
            "description": "A status or a list of them; without it every 2xx and 3xx is a success.",
            "anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}],
        },
        "allow_errors": {
            "type": "boolean",
            "title": "Complete whatever the status is",
            "default": False,
        },
    },
    "required": ["url"],
}

HTTP_OUTPUT: JsonSchema = {
    "type": "object",
    "properties": {
        "success": {"type": "boolean"},
        "status_code": {"type": "integer"},
        "url": {"type": "string"},
        "method": {"type": "string"},
        "headers": {"type": "object"},
        "json": {},
        "text": {"type": "string"},
        "elapsed_ms": {"type": "integer"},
    },
}
