"""What people do with repeating appointments on either side, and how one sees that it has arrived on the other."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from local.demo.edits import HOUR, Edit
from local.demo.scene import Scene
from local.demo.studio import MARCO, OLENA, STUDIO_ZONE, DemoUser
from local.google.occurrences import slot_of, stamp
from local.studio_series import cancel, change, occurrence_id

# A weekly class of Olena's, in the evening; a daily half hour of hers; what Marco types into his own calendar.
CLASS, WEEKS, EVENING = "class", 40, 21
SETUP, DAYS, SETUP_TITLE = "setup", 500, "Light set-up"
CHOIR, CHOIR_WEEKS = "Choir", 12
# What no calendar can hold, and what it is mended to.
LAPSE = "lapse"
HOURLY, DAILY = ["RRULE:FREQ=HOURLY;COUNT=8"], ["RRULE:FREQ=DAILY;COUNT=8"]
HALF_HOUR = dt.timedelta(minutes=30)


def class_slots(today: dt.date) -> list[dt.datetime]:
    """When the class is, UTC; weeks enough to go over a change of the clock, whenever that is."""
    first = _wall(today, 5, EVENING)
    return [_instant(first + dt.timedelta(weeks=week), STUDIO_ZONE) for week in range(WEEKS)]


class SeriesEdits:
    """The edits of each part. Occurrences are named by when the series has them (UTC)."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._studio = scene.studio
        self.slots = class_slots(scene.today)
        self._choir_first = _wall(scene.today, 6, EVENING)
        self._choir_id = ""
        self._split_id = ""

    @property
    def with_documents(self) -> list[str]:
        """Ids of the occurrences of the class that are not as it has them, when all edits are through."""
        return sorted(occurrence_id(CLASS, self.slots[week]) for week in (2, 4, 6, 8, 10))

    @property
    def given(self) -> str:
        """The occurrence that is Marco's."""
        return occurrence_id(CLASS, self.slots[8])

    # --- new ones ----------------------------------------------------------------------------------------------------

    def new(self) -> list[Edit]:
        tomorrow, first = _wall(self._scene.today, 1, 6), self.slots[0]
        daily = _instant(tomorrow, STUDIO_ZONE)
        late = first + 2 * HOUR

        def type_choir() -> None:
            times: dict[str, Any] = {
                name: {"dateTime": f"{when:%Y-%m-%dT%H:%M:%S}", "timeZone": MARCO.calendar_zone}
                for name, when in (("start", self._choir_first), ("end", self._choir_first + HOUR))
            }
            rule = [f"RRULE:FREQ=WEEKLY;COUNT={CHOIR_WEEKS}"]
            self._choir_id = self._scene.person(MARCO).insert(summary=CHOIR, recurrence=rule, **times)["id"]

        return [
            Edit(
                f"Booked for {DAYS} days: in Olena's calendar",
                lambda: self._book(SETUP, SETUP_TITLE, daily, HALF_HOUR, [f"RRULE:FREQ=DAILY;COUNT={DAYS}"]),
                lambda: bool(self._event(OLENA, SETUP)),
            ),
            Edit(
                "Weekly class booked: in Olena's calendar",
                lambda: self._book(CLASS, "Class: Light", first, HOUR, [f"RRULE:FREQ=WEEKLY;COUNT={WEEKS}"]),
                lambda: bool(self._event(OLENA, CLASS)),
            ),
            Edit(
                "Weekly choir typed in Marco's calendar: a series in the studio",
                type_choir,
                lambda: bool((self._scene.imported(self._choir_id) or {}).get("recurrence")),
            ),
            Edit(
                "Booked every hour, which no calendar can hold: parked",
                lambda: self._book(LAPSE, "Time lapse", late, HALF_HOUR, HOURLY),
                lambda: bool(self.parked()),
            ),
        ]

    # --- this, this and following, all -------------------------------------------------------------------------------

    def in_studio(self) -> list[Edit]:
        studio, slots = self._studio, self.slots
        advanced = f"{CLASS}-from-{stamp(slots[20])}"
        return [
            Edit(
                "This one, an hour later: in the calendar",
                lambda: change(studio, CLASS, slots[2], "this", by=HOUR),
                lambda: slot_of(self._instance(CLASS, slots[2])["start"]) == slots[2] + HOUR,
            ),
            Edit(
                "This and following, renamed: two series in the calendar",
                lambda: change(studio, CLASS, slots[20], "following", title="Class: Colour"),
                lambda: (
                    self._event(OLENA, advanced).get("summary") == "Class: Colour"
                    and self._event(OLENA, CLASS)["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=20"]
                ),
            ),
            Edit(
                f"All {DAYS}, another place: in the calendar",
                lambda: change(studio, SETUP, self._first(SETUP), "all", location="Studio B"),
                lambda: self._event(OLENA, SETUP).get("location") == "Studio B",
            ),
            Edit(
                "This one, cancelled: gone from the calendar",
                lambda: cancel(studio, CLASS, slots[6], "this"),
                lambda: self._instance(CLASS, slots[6])["status"] == "cancelled",
            ),
            Edit(
                "This one, given to Marco: from her calendar into his",
                lambda: change(studio, CLASS, slots[8], "this", user_ids=[MARCO.id]),
                lambda: (
                    self._instance(CLASS, slots[8])["status"] == "cancelled" and bool(self._event(MARCO, self.given))
                ),
            ),
            Edit(
                "Every hour, mended to every day: in the calendar",
                lambda: studio.edit(LAPSE, recurrence=DAILY),
                lambda: self._event(OLENA, LAPSE).get("recurrence") == DAILY,
            ),
        ]

    def in_calendars(self) -> list[Edit]:
        slots, hers, his = self.slots, self._scene.person(OLENA), self._scene.person(MARCO)
        earlier = self._first(SETUP) - HALF_HOUR
        sixth = _instant(self._choir_first + dt.timedelta(weeks=5), MARCO.calendar_zone)

        def move_the_rest() -> None:
            self._split_id = his.move(f"{self._choir_id}_{stamp(sixth)}", HOUR, "following")["id"]

        return [
            Edit(
                "This one, an hour later: in the studio",
                lambda: hers.move(self._instance_id(CLASS, slots[4]), HOUR),
                lambda: self._occurrence(slots[4]).get("start") == slots[4] + HOUR,
            ),
            Edit(
                "This one, deleted: cancelled in the studio",
                lambda: hers.delete("primary", self._instance_id(CLASS, slots[10])),
                lambda: self._occurrence(slots[10]).get("status") == "cancelled",
            ),
            Edit(
                "This and following, an hour later: two series in the studio",
                move_the_rest,
                lambda: (
                    (self._scene.imported(self._split_id) or {}).get("start") == sixth + HOUR
                    and (self._scene.imported(self._choir_id) or {}).get("recurrence") == ["RRULE:FREQ=WEEKLY;COUNT=5"]
                ),
            ),
            Edit(
                f"All {DAYS}, half an hour earlier: in the studio",
                lambda: hers.move(self._instance_id(SETUP, self._first(SETUP)), -HALF_HOUR, "all"),
                lambda: self._first(SETUP) == earlier,
            ),
        ]

    def cancelled(self) -> Edit:
        event_id = self._scene.event_of(OLENA, SETUP) or ""
        return Edit(
            f"All {DAYS} cancelled in the studio: gone from Olena's calendar",
            lambda: cancel(self._studio, SETUP, self._first(SETUP), "all"),
            lambda: self._scene.person(OLENA).event(event_id)["status"] == "cancelled",
        )

    # --- what is there -----------------------------------------------------------------------------------------------

    def parked(self) -> dict[str, Any]:
        """What is on record of the series that no calendar can hold; empty if nothing is."""
        connection = self._scene.client.collection("connections").document(self._scene.connections[OLENA.id])
        found: dict[str, Any] | None = connection.collection("parked").document(LAPSE).get().to_dict()
        return found or {}

    def instances(self, series_id: str) -> list[dict[str, Any]]:
        """Those of Olena's calendar."""
        return self._scene.person(OLENA).instances(self._scene.event_of(OLENA, series_id) or "")

    def _book(
        self, series_id: str, title: str, start: dt.datetime, lasting: dt.timedelta, recurrence: list[str]
    ) -> None:
        times = {"start": start, "end": start + lasting, "time_zone": STUDIO_ZONE}
        self._studio.book(series_id, title=title, user_ids=[OLENA.id], recurrence=recurrence, **times)

    def _first(self, series_id: str) -> dt.datetime:
        """When the studio has the first of a series, UTC."""
        start: dt.datetime = (self._studio.appointment(series_id) or {})["start"]
        return start.astimezone(dt.UTC)

    def _occurrence(self, slot: dt.datetime) -> dict[str, Any]:
        return self._studio.appointment(occurrence_id(CLASS, slot)) or {}

    def _event(self, user: DemoUser, appointment_id: str) -> dict[str, Any]:
        event_id = self._scene.event_of(user, appointment_id)
        return self._scene.person(user).event(event_id) if event_id else {}

    def _instance(self, series_id: str, slot: dt.datetime) -> dict[str, Any]:
        return self._scene.person(OLENA).event(self._instance_id(series_id, slot))

    def _instance_id(self, series_id: str, slot: dt.datetime) -> str:
        return f"{self._scene.event_of(OLENA, series_id)}_{stamp(slot)}"


def _wall(today: dt.date, days: int, hour: int) -> dt.datetime:
    """An hour of the clock on the wall, so many days from today."""
    return dt.datetime.combine(today + dt.timedelta(days=days), dt.time(hour))


def _instant(wall: dt.datetime, zone: str) -> dt.datetime:
    """A time of the clock on the wall there, UTC."""
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)
