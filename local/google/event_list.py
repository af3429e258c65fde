"""events.list and events.instances: filters, pages, sync tokens.

After the method's entry in the discovery document and https://developers.google.com/workspace/calendar/api/guides/sync.
A listing fixes which events it shows when its first page is asked for, and the calendar's counter of that moment goes
into its sync token: what changes between two pages is part of the next delta. Pages show the events as they are then.
"""

import base64
import datetime as dt
import functools
import hashlib
import hmac
import json
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from local.google import event_rules, instance_list, series
from local.google.behaviour import Behaviour
from local.google.calendar import DEFAULT_REMINDERS, Calendar, Entry, StoredEvent
from local.google.errors import invalid, known, not_simulated
from local.google.event_times import in_zone, instant, zone

DEFAULT_PAGE, MAX_PAGE = 250, 2500
# Page tokens kept; older ones stop working, as after `expire_page_tokens`.
_KEPT_LISTINGS = 5000

# Documented as incompatible with syncToken.
FORBIDDEN_WITH_SYNC_TOKEN = frozenset({
    "iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "timeMin", "timeMax", "updatedMin",
})  # fmt: skip
# A delta cannot repeat these: whether a listing with them ends with a sync token is not documented.
_FILTERS = FORBIDDEN_WITH_SYNC_TOKEN - {"timeMin", "timeMax"}
# Common to all methods of all Google APIs: they shape the answer, not the set, and may differ from page to page.
FORM_ONLY = frozenset({"alt", "fields", "key", "oauth_token", "prettyPrint", "quotaUser", "userIp"})
_DEFAULTS = {"maxResults": DEFAULT_PAGE, "showDeleted": False, "singleEvents": False, "showHiddenInvitations": False}


@dataclass(frozen=True, slots=True)
class _Listing:
    """What a page token stands for. `counter` goes into the sync token, `constants` is what later calls must repeat."""

    calendar_id: str
    request: str
    event_ids: tuple[str, ...]
    position: int
    counter: int
    constants: str
    delta: bool


class Listings:
    """Pages of all listings under way, behind the simulator's lock."""

    def __init__(self, now: Callable[[], dt.datetime], behaviour: Behaviour) -> None:
        self._now = now
        self._behaviour = behaviour
        self._pages: dict[str, _Listing] = {}
        self._page_sizes: deque[int] = deque()
        self._empty: deque[str | None] = deque()
        self._key = secrets.token_bytes(16)

    def next_page_sizes(self, *sizes: int) -> None:
        """The next pages, of whatever listing, hold at most so many items: 0 makes an empty page in the middle."""
        self._page_sizes.extend(sizes)

    def next_listing_empty(self, calendar_id: str | None = None) -> None:
        """The next full listing (of this calendar, or any) has no items, and a sync token as if it had had them all."""
        self._empty.append(calendar_id)

    def expire_page_tokens(self) -> None:
        """Listings under way die: their page tokens answer 400 ``invalid``. Google documents no code for this."""
        self._pages.clear()

    def page(self, calendar: Calendar, entry: Entry, query: dict[str, Any], *, by_hand: bool = False) -> dict[str, Any]:
        """The answer to one call; `query` as typed by the discovery document. Faults spare what is done `by_hand`."""
        _refuse_what_is_not_simulated(query)
        if "pageToken" in query:
            listing = self._continued(calendar, _digest_but_page(query), query["pageToken"])
        elif "syncToken" in query:
            listing = self._delta(calendar, query)
        else:
            listing = self._full(calendar, query)
            if not by_hand:
                listing = self._emptied(listing)
        answer, done = self._answer(calendar, entry, listing, query, by_hand=by_hand)
        if not done or (_FILTERS & query.keys() and not self._behaviour.sync_token_after_filters):
            return answer
        return answer | {"nextSyncToken": self._sync_token(calendar, listing)}

    def instances(
        self, calendar: Calendar, entry: Entry, master: StoredEvent, query: dict[str, Any], *, by_hand: bool = False
    ) -> dict[str, Any]:
        """The answer to one call of events.instances, which gives no sync tokens."""
        if "maxAttendees" in query:
            raise not_simulated("calendar.events.instances with maxAttendees")
        if "timeZone" in query:
            zone(query["timeZone"], "request")
        request = f"{master.id}/{_digest_but_page(query)}"
        if "pageToken" in query:
            listing = self._continued(calendar, request, query["pageToken"])
        else:
            event_ids = instance_list.of_series(calendar, master, query, self._behaviour, self._now())
            listing = _Listing(calendar.id, request, tuple(event_ids), 0, calendar.counter, "", delta=False)
        return self._answer(calendar, entry, listing, query | {"singleEvents": True}, by_hand=by_hand)[0]

    def _continued(self, calendar: Calendar, request: str, token: str) -> _Listing:
        listing = self._pages.get(token)
        if listing is None or (listing.calendar_id, listing.request) != (calendar.id, request):
            raise invalid("Invalid page token value.", "pageToken")
        return listing

    def _answer(
        self, calendar: Calendar, entry: Entry, listing: _Listing, query: dict[str, Any], *, by_hand: bool
    ) -> tuple[dict[str, Any], bool]:
        """One page, and whether it is the last."""
        size = min(query.get("maxResults", DEFAULT_PAGE), MAX_PAGE)
        if self._page_sizes and not by_hand:
            size = min(size, self._page_sizes.popleft())
        end = listing.position + size
        event_ids = listing.event_ids[listing.position : end]
        shown = (series.find(calendar, event_id, self._behaviour) for event_id in event_ids)
        items = [
            self._item(event, calendar, entry, listing, query)
            for event in shown
            if event is not None and (by_hand or not calendar.hides(event.id))
        ]
        answer = {
            "kind": "calendar#events",
            "etag": f'"p{calendar.counter}"',
            "summary": entry.summary_override or calendar.summary,
            **({"description": calendar.description} if calendar.description else {}),
            "updated": self._now().astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "timeZone": query.get("timeZone", calendar.time_zone),
            "accessRole": entry.role,
            "defaultReminders": DEFAULT_REMINDERS,
            "items": [item for item in items if item is not None],
        }
        if end < len(listing.event_ids):
            return answer | {"nextPageToken": self._keep(replace(listing, position=end))}, False
        return answer, True

    def _emptied(self, listing: _Listing) -> _Listing:
        for wanted in (listing.calendar_id, None):
            if wanted in self._empty:
                self._empty.remove(wanted)
                return replace(listing, event_ids=())
        return listing

    def _full(self, calendar: Calendar, query: dict[str, Any]) -> _Listing:
        wanted = _filter(calendar, query)
        source: Iterable[StoredEvent] = calendar.events.values()
        if query.get("singleEvents"):
            source = instance_list.expanded(calendar, query, self._behaviour, self._now())
        events = [event for event in source if wanted(event)]
        if query.get("orderBy") == "updated":
            events.sort(key=lambda event: event.updated)
        if query.get("orderBy") == "startTime":
            events.sort(key=lambda event: event.first)
        return _Listing(
            calendar_id=calendar.id,
            request=_digest_but_page(query),
            event_ids=tuple(event.resource["id"] for event in events),
            position=0,
            counter=calendar.counter,
            constants=_constants(query),
            delta=False,
        )

    def _delta(self, calendar: Calendar, query: dict[str, Any]) -> _Listing:
        if query.get("singleEvents"):
            raise not_simulated("calendar.events.list with singleEvents=true and syncToken")
        forbidden = sorted(FORBIDDEN_WITH_SYNC_TOKEN & query.keys())
        if forbidden:
            raise invalid("Sync token cannot be used with this parameter.", forbidden[0], reason="badRequest")
        if query.get("showDeleted") is False:
            raise invalid("Deleted entries cannot be left out of a sync.", "showDeleted", reason="badRequest")
        since, constants = self._read(query["syncToken"], calendar)
        if constants != _constants(query):
            raise invalid(
                "The parameters differ from those of the request that gave the sync token.",
                "syncToken",
                reason="badRequest",
            )
        wanted = _type_check(query)
        changed = []
        for event in reversed(calendar.events.values()):
            if event.change <= since:
                break
            if wanted(event):
                changed.append(event.resource["id"])
        return _Listing(
            calendar_id=calendar.id,
            request=_digest_but_page(query),
            event_ids=tuple(reversed(changed)),
            position=0,
            counter=calendar.counter,
            constants=constants,
            delta=True,
        )

    def _item(
        self, event: StoredEvent, calendar: Calendar, entry: Entry, listing: _Listing, query: dict[str, Any]
    ) -> dict[str, Any] | None:
        left_out = calendar.leaves_out(event) and not query.get("singleEvents")
        if event.cancelled and not left_out and not query.get("showDeleted"):
            if not listing.delta and "updatedMin" not in query:
                return None  # Deleted since the listing began.
            if not self._behaviour.tombstone_details:
                # Its series is there to tell what it was; of what is deleted with its series nothing is sure.
                exception = event.gone and not _dead(calendar.master_of(event))
                return event_rules.tombstone(event.resource, exception=exception)
        return visible(event, calendar, entry, query.get("timeZone"), self._behaviour)

    def _keep(self, listing: _Listing) -> str:
        token = "C" + secrets.token_urlsafe(24)
        self._pages[token] = listing
        while len(self._pages) > _KEPT_LISTINGS:
            del self._pages[next(iter(self._pages))]
        return token

    def _sync_token(self, calendar: Calendar, listing: _Listing) -> str:
        issued = int(self._now().timestamp())
        content = json.dumps([calendar.id, calendar.epoch, listing.counter, listing.constants, issued]).encode()
        return base64.urlsafe_b64encode(self._seal(content) + content).decode().rstrip("=") + "="

    def _read(self, token: str, calendar: Calendar) -> tuple[int, str]:
        """Counter and constants of a token; 410 for garbage, foreign and expired ones alike."""
        try:
            raw = base64.b64decode(
                token.rstrip("=") + "=" * (-len(token.rstrip("=")) % 4), altchars=b"-_", validate=True
            )
        except ValueError:
            raise known("fullSyncRequired") from None
        seal, content = raw[:16], raw[16:]
        if not hmac.compare_digest(seal, self._seal(content)):
            raise known("fullSyncRequired")
        calendar_id, epoch, counter, constants, issued = json.loads(content)
        lifetime = self._behaviour.sync_token_lifetime
        expired = lifetime is not None and self._now().timestamp() - issued > lifetime.total_seconds()
        if expired or (calendar_id, epoch) != (calendar.id, calendar.epoch):
            raise known("fullSyncRequired")
        return counter, constants

    def _seal(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")[:16]


def visible(
    event: StoredEvent, calendar: Calendar, entry: Entry, time_zone: str | None, behaviour: Behaviour
) -> dict[str, Any]:
    """The event as this account may see it, its times written in `time_zone` if one is asked for."""
    resource = event.resource
    if calendar.leaves_out(event) and not behaviour.tombstone_details:
        resource = event_rules.tombstone(resource, exception=True)
    if time_zone is not None:
        times = ("start", "end", "originalStartTime")
        resource = resource | {name: in_zone(resource[name], time_zone) for name in times if name in resource}
    hidden = entry.role == "freeBusyReader" or (
        entry.role in {"reader", "writerWithoutPrivateAccess"} and event_rules.is_private(event.resource)
    )
    return event_rules.busy_block(resource) if hidden else resource


def _dead(master: StoredEvent | None) -> bool:
    return master is None or master.cancelled


def _refuse_what_is_not_simulated(query: dict[str, Any]) -> None:
    if query.get("orderBy") == "startTime" and not query.get("singleEvents"):
        raise invalid("The requested ordering is not available for the particular query.", "orderBy")
    if "maxAttendees" in query:
        raise not_simulated("calendar.events.list with maxAttendees")
    for name in ("privateExtendedProperty", "sharedExtendedProperty"):
        if len(query.get(name, [])) > 1:
            # The guide says OR, the reference says AND.
            raise not_simulated(f"calendar.events.list with more than one {name}")
    if "timeZone" in query:
        zone(query["timeZone"], "request")


def _digest(query: dict[str, Any], without: frozenset[str]) -> str:
    constant = {name: value for name, value in (_DEFAULTS | query).items() if name not in without | FORM_ONLY}
    if "eventTypes" in constant:
        constant["eventTypes"] = sorted(set(constant["eventTypes"]))  # A set, in whatever order it is written.
    return hashlib.sha256(json.dumps(constant, sort_keys=True).encode()).hexdigest()[:16]


def _digest_but_page(query: dict[str, Any]) -> str:
    return _digest(query, frozenset({"pageToken"}))


def _constants(query: dict[str, Any]) -> str:
    """What a delta must repeat of the full listing; Google calls anything else undefined behaviour, we refuse it."""
    return _digest(query, FORBIDDEN_WITH_SYNC_TOKEN | {"pageToken", "syncToken"})


def _filter(calendar: Calendar, query: dict[str, Any]) -> Callable[[StoredEvent], bool]:
    checks = _time_checks(query) + _content_checks(query)
    # A listing by updatedMin always has the deletions (Events.list, updatedMin).
    if not query.get("showDeleted") and "updatedMin" not in query:
        # So has every one the instances that a series leaves out, unless it names the instances themselves.
        single = bool(query.get("singleEvents"))
        checks.append(lambda event: not event.cancelled or (not single and calendar.leaves_out(event)))
    return lambda event: all(check(event) for check in checks)


def _time_checks(query: dict[str, Any]) -> list[Callable[[StoredEvent], bool]]:
    bounds = {name: instant(query[name]) for name in ("timeMin", "timeMax", "updatedMin") if name in query}
    if "timeMin" in bounds and "timeMax" in bounds and bounds["timeMin"] >= bounds["timeMax"]:
        raise known("timeRangeEmpty")
    # The bounds of time are exclusive: timeMin on the end, timeMax on the start.
    checks: dict[str, Callable[[StoredEvent], bool]] = {
        "timeMin": lambda event: event.last is None or event.last > bounds["timeMin"],
        "timeMax": lambda event: event.first < bounds["timeMax"],
        "updatedMin": lambda event: event.updated >= bounds["updatedMin"],
    }
    return [check for name, check in checks.items() if name in bounds]


def _content_checks(query: dict[str, Any]) -> list[Callable[[StoredEvent], bool]]:
    checks: list[Callable[[StoredEvent], bool]] = []
    if "iCalUID" in query:
        checks.append(lambda event: bool(event.resource["iCalUID"] == query["iCalUID"]))
    checks.append(_type_check(query))
    if "q" in query:
        words = query["q"].casefold().split()
        checks.append(lambda event: _matches(event.resource, words))
    for kind, name in (("private", "privateExtendedProperty"), ("shared", "sharedExtendedProperty")):
        if name in query:
            checks.append(functools.partial(_has_property, kind, query[name][0]))
    return checks


def _type_check(query: dict[str, Any]) -> Callable[[StoredEvent], bool]:
    """The one filter that deltas have too."""
    types = query.get("eventTypes")
    return lambda event: types is None or event.resource["eventType"] in types


def _has_property(kind: str, constraint: str, event: StoredEvent) -> bool:
    key, _, value = constraint.partition("=")
    return bool(event.resource.get("extendedProperties", {}).get(kind, {}).get(key) == value)


def _matches(resource: dict[str, Any], words: list[str]) -> bool:
    texts = [resource.get(name, "") for name in ("summary", "description", "location")]
    people = [resource["organizer"], *resource.get("attendees", [])]
    texts += [person.get(name, "") for person in people for name in ("email", "displayName")]
    text = "\n".join(texts).casefold()
    return all(word in text for word in words)
