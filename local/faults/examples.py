"""Rules to begin with: on the page, in the command, and in docs/faults.md."""

from collections.abc import Mapping
from typing import Any

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "Google answers 503 to a third of all calls": {
        "service": "google", "fault": "fail", "status": 503, "share": 0.33, "seed": 7,
    },
    "Google's quota is used up, for the next 20 calls": {
        "service": "google", "fault": "fail", "status": 403, "reason": "rateLimitExceeded", "times": 20,
    },
    "Google refuses every third entry of a batch": {
        "service": "google", "method": "POST /calendar/v3/calendars/{}/events", "fault": "fail", "status": 403,
        "reason": "userRateLimitExceeded", "every": 3,
    },
    "The answer to every 2nd new entry is lost": {
        "service": "google", "method": "POST /calendar/v3/calendars/{}/events", "fault": "drop", "after": True,
        "every": 2,
    },
    "Google does not know its sync token any more, once": {
        "service": "google", "method": "GET /calendar/v3/calendars/{}/events", "fault": "fail", "status": 410,
    },
    "Google takes 5 seconds for everything": {
        "service": "google", "fault": "delay", "seconds": 5, "times": None,
    },
    "Every 5th commit to Firestore is aborted": {
        "service": "firestore", "method": "Commit", "fault": "fail", "status": "ABORTED", "every": 5,
    },
    "Firestore hangs up on a tenth of all calls, after they took effect": {
        "service": "firestore", "fault": "drop", "after": True, "share": 0.1, "seed": 7,
    },
    "Cloud Tasks takes no tasks, three times": {
        "service": "tasks", "method": "CreateTask", "fault": "fail", "status": "UNAVAILABLE", "times": 3,
    },
    "Secret Manager does not answer, once": {
        "service": "secrets", "method": "AccessSecretVersion", "fault": "timeout",
    },
    "Every task is delivered twice": {
        "service": "delivery", "method": "task *", "fault": "twice", "times": None,
    },
    "Half of Google's notifications are lost": {
        "service": "delivery", "method": "push *", "fault": "lose", "share": 0.5, "seed": 7,
    },
    "Every 2nd trigger is 3 seconds late, and overtaken": {
        "service": "delivery", "method": "trigger *", "fault": "delay", "seconds": 3, "every": 2,
    },
    "The next tick of the scheduler gets no answer": {
        "service": "delivery", "method": "tick *", "fault": "drop",
    },
    "The process is killed before its 5th call from now": {
        "fault": "kill", "nth": 5,
    },
    "The process is killed right after it sent a batch to Google": {
        "service": "google", "method": "POST /batch/*", "fault": "kill", "after": True,
    },
}  # fmt: skip
