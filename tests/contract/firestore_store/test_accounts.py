"""Accounts and calendars in Firestore: claimed by one, changed, left and freed. People are in `test_people`."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from google.cloud import firestore

from shared.adapters.firestore_accounts import BEING_MADE
from shared.adapters.firestore_documents import plain
from shared.adapters.firestore_store import FirestoreStore
from shared.domain import identity
from shared.domain.account import CLAIM_LIFE, Account, CalendarClaim
from shared.domain.connection import CalendarChoice, Connection, Lease
from shared.domain.errors import Stale
from shared.domain.mail import MAIL_LIFE, Mail
from shared.ports import Stored, UserDocument
from tests.contract.firestore_store.builders import (
    DAY,
    HOUR,
    NOW,
    Documents,
    Put,
    a_connection,
    an_account,
    read_connection,
    version_of,
)

ACCOUNT = "accounts/google:a1"
A_MOMENT = dt.timedelta(microseconds=1)


def one_of(store: FirestoreStore) -> UserDocument:
    """Ann."""
    found = store.user("s1", "u1")
    assert found is not None
    return found


def stored_account(store: FirestoreStore, account_id: str = "a1") -> Stored[Account]:
    found = store.account(account_id)
    assert found is not None
    return found


# --- reading ----------------------------------------------------------------------------------------------------------


def test_an_account_comes_back_as_it_was_claimed(store: FirestoreStore, document: Documents) -> None:
    full = an_account(
        state="claimed",
        question="other_account",
        claimed_at=NOW,
        scopes=("openid", "email"),
        calendars=(CalendarChoice(id="x@example.org", title="X", time_zone="Europe/Berlin", primary=True),),
        secret="its-name",
    )
    assert store.account("a1") is None
    assert store.claim_account(full, NOW)
    found = stored_account(store)
    assert (found.id, found.value) == ("a1", full), "by the provider's subject, not by the document's id"
    assert document(ACCOUNT)["user_id"] == "u1"


def test_a_user_has_every_account_that_was_claimed_whatever_its_state(store: FirestoreStore) -> None:
    mine = [an_account(account_id="a1"), an_account(account_id="a2", state="claimed", question="unconfirmed")]
    others = [an_account(account_id="a3", user_id="u2"), an_account(account_id="a4", studio_id="s2")]
    for one in (*mine, *others):
        store.claim_account(one, NOW)
    found = store.accounts_of_user("s1", "u1")
    assert {name: stored.value for name, stored in found.items()} == {one.account_id: one for one in mine}
    assert {name: stored.id for name, stored in found.items()} == {"a1": "a1", "a2": "a2"}
    assert store.accounts_of_user("s1", "nobody") == {}
    store.update_account("a2", found["a2"].version, {"question": None})


# --- claiming ---------------------------------------------------------------------------------------------------------


def test_an_account_may_be_claimed_again_by_its_user_and_is_brought_up_to_date(
    store: FirestoreStore, firestore_client: firestore.Client, document: Documents
) -> None:
    assert store.claim_account(an_account(state="needs_reauth"), NOW)
    firestore_client.document(ACCOUNT).update({"unknown": 1})
    again = an_account(scopes=("calendar",), calendars=(CalendarChoice(id="primary", primary=True),), secret="name")
    assert store.claim_account(again, NOW)
    found = document(ACCOUNT)
    assert found.pop("unknown") == 1
    assert msgspec.convert(found, Account) == msgspec.structs.replace(again, state="needs_reauth"), "until it is used"


@pytest.mark.parametrize(
    ("held", "then"),
    [("authorized", "authorized"), ("needs_reauth", "needs_reauth"), ("leaving", "claimed"), ("claimed", "claimed")],
)
def test_claimed_again_it_keeps_what_was_granted_but_not_that_it_was_being_left(
    store: FirestoreStore, held: str, then: str
) -> None:
    store.claim_account(an_account(state=held, question="other_account"), NOW)
    assert store.claim_account(an_account(state="claimed", claimed_at=NOW), NOW)
    found = stored_account(store).value
    assert (found.state, found.question, found.claimed_at) == (then, None, NOW)


@pytest.mark.parametrize("other", [{"user_id": "u2"}, {"studio_id": "s2"}])
@pytest.mark.parametrize("state", ["authorized", "needs_reauth", "leaving"])
def test_an_account_that_somebody_else_has_is_refused_and_stays_as_it_is(
    store: FirestoreStore, state: str, other: dict[str, str]
) -> None:
    held = an_account(state=state, claimed_at=NOW - 900 * DAY)
    store.claim_account(held, NOW)
    assert not store.claim_account(an_account(account_email="new@example.org", **other), NOW)
    assert stored_account(store).value == held


@pytest.mark.parametrize(
    ("claimed_at", "free"),
    [(NOW - CLAIM_LIFE, False), (NOW - CLAIM_LIFE - A_MOMENT, True), (None, True), (NOW, False)],
    ids=["just not", "just lapsed", "no time at all", "fresh"],
)
def test_a_claim_that_led_to_nothing_lapses_and_is_anybodys(
    store: FirestoreStore, claimed_at: dt.datetime | None, *, free: bool
) -> None:
    held = an_account(state="claimed", question="unconfirmed", claimed_at=claimed_at, secret="theirs")
    store.claim_account(held, NOW)
    mine = an_account(user_id="u2", state="claimed", claimed_at=NOW)
    assert store.claim_account(mine, NOW) is free
    assert stored_account(store).value == (mine if free else held), "nothing of the former one is left in it"


def test_of_many_users_who_claim_an_account_at_once_one_gets_it(store: FirestoreStore, document: Documents) -> None:
    users = [f"u{number}" for number in range(6)]
    with ThreadPoolExecutor(len(users)) as pool:
        outcomes = list(pool.map(lambda user: store.claim_account(an_account(user_id=user), NOW), users))
    winners = [user for user, won in zip(users, outcomes, strict=True) if won]
    assert winners == [document(ACCOUNT)["user_id"]]


def test_of_many_users_who_claim_a_lapsed_account_at_once_one_gets_it(
    store: FirestoreStore, document: Documents
) -> None:
    store.claim_account(an_account(user_id="u0", state="claimed", claimed_at=NOW - 2 * CLAIM_LIFE), NOW)
    users = [f"u{number}" for number in range(1, 7)]
    claims = [an_account(user_id=user, state="claimed", claimed_at=NOW) for user in users]
    with ThreadPoolExecutor(len(users)) as pool:
        outcomes = list(pool.map(lambda claim: store.claim_account(claim, NOW), claims))
    winners = [user for user, won in zip(users, outcomes, strict=True) if won]
    assert winners == [document(ACCOUNT)["user_id"]]


def racing(
    store: FirestoreStore, client: firestore.Client, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any] | None
) -> None:
    """Somebody writes to the account (None: deletes it) after the store has read it, and before it writes itself."""
    read = store._one

    def then_written(reference: Any, kind: Any) -> Any:
        found = read(reference, kind)
        if fields is None:
            client.document(reference.path).delete()
        else:
            client.document(reference.path).update(fields)
        return found

    monkeypatch.setattr(store, "_one", then_written)


def test_a_lapsed_claim_that_somebody_else_takes_at_this_moment_is_lost(
    store: FirestoreStore, firestore_client: firestore.Client, monkeypatch: pytest.MonkeyPatch, document: Documents
) -> None:
    store.claim_account(an_account(user_id="u9", state="claimed", claimed_at=NOW - 2 * CLAIM_LIFE), NOW)
    racing(store, firestore_client, monkeypatch, {"user_id": "u2", "claimed_at": NOW})
    assert not store.claim_account(an_account(user_id="u1", state="claimed", claimed_at=NOW), NOW)
    assert document(ACCOUNT)["user_id"] == "u2"


def test_ones_own_account_that_is_written_at_this_moment_is_claimed_with_another_try(
    store: FirestoreStore, firestore_client: firestore.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.claim_account(an_account(), NOW)
    with monkeypatch.context() as patch:
        racing(store, firestore_client, patch, {"state": "leaving"})
        with pytest.raises(Stale):
            store.claim_account(an_account(state="claimed"), NOW)
    assert store.claim_account(an_account(state="claimed"), NOW)


def test_an_account_that_is_freed_at_this_moment_is_claimed_with_another_try(
    store: FirestoreStore, firestore_client: firestore.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.claim_account(an_account(user_id="u9"), NOW)
    with monkeypatch.context() as patch:
        read = store._one

        def after_it_was_freed(reference: Any, kind: Any) -> Any:
            firestore_client.document(reference.path).delete()
            return read(reference, kind)

        patch.setattr(store, "_one", after_it_was_freed)
        with pytest.raises(Stale):
            store.claim_account(an_account(), NOW)
    assert store.claim_account(an_account(), NOW)


# --- changing and freeing ---------------------------------------------------------------------------------------------


def test_fields_of_an_account_are_written_at_a_version_and_none_removes(
    store: FirestoreStore, document: Documents
) -> None:
    store.claim_account(an_account(question="unconfirmed"), NOW)
    first = stored_account(store).version
    second = store.update_account("a1", first, {"question": None, "secret": "name"})
    assert second == stored_account(store).version
    assert "question" not in document(ACCOUNT)
    assert document(ACCOUNT)["secret"] == "name"
    with pytest.raises(Stale):
        store.update_account("a1", first, {"secret": "another"})
    assert stored_account(store).value.secret == "name"
    store.update_account("a1", second, {"secret": "third"})


def test_an_account_is_freed_at_the_version_that_was_read_only(store: FirestoreStore) -> None:
    store.claim_account(an_account(), NOW)
    first = stored_account(store).version
    second = store.update_account("a1", first, {"state": "leaving"})
    with pytest.raises(Stale):
        store.free_account("a1", first)
    assert stored_account(store).value.state == "leaving"
    store.free_account("a1", second)
    assert store.account("a1") is None
    with pytest.raises(Stale):
        store.free_account("a1", second)


# --- leaving ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def running(connected: FirestoreStore, put: Put) -> FirestoreStore:
    """Two connections of Ann's account, of which c1 runs at this moment, and one of a colleague's."""
    put({"studios/s1/users/u2": {"name": "Ben"}})
    connected.claim_account(an_account(question="other_account"), NOW)
    connected.save_connection("c9", a_connection(user_id="u2", account_id="a9", next_sync_at=NOW))
    connected.save_connection("c2", a_connection(calendar_id="c2@example.org", next_sync_at=NOW))
    connected.save_connection("c1", a_connection(next_sync_at=NOW))
    connected.update_account("a1", stored_account(connected).version, {"question": "other_account"})
    fields = {"lease": {"holder": "run", "expires_at": NOW + HOUR}, "next_sync_at": NOW}
    connected.update_connection("c1", version_of(connected), fields)
    assert read_connection(connected).lease == Lease("run", NOW + HOUR)
    return connected


def those(store: FirestoreStore, *names: str) -> list[Stored[Connection]]:
    found = store.connections_of_user("s1", "u1")
    return [found[name] for name in names]


def test_an_account_that_is_left_takes_its_connections_along_in_one_step(
    running: FirestoreStore, document: Documents
) -> None:
    version = running.leave_account(stored_account(running), those(running, "c1", "c2"), NOW, shown=True)
    left = stored_account(running)
    assert (left.value.state, left.value.question, left.version) == ("leaving", None, version)
    for name in ("c1", "c2"):
        found = document(f"connections/{name}")
        assert (found["state"], found["state_reason"]) == ("disconnected", "disconnected")
        assert "next_sync_at" not in found
    assert document("connections/c9")["state"] == "connected"
    assert document("studios/s1/users/u1")["connection"] == {
        "id": "c1",
        "state": "disconnected",
        "reason": "disconnected",
    }
    assert document("studios/s1/users/u1")["name"] == "Ann"


def test_what_may_still_be_open_at_google_is_kept_until_it_is_stopped(
    running: FirestoreStore, document: Documents
) -> None:
    channel, earlier = {"id": "ch2", "resource_id": "r", "expires_at": NOW}, {"id": "ch1"}
    running.update_connection("c1", version_of(running), {"channel": channel, "retired": [earlier]})
    running.leave_account(stored_account(running), those(running, "c1", "c2"), NOW, shown=True)
    found = read_connection(running)
    assert found.channel is None
    assert [(one.id, one.resource_id) for one in found.retired] == [("ch2", "r"), ("ch1", None)]
    assert document("connections/c2")["retired"] == []


def test_who_runs_the_connection_can_write_nothing_any_more_once_it_is_left(running: FirestoreStore) -> None:
    version = version_of(running)
    running.leave_account(stored_account(running), those(running, "c1"), NOW, shown=True)
    assert read_connection(running).lease is None
    with pytest.raises(Stale):
        running.update_connection("c1", version, {"next_sync_at": NOW})
    assert read_connection(running).next_sync_at is None


def test_an_account_that_was_not_in_use_is_left_without_a_word_in_the_users_document(
    running: FirestoreStore, document: Documents
) -> None:
    before = document("studios/s1/users/u1")
    running.leave_account(stored_account(running), those(running, "c2"), NOW, shown=False)
    assert document("studios/s1/users/u1") == before
    assert document("connections/c1")["state"] == "connected"


@pytest.mark.parametrize("changed", ["account", "user"])
def test_where_anything_has_changed_nothing_is_left(
    running: FirestoreStore, firestore_client: firestore.Client, document: Documents, changed: str
) -> None:
    seen = stored_account(running)
    if changed == "account":
        running.update_account("a1", seen.version, {"secret": "newer"})
    else:
        firestore_client.document("studios/s1/users/u1").delete()
    before = [document(ACCOUNT), document("connections/c1")]
    with pytest.raises(Stale):
        running.leave_account(seen, those(running, "c1", "c2"), NOW, shown=True)
    assert [document(ACCOUNT), document("connections/c1")] == before


def test_a_connection_that_is_made_puts_its_account_into_use(connected: FirestoreStore, document: Documents) -> None:
    connected.claim_account(an_account(state="claimed", question="other_account"), NOW)
    connected.claim_account(an_account(account_id="a2", state="claimed"), NOW)
    seen = stored_account(connected)
    connected.save_connection("c2", a_connection(calendar_id="c2@example.org", next_sync_at=NOW), None, seen)
    assert (document(ACCOUNT)["state"], document(ACCOUNT).get("question")) == ("authorized", None)
    assert stored_account(connected).version != seen.version, "whoever read it before sees that it is in use"
    assert document("accounts/google:a2")["state"] == "claimed"


def test_a_connection_that_is_made_writes_the_users_settings_along_or_not_at_all(
    connected: FirestoreStore, document: Documents
) -> None:
    changes = {"sync.calendar_id": None, "sync.populate_studio": True}
    connected.update_user(one_of(connected), {"sync.calendar_id": "gone@example.org"})
    for name in ("c2", "c2"):  # Made, and revived.
        connected.save_connection(name, a_connection(calendar_id="c2@example.org"), changes)
        assert document("studios/s1/users/u1")["sync"] == {"enabled": True, "populate_studio": True}
        assert document("studios/s1/users/u1")["connection"]["id"] == "c2"
        connected.update_user(one_of(connected), {"sync.calendar_id": "gone@example.org"})
    with pytest.raises(Stale):
        connected.save_connection("c3", a_connection(user_id="gone"), changes)
    assert document("studios/s1/users/gone") is None


def test_a_connection_that_is_revived_puts_its_account_into_use_too(
    connected: FirestoreStore, document: Documents
) -> None:
    connected.claim_account(an_account(state="needs_reauth"), NOW)
    connected.save_connection("c1", a_connection(), None, stored_account(connected))
    assert document(ACCOUNT)["state"] == "authorized"


def test_a_connection_is_not_made_with_an_account_that_has_changed_since(
    connected: FirestoreStore, document: Documents
) -> None:
    connected.claim_account(an_account(state="claimed"), NOW)
    seen = stored_account(connected)
    connected.leave_account(seen, [], NOW, shown=False)
    for name in ("c1", "c2"):  # Revived, and made.
        with pytest.raises(Stale):
            connected.save_connection(name, a_connection(calendar_id="new@example.org"), None, seen)
    assert document("connections/c2") is None
    assert document("studios/s1/users/u1")["connection"]["id"] == "c1"
    assert document(ACCOUNT)["state"] == "leaving"


def test_nobody_claims_an_account_while_it_is_being_left(connected: FirestoreStore) -> None:
    connected.claim_account(an_account(), NOW)
    connected.leave_account(stored_account(connected), [], NOW, shown=False)
    assert not connected.claim_account(an_account(state="claimed"), NOW)
    assert not connected.claim_account(an_account(user_id="u2", state="claimed"), NOW)
    assert connected.claim_account(an_account(state="claimed"), NOW + 2 * HOUR), "it was left half way"


def test_a_claim_names_no_secret_before_there_is_one_and_keeps_the_one_that_there_is(
    store: FirestoreStore, document: Documents
) -> None:
    store.claim_account(an_account(state="claimed"), NOW)
    store.update_account("a1", stored_account(store).version, {"secret": "name"})
    store.claim_account(an_account(state="claimed"), NOW + HOUR)
    assert document(ACCOUNT)["secret"] == "name"


def test_a_connection_whose_user_is_gone_leaves_the_account_as_it_is(
    store: FirestoreStore, document: Documents
) -> None:
    store.claim_account(an_account(state="claimed"), NOW)
    with pytest.raises(Stale):
        store.save_connection("c1", a_connection(), None, stored_account(store))
    assert document(ACCOUNT)["state"] == "claimed"


# --- together with a connection ---------------------------------------------------------------------------------------


def a_mail(**fields: Any) -> Mail:
    given = {"kind": "access_lost", "studio_id": "s1", "user_id": "u1", "connection_id": "c1", "created_at": NOW}
    return Mail(**{**given, "expires_at": NOW + MAIL_LIFE, **fields})


def test_a_run_tells_the_account_and_the_mail_outbox_in_its_own_step(
    connected: FirestoreStore, document: Documents
) -> None:
    connected.claim_account(an_account(question="unconfirmed"), NOW)
    connected.update_connection(
        "c1",
        version_of(connected),
        {"state": "needs_reauth"},
        account=("a1", {"state": "needs_reauth", "question": None}),
        mail=("m1", a_mail()),
    )
    assert (document(ACCOUNT)["state"], document(ACCOUNT).get("question")) == ("needs_reauth", None)
    assert document("mail/m1") == {
        "kind": "access_lost",
        "studio_id": "s1",
        "user_id": "u1",
        "connection_id": "c1",
        "created_at": NOW,
        "expires_at": NOW + MAIL_LIFE,
        "state": "waiting",
    }
    assert read_connection(connected).state == "needs_reauth"


def test_what_a_stale_run_has_to_tell_is_not_told(connected: FirestoreStore, document: Documents) -> None:
    connected.claim_account(an_account(), NOW)
    stale = version_of(connected)
    connected.update_connection("c1", stale, {"failures": 1})
    with pytest.raises(Stale):
        connected.update_connection(
            "c1", stale, {"failures": 2}, account=("a1", {"state": "needs_reauth"}), mail=("m1", a_mail())
        )
    assert (document(ACCOUNT)["state"], document("mail/m1")) == ("authorized", None)


def test_a_run_whose_account_was_freed_meanwhile_stores_nothing(connected: FirestoreStore, document: Documents) -> None:
    with pytest.raises(Stale):
        connected.update_connection(
            "c1",
            version_of(connected),
            {"failures": 2},
            account=("a1", {"state": "needs_reauth"}),
            mail=("m", a_mail()),
        )
    assert read_connection(connected).failures == 0
    assert (document(ACCOUNT), document("mail/m")) == (None, None), "no half of an account is made"


# --- calendars --------------------------------------------------------------------------------------------------------

SHARED = "shared@group.calendar.google.com"
CLAIM = f"calendars/{identity.calendar_claim('google', SHARED)}"


def claimed(document: Documents) -> CalendarClaim:
    return msgspec.convert(plain(document(CLAIM)), CalendarClaim)


def a_claim(user_id: str = "u1", **fields: Any) -> CalendarClaim:
    given: dict[str, Any] = {"studio_id": "s1", "connection_id": f"of-{user_id}", "calendar_id": SHARED}
    return CalendarClaim(**{**given, "user_id": user_id, "claimed_at": NOW, **fields})


def test_a_calendar_is_claimed_by_its_id_whatever_that_is_made_of(store: FirestoreStore, document: Documents) -> None:
    odd = "en.german#holiday/../x@group.v.calendar.google.com"
    assert store.claim_calendar(a_claim(calendar_id=odd))
    assert document(f"calendars/{identity.calendar_claim('google', odd)}")["calendar_id"] == odd
    assert store.claim_calendar(a_claim(user_id="u2")), "another calendar"
    assert claimed(document) == a_claim(user_id="u2")


def test_who_claimed_a_calendar_can_be_read_until_it_is_let_go_of(store: FirestoreStore) -> None:
    assert store.calendar_claim(SHARED) is None
    store.claim_calendar(a_claim())
    assert store.calendar_claim(SHARED) == a_claim()
    store.free_calendar(SHARED, "of-u1")
    assert store.calendar_claim(SHARED) is None


@pytest.mark.parametrize(
    ("studio_id", "user_id", "theirs"), [("s1", "u1", True), ("s1", "u2", False), ("s2", "u1", False)]
)
def test_a_claim_belongs_to_one_user_of_one_studio(studio_id: str, user_id: str, *, theirs: bool) -> None:
    assert a_claim().belongs_to(studio_id, user_id) is theirs


def test_of_many_users_who_claim_a_calendar_at_once_one_gets_it(store: FirestoreStore, document: Documents) -> None:
    users = [f"u{number}" for number in range(6)]
    with ThreadPoolExecutor(len(users)) as pool:
        outcomes = list(pool.map(lambda user: store.claim_calendar(a_claim(user)), users))
    winners = [user for user, won in zip(users, outcomes, strict=True) if won]
    assert winners == [document(CLAIM)["user_id"]]


@pytest.mark.parametrize("state", ["connected", "needs_reauth", "paused"])
def test_a_calendar_that_a_colleague_keeps_in_step_is_refused(
    store: FirestoreStore, put: Put, document: Documents, state: str
) -> None:
    store.claim_calendar(a_claim(claimed_at=NOW - DAY))
    put({"connections/of-u1": {"state": state}})
    assert not store.claim_calendar(a_claim("u2"))
    assert not store.claim_calendar(a_claim("u1", studio_id="s2")), "a user of the same id in another studio"
    assert document(CLAIM)["user_id"] == "u1"


@pytest.mark.parametrize("state", ["resting", "disconnected", None])
def test_a_claim_whose_connection_is_not_in_use_is_taken_over(
    store: FirestoreStore, put: Put, document: Documents, state: str | None
) -> None:
    store.claim_calendar(a_claim(claimed_at=NOW - DAY))
    if state is not None:
        put({"connections/of-u1": {"state": state}})
    assert store.claim_calendar(a_claim("u2"))
    assert claimed(document) == a_claim("u2")


@pytest.mark.parametrize(("age", "free"), [(BEING_MADE - A_MOMENT, False), (BEING_MADE, True)])
def test_a_connection_has_some_moments_to_be_made_after_its_claim(
    store: FirestoreStore, age: dt.timedelta, *, free: bool
) -> None:
    store.claim_calendar(a_claim(claimed_at=NOW - age))
    assert store.claim_calendar(a_claim("u2")) is free


def test_of_many_users_who_take_a_calendar_over_at_once_one_gets_it(
    store: FirestoreStore, put: Put, document: Documents
) -> None:
    store.claim_calendar(a_claim("u9", claimed_at=NOW - DAY))
    put({"connections/of-u9": {"state": "resting"}})
    users = [f"u{number}" for number in range(6)]
    with ThreadPoolExecutor(len(users)) as pool:
        outcomes = list(pool.map(lambda user: store.claim_calendar(a_claim(user)), users))
    winners = [user for user, won in zip(users, outcomes, strict=True) if won]
    assert winners == [document(CLAIM)["user_id"]]


def test_ones_own_calendar_may_be_claimed_again_and_for_another_connection(
    store: FirestoreStore, put: Put, document: Documents
) -> None:
    store.claim_calendar(a_claim())
    put({"connections/of-u1": {"state": "connected"}})
    assert store.claim_calendar(a_claim(connection_id="another", claimed_at=NOW + HOUR))
    assert (document(CLAIM)["connection_id"], document(CLAIM)["claimed_at"]) == ("another", NOW + HOUR)


def test_a_calendar_is_freed_by_the_connection_that_it_was_claimed_for_only(
    store: FirestoreStore, document: Documents
) -> None:
    store.claim_calendar(a_claim())
    store.free_calendar(SHARED, "of-u2")
    assert document(CLAIM)["connection_id"] == "of-u1"
    store.free_calendar(SHARED, "of-u1")
    assert document(CLAIM) is None
    store.free_calendar(SHARED, "of-u1")
    assert store.claim_calendar(a_claim("u2"))


def test_a_claim_that_is_taken_over_at_this_moment_is_not_freed(
    store: FirestoreStore, firestore_client: firestore.Client, monkeypatch: pytest.MonkeyPatch, document: Documents
) -> None:
    store.claim_calendar(a_claim())
    racing(store, firestore_client, monkeypatch, {"user_id": "u2", "connection_id": "of-u2"})
    store.free_calendar(SHARED, "of-u1")
    assert document(CLAIM)["connection_id"] == "of-u2"
