"""Who is who in Firestore: users found across studios, what is written for them, and invitations."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from google.cloud import firestore

from shared.adapters.firestore_store import FirestoreStore
from shared.domain.errors import Stale
from shared.domain.invitation import INVITATION_LIFE, Invitation
from shared.ports import UserDocument
from tests.contract.firestore_store.builders import NOW, Documents, Put


@pytest.fixture
def peopled(store: FirestoreStore, put: Put) -> FirestoreStore:
    """Two studios with users, and other documents in collections of the same name."""
    ann = {"name": "Ann", "email": "ann@example.org", "sign_in": {"subject": "1", "at": NOW}}
    put(
        {
            "studios/s1/users/u1": ann,
            "studios/s1/users/u2": {"name": "Ben", "email": "Ben@example.org"},
            "studios/s2/users/u1": {"name": "Ann too", "email": "ann@example.org", "sign_in": {"subject": "2"}},
            "studios/s2/users/u3": {"name": "Cleo", "email": None, "sign_in": {"subject": "1"}},
            # What a front-end may call by the same name.
            "users/u9": ann,
            "studios/s1/rooms/r1/users/u8": ann,
            "elsewhere/s1/users/u7": ann,
        }
    )
    return store


def one_of(store: FirestoreStore) -> UserDocument:
    """Ann of the first studio."""
    found = store.user("s1", "u1")
    assert found is not None
    return found


def ids(found: list[UserDocument]) -> list[tuple[str, str]]:
    return sorted((one.studio_id, one.user_id) for one in found)


def test_users_of_all_studios_are_found_by_their_address_as_it_is_written(peopled: FirestoreStore) -> None:
    assert ids(peopled.users_with_email(["ann@example.org"])) == [("s1", "u1"), ("s2", "u1")]
    assert ids(peopled.users_with_email(["ben@example.org"])) == []
    both = ["ben@example.org", "Ben@example.org", *(f"{number}@example.org" for number in range(28))]
    assert ids(peopled.users_with_email(both)) == [("s1", "u2")]
    assert peopled.users_with_email(["nobody@example.org"]) == []


def test_users_of_all_studios_are_found_by_the_account_that_they_sign_in_with(peopled: FirestoreStore) -> None:
    assert ids(peopled.users_signed_in_by("1")) == [("s1", "u1"), ("s2", "u3")]
    assert peopled.users_signed_in_by("3") == []


def test_users_of_a_studio_are_all_of_them_and_no_others(peopled: FirestoreStore) -> None:
    assert ids(peopled.users_of_studio("s1")) == [("s1", "u1"), ("s1", "u2")]
    assert peopled.users_of_studio("s9") == []


def test_a_user_comes_with_the_document_and_its_version_however_it_was_found(peopled: FirestoreStore) -> None:
    ann = one_of(peopled)
    assert ann.document == {"name": "Ann", "email": "ann@example.org", "sign_in": {"subject": "1", "at": NOW}}
    assert type(ann.document["sign_in"]["at"]) is type(NOW)
    assert peopled.user("s1", "u3") is None
    for found in (
        lambda: peopled.users_of_studio("s1"),
        lambda: peopled.users_signed_in_by("1"),
        lambda: peopled.users_with_email(["ann@example.org"]),
    ):
        [listed] = [one for one in found() if (one.studio_id, one.user_id) == ("s1", "u1")]
        assert listed.document == ann.document
        peopled.update_user(listed, {"name": "Anna"})
        with pytest.raises(Stale):
            peopled.update_user(listed, {"name": "Anne"})
        peopled.update_user(one_of(peopled), {"name": "Ann"})


def test_fields_of_a_user_are_written_by_path_and_the_rest_stays(peopled: FirestoreStore, document: Documents) -> None:
    ann = one_of(peopled)
    peopled.update_user(ann, {"sync.calendar_id": "c", "sign_in": None, "unknown.a": 1})
    assert document("studios/s1/users/u1") == {
        "name": "Ann",
        "email": "ann@example.org",
        "sync": {"calendar_id": "c"},
        "unknown": {"a": 1},
    }
    assert document("studios/s2/users/u1")["name"] == "Ann too"


def test_a_user_who_was_written_or_erased_since_is_not_written(
    peopled: FirestoreStore, firestore_client: firestore.Client, document: Documents
) -> None:
    seen = one_of(peopled)
    firestore_client.document("studios/s1/users/u1").update({"role": "staff"})
    with pytest.raises(Stale):
        peopled.update_user(seen, {"sign_in.subject": "9"})
    assert document("studios/s1/users/u1")["sign_in"]["subject"] == "1"
    firestore_client.document("studios/s1/users/u1").delete()
    with pytest.raises(Stale):
        peopled.update_user(seen, {"sign_in.subject": "9"})
    assert document("studios/s1/users/u1") is None


def test_of_many_accounts_that_are_bound_to_a_user_at_once_one_is(peopled: FirestoreStore, document: Documents) -> None:
    seen = peopled.user("s1", "u2")
    assert seen is not None

    def bind(subject: str) -> bool:
        try:
            peopled.update_user(seen, {"sign_in": {"subject": subject}})
        except Stale:
            return False
        return True

    subjects = [str(number) for number in range(6)]
    with ThreadPoolExecutor(len(subjects)) as pool:
        bound = [subject for subject, won in zip(subjects, pool.map(bind, subjects), strict=True) if won]
    assert bound == [document("studios/s1/users/u2")["sign_in"]["subject"]]


# --- invitations ------------------------------------------------------------------------------------------------------


def an_invitation(nonce: str = "n1", user_id: str = "u1") -> Invitation:
    return Invitation(
        studio_id="s1", user_id=user_id, nonce=nonce, invited_by="chief", expires_at=NOW + INVITATION_LIFE
    )


def test_a_user_has_one_invitation_the_last_one(store: FirestoreStore) -> None:
    assert store.invitation("s1", "u1") is None
    store.put_invitation(an_invitation("first"))
    [first] = [store.invitation("s1", "u1")]
    assert first is not None
    store.use_invitation(first, "a1")
    store.put_invitation(an_invitation("second"))
    store.put_invitation(an_invitation("another's", "u2"))
    found = store.invitation("s1", "u1")
    assert found is not None
    assert found.value == an_invitation("second"), "unused"
    assert store.invitation("s2", "u1") is None


def test_an_invitation_that_was_used_or_replaced_since_is_not_used(store: FirestoreStore) -> None:
    store.put_invitation(an_invitation())
    seen = store.invitation("s1", "u1")
    assert seen is not None
    store.use_invitation(seen, "a1")
    with pytest.raises(Stale):
        store.use_invitation(seen, "a2")
    used = store.invitation("s1", "u1")
    assert used is not None
    assert used.value.used_by == "a1"
    store.put_invitation(an_invitation("later"))
    with pytest.raises(Stale):
        store.use_invitation(used, "a1")


def test_of_many_accounts_that_use_an_invitation_at_once_one_does(store: FirestoreStore) -> None:
    store.put_invitation(an_invitation())
    seen = store.invitation("s1", "u1")
    assert seen is not None

    def use(account_id: str) -> bool:
        try:
            store.use_invitation(seen, account_id)
        except Stale:
            return False
        return True

    accounts = [f"a{number}" for number in range(6)]
    with ThreadPoolExecutor(len(accounts)) as pool:
        used = [account for account, won in zip(accounts, pool.map(use, accounts), strict=True) if won]
    found = store.invitation("s1", "u1")
    assert found is not None
    assert used == [found.value.used_by]
