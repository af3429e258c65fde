"""How an HTTP call is named: its service, and its method and path without ids."""

import re
import urllib.parse

# The words of the paths of Google's and SendGrid's APIs that we call; anything else in a path is somebody's id.
_PATH_WORDS = re.compile(
    r"batch|calendar|calendarList|calendars|certs|channels|colors|connections|contactGroups|events|freeBusy|import"
    r"|instances|mail|me|members(:modify)?|move|o|oauth2|otherContacts|people(:[a-zA-Z]+)?|quickAdd|revoke|send"
    r"|settings|stop|token|tokeninfo|userinfo|users|v[1-4]|watch"
)
_CUSTOM_VERB = re.compile(r"[^:]+(:[a-z][A-Za-z]+)")


def http_call(method: str, url: str) -> tuple[str, str]:
    """Service and short method of an HTTP call, such as ``google``, ``GET /calendar/v3/calendars/{}/events``."""
    parts = urllib.parse.urlsplit(url)
    segments = [_generalise(segment) for segment in parts.path.strip("/").split("/")]
    path = "/".join(segments)
    # The simulated vendors are all on loopback: what tells them apart there is the path.
    if path.startswith("v3/mail") or parts.netloc.endswith("sendgrid.com"):
        service = "sendgrid"
    elif _PATH_WORDS.fullmatch(segments[0]) or parts.netloc.endswith((".googleapis.com", ".google.com")):
        service = "google"
    else:
        service = parts.netloc
    return service, f"{method.upper()} /{path}"


def _generalise(segment: str) -> str:
    if _PATH_WORDS.fullmatch(segment) or not segment:
        return segment
    verb = _CUSTOM_VERB.fullmatch(segment)
    return "{}" + (verb.group(1) if verb else "")
