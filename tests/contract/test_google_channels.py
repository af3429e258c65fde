"""Push channels of Google Calendar: the simulated one always, the real one with ``--google=real``."""

import datetime as dt
from typing import Any

import pytest

from tests.contract.google_target import Target, new_id, refused, saw

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


class TestWatch:
    def channel(self, **fields: Any) -> dict[str, Any]:
        return {"id": new_id(), "type": "web_hook", "address": "https://example.com/hook"} | fields

    @pytest.mark.open_point
    def test_google_has_its_own_limit_for_a_channels_life(self, google: Target) -> None:
        """Seven days by default; the maximum is not documented, the simulator's is a switch."""
        google.simulated.push.paused = True
        watch = google.api.events().watch
        year = str(365 * 86400)
        answer = watch(calendarId=google.calendar_id, body=self.channel(params={"ttl": year})).execute()
        lifetime = int(answer["expiration"]) / 1000 - dt.datetime.now(dt.UTC).timestamp()
        if saw(google, "longest channel, in seconds", lifetime):
            assert lifetime == pytest.approx(30 * 86400, abs=60)
        stop = {"id": answer["id"], "resourceId": answer["resourceId"]}
        assert not google.api.channels().stop(body=stop).execute()
        google.simulated.push.resume()

    @pytest.mark.parametrize(
        "fields",
        [{"id": "c" * 65}, {"token": "t" * 257}, {"address": "http://example.com/hook"}, {"type": "pigeon"}],
        ids=["long id", "long token", "no https", "unknown type"],
    )
    def test_a_channel_that_breaks_the_rules_is_refused(self, google: Target, fields: dict[str, Any]) -> None:
        """64 characters of id, 256 of token, HTTPS, web_hook."""
        watch = google.api.events().watch(calendarId=google.calendar_id, body=self.channel(**fields))
        assert refused(watch.execute)[0] == 400

    def opened(self, google: Target) -> dict[str, Any]:
        body = self.channel(params={"ttl": "600"})
        answer: dict[str, Any] = google.api.events().watch(calendarId=google.calendar_id, body=body).execute()
        return {"id": answer["id"], "resourceId": answer["resourceId"]}

    def test_a_channel_is_stopped_once(self, google: Target) -> None:
        """The first time without a body, after that there is nothing to stop: 404."""
        channel = self.opened(google)
        assert not google.api.channels().stop(body=channel).execute()
        assert refused(google.api.channels().stop(body=channel).execute)[0] == 404

    def test_a_channel_is_stopped_by_both_its_ids(self, google: Target) -> None:
        """The resource's id too, as the watch answered it."""
        channel = self.opened(google)
        assert refused(google.api.channels().stop(body=channel | {"resourceId": "other"}).execute)[0] in {400, 404}
        assert not google.api.channels().stop(body=channel).execute()

    def test_nobody_else_stops_a_channel(self, google: Target) -> None:
        """Only the account, and the client, that opened it."""
        guest, channel = google.guest, self.opened(google)
        assert refused(guest.api.channels().stop(body=channel).execute) == (404, "notFound")
        assert channel["id"] in [open_.id for open_ in google.simulated.push.channels()]
        google.api.channels().stop(body=channel).execute()
        assert channel["id"] not in [open_.id for open_ in google.simulated.push.channels()]

    def test_channels_of_one_calendar_share_the_resource_so_each_is_stopped_with_what_another_was_answered(
        self, google: Target
    ) -> None:
        """What stops a channel whose own answer was lost."""
        first, second = self.opened(google), self.opened(google)
        assert first["resourceId"] == second["resourceId"]
        assert not google.api.channels().stop(body={"id": first["id"], "resourceId": second["resourceId"]}).execute()
        assert refused(google.api.channels().stop(body=first).execute)[0] == 404
        assert not google.api.channels().stop(body=second).execute()

    def test_a_calendar_that_cannot_be_watched_says_so_each_time(self, google: Target) -> None:
        """400; which calendars these are (of holidays, for example) is not documented."""
        google.simulated.push.never_watch(google.calendar_id)
        watch = google.api.events().watch(calendarId=google.calendar_id, body=self.channel())
        assert refused(watch.execute) == (400, "pushNotSupportedForRequestedResource")
        assert refused(watch.execute) == (400, "pushNotSupportedForRequestedResource")
