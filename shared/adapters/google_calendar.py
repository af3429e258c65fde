"""The `Calendar` port on Google Calendar v3, through google-api-python-client.

Every write carries ``sendUpdates=none``: nobody is mailed by a sync. Changes and deletions are conditional on the
etag that the plan saw. One place, `_error`, knows Google's status codes.
"""

import datetime as dt
import functools
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import httplib2
from googleapiclient import discovery, discovery_cache
from googleapiclient.errors import BatchError, HttpError

from shared.adapters.google_event import FIELDS, event_body, read_event, rfc3339
from shared.adapters.google_oauth import GoogleAccounts, token_errors
from shared.domain.connection import CalendarChoice, Channel, Connection
from shared.domain.content import UNITS
from shared.domain.errors import (
    AccessLost,
    CalendarGone,
    CursorExpired,
    Forbidden,
    Park,
    RateLimited,
    Retry,
    Stale,
    Stop,
    SyncError,
    Unavailable,
)
from shared.domain.event import CalendarWrite, Delete, Event, Insert, Patch, Restore, instance_id
from shared.domain.reasons import Reason
from shared.ports import EventPage, Pace, Watch

log = logging.getLogger(__name__)

# The most that Google gives per page.
PAGE = 2_500
# Calls in one batch. Google documents 1,000 today and documented 50 for years: 50 is safe.
BATCH = 50
# How often the same calls are made that are all refused for their pace, with pauses in between, before they are left.
ATTEMPTS = 3
TOO_FAST = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
# How long to leave an account alone that has hit Google's limits against abuse ("stop for hours").
ANTI_ABUSE_PAUSE = dt.timedelta(hours=2)
# All that is ever listed. The other types (birthdays, working locations, focus times, entries made from mails) are
# nobody's appointments and take few changes from outside: they never sync. Listings and changes ask for the same types:
# with a sync token every parameter must be as it was in the listing that began it, or what comes is undefined.
EVENT_TYPES = ["default", "outOfOffice"]
# What an account must be to a calendar that is kept in step.
WRITERS = frozenset({"owner", "writer"})
# The most calendars that Google gives per page; an account may have thousands.
CALENDARS_PAGE = 250

_LIST_FIELDS = f"items({FIELDS}),nextPageToken,nextSyncToken,timeZone,accessRole"
_CALENDAR_FIELDS = "items(id,summary,summaryOverride,timeZone,primary,backgroundColor),nextPageToken"


class GoogleCalendars:
    """The `Calendars` port. `push_address` is where Google is to send notifications."""

    def __init__(self, accounts: GoogleAccounts, api_root: str, push_address: str) -> None:
        self._accounts = accounts
        self._api_root = api_root
        self._push_address = push_address

    def open(self, connection_id: str, connection: Connection, pace: Pace | None = None) -> "GoogleCalendar":
        return GoogleCalendar(
            _resources(self._api_root),
            self._accounts,
            connection_id,
            connection.account_id,
            connection.calendar_id,
            self._push_address,
            pace,
        )

    def writable(self, refresh_token: str) -> tuple[CalendarChoice, ...]:
        return self._writable(self._accounts.authorized_by(refresh_token))

    def writable_by(self, account_id: str) -> tuple[CalendarChoice, ...]:
        choices: tuple[CalendarChoice, ...] = _with_access(self._accounts, account_id, self._writable)
        return choices

    def _writable(self, http: Any) -> tuple[CalendarChoice, ...]:
        calendars = self._service.calendarList()
        request = calendars.list(minAccessRole="writer", maxResults=CALENDARS_PAGE, fields=_CALENDAR_FIELDS)
        items: list[dict[str, Any]] = []
        while request is not None:
            with _call_errors():
                answer = request.execute(http=http)
            items += answer.get("items", [])
            request = calendars.list_next(request, answer)
        choices = [
            CalendarChoice(
                id=entry["id"],
                title=entry.get("summaryOverride") or entry.get("summary", ""),
                time_zone=entry.get("timeZone", ""),
                primary=entry.get("primary", False),
                color=entry.get("backgroundColor", ""),
            )
            for entry in items
        ]
        return tuple(sorted(choices, key=lambda choice: (not choice.primary, choice.title)))

    @property
    def _service(self) -> Any:
        return _service(self._api_root)


@functools.cache
def _service(api_root: str) -> Any:
    """Built from the document that the package carries: no call for it, and batches go to the same root.

    Nothing in it changes, as every request brings its own `Http`: one serves all threads.
    """
    document = json.loads(discovery_cache.get_static_doc("calendar", "v3"))
    document["rootUrl"] = api_root
    document["baseUrl"] = api_root + document["servicePath"]
    return discovery.build_from_document(document, http=httplib2.Http())


class _Resources(NamedTuple):
    """What calls on one calendar are made with."""

    events: Any
    channels: Any
    new_batch: Callable[..., Any]


@functools.cache
def _resources(api_root: str) -> _Resources:
    """Asked for once: the vendor's client builds all methods of a resource whenever it is asked for the resource."""
    service = _service(api_root)
    return _Resources(service.events(), service.channels(), service.new_batch_http_request)


class GoogleCalendar:
    """One calendar of one account."""

    def __init__(
        self,
        resources: _Resources,
        accounts: GoogleAccounts,
        connection_id: str,
        account_id: str,
        calendar_id: str,
        push_address: str,
        pace: Pace | None = None,
    ) -> None:
        self._pace = pace
        self._events, self._channels, self._new_batch = resources
        self._accounts = accounts
        self._connection_id = connection_id
        self._account_id = account_id
        self._calendar_id = calendar_id
        self._push_address = push_address

    def changes(self, cursor: str, page: str | None) -> EventPage:
        return self._list(syncToken=cursor, pageToken=page)

    def listing(self, ends_after: dt.datetime, page: str | None) -> EventPage:
        return self._list(timeMin=f"{ends_after:%Y-%m-%dT%H:%M:%SZ}", pageToken=page)

    def get(self, event_ids: Sequence[str]) -> list[Event]:
        requests = [
            self._events.get(calendarId=self._calendar_id, eventId=event_id, fields=FIELDS) for event_id in event_ids
        ]
        found = []
        for event_id, outcome in zip(event_ids, self._send(requests), strict=True):
            if isinstance(outcome, HttpError) and outcome.status_code == 404:  # noqa: PLR2004 - not found
                # Google asks to try again after a 404: only a 410, or a cancelled event, says that it was deleted.
                found.append(Event(id=event_id, missing=True))
            elif isinstance(outcome, HttpError) and outcome.status_code == 410:  # noqa: PLR2004 - deleted
                found.append(Event(id=event_id))
            elif isinstance(outcome, HttpError | SyncError):
                if not isinstance(error := _error(outcome), Park):
                    raise error
                found.append(Event(id=event_id, unfit=error.reason, unfit_detail=error.detail))
            else:
                found.append(read_event(outcome, self._connection_id))
        return found

    def write(self, writes: Sequence[CalendarWrite]) -> list[Event | SyncError]:
        outcomes = self._send([self._request(write) for write in writes])
        return [self._outcome(write, outcome) for write, outcome in zip(writes, outcomes, strict=True)]

    def instances(self, places: Sequence[tuple[str, str]]) -> list[Event]:
        requests = [
            self._events.instances(
                calendarId=self._calendar_id,
                eventId=series_event,
                originalStart=rfc3339(slot),
                showDeleted=True,
                fields=f"items({FIELDS})",
            )
            for series_event, slot in places
        ]
        found = []
        for (series_event, slot), outcome in zip(places, self._send(requests), strict=True):
            missing = Event(
                id=instance_id(series_event, slot), series_event=series_event, original_start=slot, missing=True
            )
            if isinstance(outcome, HttpError | SyncError):
                if not isinstance(error := _error(outcome), Park | Stale):
                    raise error
                found.append(missing)
            else:
                events = [read_event(resource, self._connection_id) for resource in outcome.get("items", [])]
                found.append(next((event for event in events if event.original_start == slot), missing))
        return found

    def exceptions(self, series: Sequence[Event]) -> list[Event]:
        # All of a series share its iCalUID. Listed like this come the series and what was done to its occurrences, not
        # the occurrences themselves: of 500, those are mostly a few.
        return [event for one in series for event in self._alike(one.ical_uid) if event.series_event == one.id]

    def _alike(self, ical_uid: str) -> list[Event]:
        """Everything with this iCalUID, deleted or not."""
        request = self._events.list(
            calendarId=self._calendar_id,
            iCalUID=ical_uid,
            showDeleted=True,
            singleEvents=False,
            maxResults=PAGE,
            fields=_LIST_FIELDS,
        )
        found: list[Event] = []
        while request is not None:
            [answer] = self._send([request])
            if isinstance(answer, HttpError):
                raise _list_error(answer, paging=bool(found))
            found += [read_event(resource, self._connection_id) for resource in answer.get("items", [])]
            request = self._events.list_next(request, answer)
        return found

    def watch(self, channel_id: str, token: str) -> Watch | None:
        body = {"id": channel_id, "type": "web_hook", "address": self._push_address, "token": token}
        request = self._events.watch(calendarId=self._calendar_id, body=body, fields="resourceId,expiration")
        [channel] = self._send([request])
        if isinstance(channel, HttpError):
            if isinstance(known := _error(channel), Retry):
                raise known
            # Without a channel the connection syncs by interval: slower, but nothing is lost.
            extra = {"connection": self._connection_id, "status": channel.status_code, "reason": _reason(channel)}
            log.warning("no push channel for this calendar", extra=extra)
            return None
        expires_at = dt.datetime.fromtimestamp(int(channel["expiration"]) / 1000, dt.UTC)
        return Watch(str(channel["resourceId"]), expires_at)

    def unwatch(self, channel: Channel) -> None:
        if channel.resource_id is None:
            # Google stops a channel by both ids only: where no other channel tells the calendar's, it has to expire.
            return
        request = self._channels.stop(body={"id": channel.id, "resourceId": channel.resource_id})
        [outcome] = self._send([request])
        if not isinstance(outcome, HttpError) or outcome.status_code in {404, 410}:
            return  # 404, 410: stopped or expired already, or never made.
        if not isinstance(known := _error(outcome), Park):
            raise known
        # Refused for good. It ends by itself in some days, and what it says until then is known to be nobody's.
        extra = {"connection": self._connection_id, "status": outcome.status_code, "reason": _reason(outcome)}
        log.warning("a push channel could not be stopped", extra=extra)

    def _list(self, **place: Any) -> EventPage:
        # Everything but the place is the same for listings and changes: a token is good for the same parameters only.
        request = self._events.list(
            calendarId=self._calendar_id,
            maxResults=PAGE,
            singleEvents=False,
            eventTypes=EVENT_TYPES,
            fields=_LIST_FIELDS,
            **place,
        )
        [answer] = self._send([request])
        if isinstance(answer, HttpError):
            raise _list_error(answer, paging=place["pageToken"] is not None)
        if answer.get("accessRole", "owner") not in WRITERS:
            # What can still be read may be cut short ("busy", without private entries): nothing is concluded from it.
            raise Forbidden("the account may only read the calendar")
        return EventPage(
            events=tuple(read_event(resource, self._connection_id) for resource in answer.get("items", [])),
            next_page=answer.get("nextPageToken"),
            cursor=answer.get("nextSyncToken"),
            time_zone=answer.get("timeZone"),
        )

    def _request(self, write: CalendarWrite) -> Any:
        common = {"calendarId": self._calendar_id, "sendUpdates": "none"}
        match write:
            case Insert():
                body = self._body(write, frozenset(UNITS))
                return self._events.insert(body={"id": write.event_id, **body}, fields=FIELDS, **common)
            case Patch():
                body = self._body(write, write.units)
                request = self._events.patch(eventId=write.event_id, body=body, fields=FIELDS, **common)
            case Restore():
                # To take an event out of the bin is to give it another status: possible, say the docs, but not how.
                return self._events.patch(
                    eventId=write.event_id, body={"status": write.status}, fields=FIELDS, **common
                )
            case Delete():
                request = self._events.delete(eventId=write.event_id, **common)
        request.headers["If-Match"] = write.etag
        return request

    def _body(self, write: Insert | Patch, units: Any) -> dict[str, Any]:
        body = event_body(write.content, units, write.seal, self._connection_id, write.appointment_id, write.event_id)
        if isinstance(write, Patch) and write.instance:
            body.pop("recurrence", None)
        return body

    def _send(self, requests: Sequence[Any]) -> list[Any]:
        """Answers, or the `HttpError`s in their place; a lone request goes by itself, the others in batches.

        Those that Google refuses for their pace are sent again, in one batch with what is still to be sent, until
        nothing is let through any more. A request that there is no time for has a `RateLimited` in its place; where
        that is so of all, it is raised.
        """
        outcomes: list[Any] = [None] * len(requests)
        waiting = list(range(len(requests)))
        attempts = 0
        while waiting:
            try:
                chunk = waiting[: self._admitted(min(len(waiting), BATCH))]
            except RateLimited as late:
                if len(waiting) == len(requests):
                    raise
                for place in waiting:
                    outcomes[place] = late
                break
            refused = self._sent(requests, chunk, outcomes)
            attempts = attempts + 1 if len(refused) == len(chunk) else 0
            again = [] if self._pace is None or attempts == ATTEMPTS else refused
            waiting = again + waiting[len(chunk) :]
        return outcomes

    def _admitted(self, calls: int) -> int:
        return calls if self._pace is None else self._pace.admit(calls)

    def _sent(self, requests: Sequence[Any], chunk: Sequence[int], outcomes: list[Any]) -> list[int]:
        """Send the requests at these places at once; gives the places of those that were refused for their pace."""
        refused: list[int] = []
        try:
            if len(chunk) == 1:
                outcomes[chunk[0]] = self._with_access(functools.partial(_execute, requests[chunk[0]]))
            else:
                self._with_access(functools.partial(self._send_batch, requests, chunk, outcomes))
            refused = [place for place in chunk if _too_fast(outcomes[place])]
        finally:
            # What was not answered may have been carried out all the same.
            if self._pace is not None:
                named = [pause for place in refused if (pause := _retry_after(outcomes[place])) is not None]
                self._pace.told(len(chunk) - len(refused), len(refused), max(named, default=None))
        return refused

    def _with_access(self, call: Callable[[Any], Any]) -> Any:
        return _with_access(self._accounts, self._account_id, call)

    def _send_batch(self, requests: Sequence[Any], chunk: Sequence[int], outcomes: list[Any], http: Any) -> None:
        def keep(request_id: str, answer: Any, error: Exception | None) -> None:
            outcomes[int(request_id)] = answer if error is None else error

        batch = self._new_batch(callback=keep)
        for place in chunk:
            batch.add(requests[place], request_id=str(place))
        try:
            batch.execute(http=http)
        except HttpError as error:
            if not _too_fast(error):
                raise _error_of_many(error) from None
            for place in chunk:
                outcomes[place] = error
        except BatchError as error:
            raise Unavailable(f"the answer to a batch could not be read: {type(error).__name__}") from None

    def _outcome(self, write: CalendarWrite, outcome: Any) -> Event | SyncError:
        if isinstance(outcome, SyncError):
            return outcome
        if not isinstance(outcome, HttpError):
            return Event(id=write.event_id) if isinstance(write, Delete) else read_event(outcome, self._connection_id)
        if isinstance(write, Delete) and outcome.status_code == 410:  # noqa: PLR2004 - deleted already
            return Event(id=write.event_id)
        if isinstance(write, Insert) and outcome.status_code == 404:  # noqa: PLR2004 - what else could be missing
            raise CalendarGone("the calendar was not found")
        error = _error(outcome)
        if isinstance(error, Stop):
            raise error
        return error


def _with_access(accounts: GoogleAccounts, account_id: str, call: Callable[[Any], Any]) -> Any:
    """Call with the account's token. One that was kept in memory may be an old one: then once more, anew."""
    kept = accounts.kept(account_id)
    try:
        with token_errors():
            return call(accounts.authorized(account_id))
    except AccessLost:
        accounts.forget(account_id)
        if not kept:
            raise
    with token_errors():
        return call(accounts.authorized(account_id))


def _execute(request: Any, http: Any) -> Any:
    try:
        return request.execute(http=http)
    except HttpError as error:
        return error


@contextmanager
def _call_errors() -> Iterator[None]:
    try:
        with token_errors():
            yield
    except HttpError as error:
        raise _error(error) from None


def _list_error(error: HttpError, *, paging: bool) -> SyncError:
    if paging and error.status_code == 400:  # noqa: PLR2004 - the only thing that changed since the page before
        return CursorExpired("Google no longer knows the page")
    if error.status_code == 404:  # noqa: PLR2004 - of a list, what is not found is the calendar
        return CalendarGone("the calendar was not found")
    if error.status_code == 410:  # noqa: PLR2004 - gone: the token
        return CursorExpired("Google no longer knows the token")
    return _error_of_many(error)


def _error_of_many(error: HttpError) -> SyncError:
    """The same where a call is about no single item: what nobody knows is no item's fault, and may pass."""
    known = _error(error)
    return Unavailable(f"Google Calendar answered {known.detail}") if isinstance(known, Park) else known


def _too_fast(outcome: Any) -> bool:
    """Whether Google refused a call for its pace: 403 and 429 mean the same. `quotaExceeded` does not pass so soon."""
    if not isinstance(outcome, HttpError):
        return False
    status = outcome.status_code
    return status == 429 or (status == 403 and _reason(outcome) in TOO_FAST)  # noqa: PLR2004 - too many requests


def _error(error: HttpError | SyncError) -> SyncError:
    """Google's answer to one call in our words.

    Source: "Handle API errors" of the Calendar API. Its messages may quote what was sent, so only the reason is kept.
    """
    if isinstance(error, SyncError):
        return error
    status, reason = error.status_code, _reason(error)
    message = f"Google Calendar answered {status} {reason}"
    match status:
        case 401:
            # The token was renewed and refused again; whether access is lost is for the token endpoint to say.
            return Unavailable(message)
        case _ if _too_fast(error):
            return RateLimited(message, _retry_after(error))
        case 403 if reason == "quotaExceeded":
            return RateLimited(message, ANTI_ABUSE_PAUSE)
        case 403 if reason in {"requiredAccessLevel", "insufficientPermissions", "accessNotConfigured"}:
            return Forbidden(message)
        case 404 | 410 | 412:
            return Stale(message)
        case 409 if reason == "duplicate":
            return Stale(message)
        case 409:
            return RateLimited(message, _retry_after(error))
        case _ if status >= 500:  # noqa: PLR2004 - any server error
            return Unavailable(message, _retry_after(error))
        case _:
            return Park(Reason.REFUSED_BY_PROVIDER, "", f"{status} {reason}")


def _reason(error: HttpError) -> str:
    """``error.errors[0].reason`` of Google's JSON, or an empty text."""
    try:
        found = json.loads(error.content)["error"]["errors"][0]["reason"]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
    return str(found)


def _retry_after(error: HttpError) -> dt.timedelta | None:
    seconds = str(error.resp.get("retry-after", ""))
    return dt.timedelta(seconds=int(seconds)) if seconds.isdigit() else None
