"""Push notifications: what arrives, in which order, and what does not."""

import datetime as dt
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from local.google import push
from local.google.server import GoogleSimulator
from tests.contract.google_target import ACCOUNT, an_hour, refusal
from tests.unit.local_google.conftest import Webhook, call

Watch = Callable[..., dict[str, Any]]


@pytest.fixture
def watch(google: GoogleSimulator, api: Any, webhook: Webhook) -> Watch:
    """Opens a channel on Anna's primary calendar and waits for its sync message."""
    google.push.delay = 0.01
    google.push.retry_delay = 0.01

    def run(**fields: Any) -> dict[str, Any]:
        body = {"id": uuid.uuid4().hex, "type": "web_hook", "address": webhook.url, "token": "secret"} | fields
        answer: dict[str, Any] = api.events().watch(calendarId="primary", body=body).execute()
        assert google.push.flush()
        return answer

    return run


def test_the_first_message_says_sync(google: GoogleSimulator, watch: Watch, webhook: Webhook) -> None:
    answer = watch()
    (headers,) = webhook.received
    assert headers["user-agent"].startswith("APIs-Google")
    assert headers["content-length"] == "0"
    assert headers["x-goog-channel-id"] == answer["id"]
    assert headers["x-goog-channel-token"] == "secret"
    assert headers["x-goog-resource-id"] == answer["resourceId"]
    assert headers["x-goog-resource-uri"] == answer["resourceUri"]
    assert (headers["x-goog-resource-state"], headers["x-goog-message-number"]) == ("sync", "1")
    expires = parsedate_to_datetime(headers["x-goog-channel-expiration"])
    assert headers["x-goog-channel-expiration"].endswith("GMT")
    assert expires.timestamp() == int(answer["expiration"]) // 1000
    assert expires - dt.datetime.now(dt.UTC) > dt.timedelta(days=6, hours=23)


def test_every_change_is_told_with_growing_numbers(google: GoogleSimulator, watch: Watch, webhook: Webhook) -> None:
    watch()
    person = google.person(ACCOUNT)
    event = person.insert(summary="Walk", **an_hour())
    assert google.push.flush()
    person.patch("primary", event["id"], summary="Run")
    assert google.push.flush()
    person.delete("primary", event["id"])
    assert google.push.flush()
    assert webhook.of("resource-state") == ["sync", "exists", "exists", "exists"]
    numbers = [int(number) for number in webhook.of("message-number")]
    assert numbers == sorted(set(numbers))


def test_own_writes_notify_too(google: GoogleSimulator, api: Any, watch: Watch, webhook: Webhook) -> None:
    watch()
    api.events().insert(calendarId="primary", body=an_hour()).execute()
    assert google.push.flush()
    assert webhook.of("resource-state") == ["sync", "exists"]


def test_changes_in_quick_succession_share_a_message(google: GoogleSimulator, watch: Watch, webhook: Webhook) -> None:
    watch()
    google.push.paused = True
    for _ in range(5):
        google.person(ACCOUNT).insert(**an_hour())
    google.push.resume()
    assert google.push.flush()
    assert len(webhook.received) == 2


def test_other_calendars_are_not_told_about(google: GoogleSimulator, watch: Watch, webhook: Webhook) -> None:
    watch()
    other = google.add_calendar(ACCOUNT, "Private")
    google.person(ACCOUNT).insert(other, **an_hour())
    google.person("bert@example.com").insert(**an_hour())
    assert google.push.flush()
    assert len(webhook.received) == 1


@pytest.mark.parametrize(("status", "attempts"), [(500, 2), (502, 2), (503, 2), (504, 2), (400, 1), (404, 1), (429, 1)])
def test_only_some_refusals_are_tried_again(
    google: GoogleSimulator, watch: Watch, webhook: Webhook, status: int, attempts: int
) -> None:
    webhook.statuses = [status]
    watch()
    assert len(webhook.received) == attempts
    assert set(webhook.of("message-number")) == {"1"}
    assert google.push.deliveries[0].status == status


def test_messages_can_be_lost_and_doubled(google: GoogleSimulator, watch: Watch, webhook: Webhook) -> None:
    watch()
    google.push.lose_next(1)
    google.person(ACCOUNT).insert(**an_hour())
    assert google.push.flush()
    assert len(webhook.received) == 1
    google.push.duplicate = True
    google.person(ACCOUNT).insert(**an_hour())
    assert google.push.flush()
    assert len(webhook.received) == 3
    assert len(set(webhook.of("message-number"))) == 2


def test_a_stopped_channel_is_silent(google: GoogleSimulator, api: Any, watch: Watch, webhook: Webhook) -> None:
    channel = watch()
    api.channels().stop(body={"id": channel["id"], "resourceId": channel["resourceId"]}).execute()
    google.person(ACCOUNT).insert(**an_hour())
    assert google.push.flush()
    assert len(webhook.received) == 1
    assert google.push.channels() == []


def test_only_its_maker_can_stop_a_channel(google: GoogleSimulator, api: Any, watch: Watch) -> None:
    channel = watch()
    stop = {"id": channel["id"], "resourceId": channel["resourceId"]}
    # The same person through another client, another person, the wrong resource: all the same.
    for email in (ACCOUNT, "bert@example.com"):
        assert call(google, google.ui_token(email), "POST", "channels/stop", json=stop).status_code == 404
    with pytest.raises(HttpError) as caught:
        api.channels().stop(body=stop | {"resourceId": "other"}).execute()
    assert refusal(caught.value) == (404, "notFound")
    assert len(google.push.channels()) == 1


def test_an_expired_channel_falls_silent(google: GoogleSimulator, watch: Watch, webhook: Webhook) -> None:
    watch(params={"ttl": "3600"})
    google.push._now = lambda: dt.datetime.now(dt.UTC) + dt.timedelta(hours=2)
    google.person(ACCOUNT).insert(**an_hour())
    assert google.push.flush()
    assert len(webhook.received) == 1


def test_channel_ids_are_unique_for_ever(google: GoogleSimulator, api: Any, watch: Watch) -> None:
    channel = watch()
    api.channels().stop(body={"id": channel["id"], "resourceId": channel["resourceId"]}).execute()
    with pytest.raises(HttpError) as caught:
        watch(id=channel["id"])
    assert refusal(caught.value) == (400, "channelIdNotUnique")


def test_channels_of_one_calendar_overlap(google: GoogleSimulator, watch: Watch, webhook: Webhook) -> None:
    first, second = watch(), watch(token="other")
    assert first["resourceId"] == second["resourceId"]
    google.person(ACCOUNT).insert(**an_hour())
    assert google.push.flush()
    assert sorted(webhook.of("channel-id")[2:]) == sorted([first["id"], second["id"]])


def test_a_channel_can_fall_silent_and_stay_open(google: GoogleSimulator, api: Any, watch: Watch) -> None:
    silent, other = watch(), watch()
    google.push.silence(silent["id"])
    google.person(ACCOUNT).insert(**an_hour())
    assert google.push.flush()
    assert [one.channel_id for one in google.push.deliveries if one.state == "exists"] == [other["id"]]
    assert {one.id for one in google.push.channels()} == {silent["id"], other["id"]}
    stop = {"id": silent["id"], "resourceId": silent["resourceId"]}
    assert not api.channels().stop(body=stop).execute()


def test_some_calendars_cannot_be_watched_ever(google: GoogleSimulator, watch: Watch) -> None:
    google.push.never_watch(ACCOUNT)
    for _ in range(2):
        with pytest.raises(HttpError) as caught:
            watch()
        assert refusal(caught.value) == (400, "pushNotSupportedForRequestedResource")
    assert google.push.channels() == []


def test_the_first_message_can_come_before_the_answer_to_the_watch(
    google: GoogleSimulator, api: Any, webhook: Webhook
) -> None:
    google.behaviour.sync_before_answer = True
    body = {"id": uuid.uuid4().hex, "type": "web_hook", "address": webhook.url}
    answer = api.events().watch(calendarId="primary", body=body).execute()
    assert webhook.of("resource-state") == ["sync"], "no wait, no flush: it is here"
    assert webhook.of("resource-id") == [answer["resourceId"]]


def test_google_answers_others_while_an_answer_waits_for_the_first_message(
    google: GoogleSimulator, api: Any, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And answers all the same where that is lost."""
    monkeypatch.setattr(push, "_LONGEST_WAIT", 1.0)
    google.behaviour.sync_before_answer = True
    google.push.lose_next(1)
    body = {"id": uuid.uuid4().hex, "type": "web_hook", "address": webhook.url}
    with ThreadPoolExecutor(max_workers=1) as pool:
        answer = pool.submit(lambda: api.events().watch(calendarId="primary", body=body).execute())
        while not google.push.channels():
            time.sleep(0.01)
        google.person(ACCOUNT).insert(**an_hour())
        assert not answer.done()
        assert answer.result(10)["id"] == body["id"]
    assert google.push.flush()
    assert webhook.of("resource-state") == ["exists"]
