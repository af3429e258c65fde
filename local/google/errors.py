"""Errors as Google's older APIs (Calendar among them) write them.

    {"error": {"errors": [{"domain", "reason", "message", "locationType"?, "location"?}], "code", "message"}}

Reasons and messages of the table are those of https://developers.google.com/workspace/calendar/api/guides/errors.
"""

from typing import Any


class ApiError(Exception):
    """A refusal, ready to be written to the wire. `status` is the HTTP code; `reason` is what clients switch on.

    `retry_after`: the header of that name, in seconds.
    """

    retry_after: int | None = None

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        domain: str = "global",
        location_type: str | None = None,
        location: str | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.domain = domain
        self.location_type = location_type
        self.location = location

    def body(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        detail: dict[str, Any] = {"domain": self.domain, "reason": self.reason, "message": self.message}
        if self.location_type is not None:
            detail |= {"locationType": self.location_type, "location": self.location}
        return {"error": {"errors": [detail], "code": self.status, "message": self.message}}


# reason -> (usual status, domain, message, location type, location); the documented table.
_TABLE: dict[str, tuple[int, str, str, str | None, str | None]] = {
    "timeRangeEmpty": (400, "calendar", "The specified time range is empty.", "parameter", "timeMax"),
    "authError": (401, "global", "Invalid Credentials", "header", "Authorization"),
    "userRateLimitExceeded": (403, "usageLimits", "User Rate Limit Exceeded", None, None),
    "rateLimitExceeded": (403, "usageLimits", "Rate Limit Exceeded", None, None),
    "quotaExceeded": (403, "usageLimits", "Calendar usage limits exceeded.", None, None),
    "forbiddenForNonOrganizer": (
        403,
        "calendar",
        "Shared properties can only be changed by the organizer of the event.",
        None,
        None,
    ),
    "requiredAccessLevel": (403, "calendar", "You need to have writer access to this calendar.", None, None),
    "insufficientPermissions": (
        403,
        "global",
        "Request had insufficient authentication scopes.",
        "header",
        "Authorization",
    ),
    "forbidden": (403, "global", "Forbidden", None, None),
    "notFound": (404, "global", "Not Found", None, None),
    "duplicate": (409, "global", "The requested identifier already exists.", None, None),
    "conflict": (409, "global", "Conflict", None, None),
    "fullSyncRequired": (
        410,
        "calendar",
        "Sync token is no longer valid, a full sync is required.",
        "parameter",
        "syncToken",
    ),
    "updatedMinTooLongAgo": (
        410,
        "calendar",
        "The requested minimum modification time lies too far in the past.",
        "parameter",
        "updatedMin",
    ),
    "deleted": (410, "global", "Resource has been deleted", None, None),
    "conditionNotMet": (412, "global", "Precondition Failed", "header", "If-Match"),
    "backendError": (500, "global", "Backend Error", None, None),
}


def known(reason: str, status: int | None = None) -> ApiError:
    """The documented error with this `reason`; `status` overrides the usual code (429 for rateLimitExceeded).

    A reason that is not in the table gets itself as its message, in the domain `global`.
    """
    usual, domain, message, location_type, location = _TABLE.get(reason, (400, "global", reason, None, None))
    return ApiError(status or usual, reason, message, domain=domain, location_type=location_type, location=location)


def invalid(message: str, location: str | None = None, *, reason: str = "invalid") -> ApiError:
    """400 about a parameter or a field of the body; `location` names it."""
    return ApiError(400, reason, message, location_type="parameter" if location else None, location=location)


def required(message: str, location: str | None = None) -> ApiError:
    """400 about something that is missing; `location` names it."""
    return invalid(message, location, reason="required")


def not_simulated(what: str) -> ApiError:
    """501: the real Google does this, the simulator does not. Never answered with something plausible."""
    return ApiError(501, "notImplemented", f"The simulated Google does not do this: {what}")
