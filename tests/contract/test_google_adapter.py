"""The `Calendar` port over Google's own client and the simulated Google: reading, deleting, and push channels."""

import datetime as dt
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
from google.cloud import secretmanager
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)

from local.google.consent import consent
from local.google.person import Person
from local.google.server import GoogleSimulator
from local.secret_manager import LocalSecretManager
from shared.adapters.google_calendar import PAGE, GoogleCalendar, GoogleCalendars
from shared.adapters.google_event import read_event
from shared.adapters.google_oauth import GoogleAccounts, OAuthClient
from shared.adapters.secret_manager import SecretManagerSecrets
from shared.domain import identity
from shared.domain.account import SCOPES
from shared.domain.connection import Channel, Connection
from shared.domain.content import Content, Timed, repeated
from shared.domain.errors import AccessLost, CursorExpired, Forbidden, RateLimited, Stale, Unavailable
from shared.domain.event import Delete, Event, Insert, Patch
from shared.domain.link import Seal
from shared.domain.reasons import Reason
from shared.ports import EventPage

ANN = "ann@example.org"
CLIENT_ID, CLIENT_SECRET, REDIRECT = "adapter-client", "adapter-secret", "http://localhost:1/oauth/callback"
# Nobody listens there: what Google sends is not what these tests are about.
WEBHOOK = "http://127.0.0.1:9/google"
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
START = dt.datetime(2027, 6, 1, 8, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
AN_HOUR: dict[str, Any] = {
    "start": {"dateTime": "2027-06-01T10:00:00+02:00"},
    "end": {"dateTime": "2027-06-01T11:00:00+02:00"},
}


@dataclass
class Ann:
    """Ann's calendar, from three sides: the adapter's, her own hand's, and the simulator's with its switches."""

    calendar: GoogleCalendar
    person: Person
    google: GoogleSimulator
    calendars: GoogleCalendars
    account_id: str
    connection: Connection

    def types(self, **fields: Any) -> dict[str, Any]:
        return self.person.insert(**{**AN_HOUR, **fields})

    def read(self, event_id: str) -> Event:
        return self.calendar.get([event_id])[0]

    def whole_listing(self) -> EventPage:
        page = self.calendar.listing(LONG_AGO, None)
        assert page.next_page is None
        return page

    def calls(self, method_id: str) -> list[Any]:
        return [request for request in self.google.requests if request.method_id == method_id]


@pytest.fixture
def ann(local_secrets: LocalSecretManager, project: str) -> Iterator[Ann]:
    with GoogleSimulator() as google:
        google.add_account(ANN, "Ann")
        google.add_oauth_client(CLIENT_ID, CLIENT_SECRET, [REDIRECT])
        channel = grpc.insecure_channel(local_secrets.host)
        client = secretmanager.SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
        secrets = SecretManagerSecrets(client, project)
        accounts = GoogleAccounts(
            OAuthClient(
                client_id=CLIENT_ID,
                client_secret=CLIENT_SECRET,
                auth_url=f"{google.url}/o/oauth2/v2/auth",
                token_url=f"{google.url}/token",
                revoke_url=f"{google.url}/revoke",
                certs_url=f"{google.url}/oauth2/v1/certs",
            ),
            secrets,
        )
        redirect = consent(ANN, accounts.authorization_url(REDIRECT, "state", SCOPES))
        grant = accounts.exchange(parse_qs(urlsplit(redirect).query)["code"][0], REDIRECT)
        assert grant.refresh_token is not None
        secrets.put(identity.refresh_token_secret("google", grant.account_id), grant.refresh_token)
        connection = Connection(
            studio_id="s1",
            user_id="u1",
            account_id=grant.account_id,
            calendar_id=ANN,
            since=START,
            window_from=LONG_AGO,
        )
        calendars = GoogleCalendars(accounts, f"{google.url}/", WEBHOOK)
        google.clear_requests()
        calendar = calendars.open("c1", connection)
        yield Ann(calendar, google.person(ANN), google, calendars, grant.account_id, connection)
        channel.close()


# --- which calendars there are, and what the account may do with them -----------------------------------------------


def test_every_calendar_that_may_be_written_to_is_listed_however_many_pages_they_take(ann: Ann) -> None:
    for number in range(260):
        ann.google.add_calendar(ANN, f"Room {number:03}")
    ann.google.add_calendar(ANN, "Only read", access_role="reader")
    ann.google.add_calendar(ANN, "Weddings", "Europe/Paris", color="#f83a22")
    choices = ann.calendars.writable_by(ann.account_id)
    assert [choice.title for choice in choices] == [ANN, *(f"Room {number:03}" for number in range(260)), "Weddings"]
    assert len(ann.calls("calendar.calendarList.list")) == 2
    assert (choices[0].primary, choices[0].id, choices[0].color) == (True, ANN, "#9fe1e7")
    assert (choices[-1].primary, choices[-1].time_zone, choices[-1].color) == (False, "Europe/Paris", "#f83a22")


@pytest.mark.parametrize("role", ["freeBusyReader", "reader", "writerWithoutPrivateAccess"])
def test_a_calendar_that_can_be_read_but_not_written_any_more_is_forbidden(ann: Ann, role: str) -> None:
    ann.types(summary="Newborn")
    cursor = ann.whole_listing().cursor
    assert cursor is not None
    ann.google.set_access(ANN, ANN, role)
    with pytest.raises(Forbidden):
        ann.whole_listing()
    with pytest.raises(CursorExpired):
        ann.calendar.changes(cursor, None)  # Another role ends its sync tokens: the listing that follows finds out.
    ann.google.set_access(ANN, ANN, "writer")
    assert len(ann.whole_listing().events) == 1


# --- whose an entry is, and what it is -------------------------------------------------------------------------------


def test_an_entry_of_ones_own_is_a_default_one_without_an_answer(ann: Ann) -> None:
    event = ann.read(ann.types(summary="Newborn")["id"])
    assert (event.kind, event.own, event.organizer, event.answer) == ("default", True, ANN, "")


def test_an_invitation_is_its_organizers_and_has_the_guests_own_answer(ann: Ann) -> None:
    guests = [
        {"email": "client@example.org", "responseStatus": "accepted"},
        {"email": ANN, "responseStatus": "declined"},
        {"email": "other@example.org", "responseStatus": "tentative"},
    ]
    received = ann.google.receive_event(ANN, "client@example.org", **AN_HOUR, attendees=guests)
    event = ann.read(received["id"])
    assert (event.own, event.organizer, event.answer) == (False, "client@example.org", "declined")
    listed = ann.whole_listing().events
    assert listed == (event,), "a listing says the same"


@pytest.mark.parametrize("answer", ["needsAction", "tentative", "accepted"])
def test_an_answer_is_what_this_guest_said_last(ann: Ann, answer: str) -> None:
    received = ann.google.receive_event(ANN, "client@example.org", **AN_HOUR, attendees=[{"email": ANN}])
    ann.person.patch("primary", received["id"], attendees=[{"email": ANN, "responseStatus": answer}])
    assert ann.read(received["id"]).answer == answer


def test_guests_of_ones_own_entry_answer_for_themselves(ann: Ann) -> None:
    entry = ann.types(attendees=[{"email": "client@example.org", "responseStatus": "declined"}])
    event = ann.read(entry["id"])
    assert (event.own, event.answer) == (True, "")


def test_an_entry_without_an_organizer_is_the_calendars_own() -> None:
    event = read_event({"id": "e1", **AN_HOUR}, "c1")
    assert (event.own, event.organizer, event.answer, event.kind) == (True, "", "", "default")


def test_an_organizer_who_is_not_said_to_be_this_calendar_is_another() -> None:
    event = read_event({"id": "e1", **AN_HOUR, "organizer": {"displayName": "The bank"}}, "c1")
    assert (event.own, event.organizer) == (False, "")


def test_a_deleted_invitation_is_deleted_and_nothing_more(ann: Ann) -> None:
    received = ann.google.receive_event(ANN, "client@example.org", **AN_HOUR, attendees=[{"email": ANN}])
    ann.person.delete("primary", received["id"])
    event = ann.read(received["id"])
    assert event.deleted
    assert (event.own, event.organizer, event.answer) == (True, "", "")


def test_what_was_written_comes_back_with_whose_it_is(ann: Ann) -> None:
    content = Content(title="Newborn", when=Timed(START, START + HOUR))
    insert = Insert(event_id="a" * 26, appointment_id="p1", content=content, seal=Seal("s", {}))
    [event] = ann.calendar.write([insert])
    assert isinstance(event, Event)
    assert (event.content, event.own, event.organizer, event.kind) == (content, True, ANN, "default")


def test_a_series_comes_back_as_it_was_written_and_can_become_a_single_entry(ann: Ann) -> None:
    once = Timed(START, START + HOUR)
    series = Content(title="Yoga", when=repeated(once, ["RRULE:FREQ=WEEKLY;COUNT=5"], "America/New_York"))
    written: dict[str, Any] = {"event_id": "a" * 26, "appointment_id": "p1", "seal": Seal("s", {})}
    [event] = ann.calendar.write([Insert(content=series, **written)])
    assert isinstance(event, Event)
    assert (event.content, ann.read(event.id)) == (series, event)
    single = Content(title="Yoga", when=once)
    [event] = ann.calendar.write([Patch(content=single, units=frozenset({"when"}), etag=event.etag, **written)])
    assert isinstance(event, Event)
    assert event.content == single


# --- which types of entries are listed -------------------------------------------------------------------------------


def one_of_each_kind(ann: Ann) -> None:
    for kind in ("default", "outOfOffice", "focusTime", "workingLocation"):
        ann.types(summary=kind, eventType=kind)
    ann.types(summary="birthday", eventType="birthday", start={"date": "2027-06-01"}, end={"date": "2027-06-02"})
    ann.google.receive_event(ANN, "shop@example.org", **AN_HOUR, eventType="fromGmail")


def test_a_listing_has_entries_and_absences_and_no_other_types(ann: Ann) -> None:
    one_of_each_kind(ann)
    assert len(ann.person.events()) == 6
    assert sorted(event.kind for event in ann.whole_listing().events) == ["default", "outOfOffice"]


def test_so_have_changes(ann: Ann) -> None:
    cursor = ann.whole_listing().cursor
    assert cursor is not None
    one_of_each_kind(ann)
    page = ann.calendar.changes(cursor, None)
    assert sorted(event.kind for event in page.events) == ["default", "outOfOffice"]


def test_an_entry_of_another_type_that_is_asked_for_says_so(ann: Ann) -> None:
    assert ann.read(ann.types(eventType="focusTime")["id"]).kind == "focusTime"


def test_changes_ask_for_the_same_types_as_the_listing_did_on_every_page(ann: Ann) -> None:
    for _ in range(3):
        ann.types()
    ann.google.listings.next_page_sizes(2)
    first = ann.calendar.listing(LONG_AGO, None)
    last = ann.calendar.listing(LONG_AGO, first.next_page)
    assert last.cursor is not None
    away, walk = ann.types(eventType="outOfOffice")["id"], ann.types(summary="Walk")["id"]
    ann.google.listings.next_page_sizes(1)
    page = ann.calendar.changes(last.cursor, None)
    rest = ann.calendar.changes(last.cursor, page.next_page)
    found = {event.id: event.kind for event in (*page.events, *rest.events)}
    assert found == {away: "outOfOffice", walk: "default"}
    asked = [(call.query["eventTypes"], call.query["maxResults"]) for call in ann.calls("calendar.events.list")]
    assert asked == [("default,outOfOffice", str(PAGE))] * 4


# --- deleted, or only not found --------------------------------------------------------------------------------------


def test_what_cannot_be_found_is_missing_and_not_deleted(ann: Ann) -> None:
    there = ann.types(summary="There")["id"]
    deleted = ann.types()["id"]
    ann.person.delete("primary", deleted)
    never = "0" * 26
    found = ann.calendar.get([never, there, deleted])
    assert [event.id for event in found] == [never, there, deleted]
    assert [event.missing for event in found] == [True, False, False]
    assert [event.deleted for event in found] == [False, False, True]


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "in a batch"])
def test_an_entry_that_google_calls_gone_is_deleted(ann: Ann, others: int) -> None:
    entry = ann.types()["id"]
    ann.google.fail_next("calendar.events.get", 410, "deleted", times=1 + others)
    found = ann.calendar.get([entry] * (1 + others))
    assert [(event.id, event.deleted, event.missing) for event in found] == [(entry, True, False)] * (1 + others)


def test_an_entry_that_is_missing_once_and_there_the_next_time_has_lost_nothing(ann: Ann) -> None:
    entry = ann.types(summary="Walk")["id"]
    ann.google.fail_next("calendar.events.get", 404, "notFound")
    assert ann.read(entry) == Event(id=entry, missing=True)
    content = ann.read(entry).content
    assert content is not None
    assert content.title == "Walk"


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "in a batch"])
def test_an_entry_that_google_refuses_to_show_is_unfit_and_stops_no_other(ann: Ann, others: int) -> None:
    asked = [ann.types()["id"] for _ in range(1 + others)]
    ann.google.fail_next("calendar.events.get", 400, "badRequest")
    found = ann.calendar.get(asked)
    assert [event.id for event in found] == asked
    [refused] = [event for event in found if event.content is None]
    assert refused == Event(id=refused.id, unfit=Reason.REFUSED_BY_PROVIDER, unfit_detail="400 badRequest")


@pytest.mark.parametrize(("status", "reason"), [(400, "failedPrecondition"), (403, "dailyLimitExceeded")])
def test_a_listing_that_is_refused_for_no_known_reason_may_pass(ann: Ann, status: int, reason: str) -> None:
    cursor = ann.whole_listing().cursor
    assert cursor is not None
    ann.google.fail_next("calendar.events.list", status, reason, times=2)
    with pytest.raises(Unavailable, match=f"{status} {reason}"):
        ann.calendar.listing(LONG_AGO, None)
    with pytest.raises(Unavailable):
        ann.calendar.changes(cursor, None)


def test_a_deletion_of_what_is_deleted_is_done(ann: Ann) -> None:
    entry = ann.types()
    ann.person.delete("primary", entry["id"])
    [outcome] = ann.calendar.write([Delete(event_id=entry["id"], etag=entry["etag"])])
    assert outcome == Event(id=entry["id"])


def test_a_deletion_that_finds_nothing_is_to_be_looked_at_again(ann: Ann) -> None:
    entry = ann.types()
    ann.google.fail_next("calendar.events.delete", 404, "notFound")
    delete = Delete(event_id=entry["id"], etag=entry["etag"])
    [outcome] = ann.calendar.write([delete])
    assert isinstance(outcome, Stale)
    assert ann.read(entry["id"]).content is not None
    [outcome] = ann.calendar.write([delete])
    assert isinstance(outcome, Event)
    assert ann.read(entry["id"]).deleted


def test_of_several_deletions_each_has_its_own_outcome(ann: Ann) -> None:
    entries = [ann.types() for _ in range(3)]
    ann.person.delete("primary", entries[0]["id"])
    ann.person.patch("primary", entries[1]["id"], summary="Changed")
    deletes = [Delete(event_id=entry["id"], etag=entry["etag"]) for entry in entries]
    deletes.append(Delete(event_id="0" * 26, etag='"1"'))
    outcomes = ann.calendar.write(deletes)
    assert [type(outcome) for outcome in outcomes] == [Event, Stale, Event, Stale]
    assert [event["id"] for event in ann.person.events()] == [entries[1]["id"]]


# --- push channels ---------------------------------------------------------------------------------------------------


def watched(ann: Ann, channel_id: str) -> Channel:
    watch = ann.calendar.watch(channel_id, "token")
    assert watch is not None
    return Channel(id=channel_id, resource_id=watch.resource_id, expires_at=watch.expires_at)


def channels(ann: Ann) -> list[str]:
    return [channel.id for channel in ann.google.push.channels()]


def test_one_channel_is_ended_and_the_others_go_on(ann: Ann) -> None:
    first, _ = watched(ann, "first"), watched(ann, "second")
    ann.calendar.unwatch(first)
    assert channels(ann) == ["second"]
    [call] = ann.calls("calendar.channels.stop")
    assert call.body == {"id": "first", "resourceId": first.resource_id}


def test_ending_what_has_ended_is_fine(ann: Ann) -> None:
    channel = watched(ann, "first")
    ann.calendar.unwatch(channel)
    ann.calendar.unwatch(channel)
    ann.calendar.unwatch(Channel(id="never-made", resource_id="x"))
    assert [call.status for call in ann.calls("calendar.channels.stop")] == [204, 404, 404]


def test_a_channel_that_google_never_answered_for_cannot_be_stopped(ann: Ann) -> None:
    watched(ann, "first")
    ann.calendar.unwatch(Channel(id="first"))
    assert ann.calls("calendar.channels.stop") == []
    assert channels(ann) == ["first"]


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (403, "rateLimitExceeded", RateLimited),
        (429, "rateLimitExceeded", RateLimited),
        (500, "backendError", Unavailable),
        (403, "insufficientPermissions", Forbidden),
    ],
)
def test_a_channel_that_cannot_be_ended_now_says_what_to_do(
    ann: Ann, status: int, reason: str, error: type[Exception]
) -> None:
    channel = watched(ann, "first")
    ann.google.fail_next("calendar.channels.stop", status, reason)
    with pytest.raises(error):
        ann.calendar.unwatch(channel)
    assert channels(ann) == ["first"]
    ann.calendar.unwatch(channel)
    assert channels(ann) == []


def test_a_channel_that_google_will_not_end_is_left_to_expire(ann: Ann, caplog: pytest.LogCaptureFixture) -> None:
    channel = watched(ann, "first")
    ann.google.fail_next("calendar.channels.stop", 400, "invalid")
    with caplog.at_level(logging.WARNING):
        ann.calendar.unwatch(channel)
    assert "could not be stopped" in caplog.text


def test_a_channel_of_an_account_that_is_lost_says_so(ann: Ann) -> None:
    channel = watched(ann, "first")
    ann.google.remove_app_access(ANN, CLIENT_ID)
    with pytest.raises(AccessLost) as lost:
        ann.calendar.unwatch(channel)
    assert lost.value.reason is Reason.ACCESS_LOST
