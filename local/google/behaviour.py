"""Where Google's documentation says nothing or says two things: the choice is a switch, so that tests can try both."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from local.google.occurrences import Reading


@dataclass(slots=True)
class Behaviour:
    """Set the fields of ``simulator.behaviour`` at any time; they count from the next request on."""

    # The guide says 1000 calls per batch; until 2020 it said 50.
    max_batch: int = 1000
    # Characters; descriptions beyond it are cut silently. Users report 8192, no page does.
    description_limit: int | None = None
    # Whether the block that Google Meet adds to descriptions is cut out of what a client sends. No page says so, but
    # it was measured: https://github.com/ridafkih/keeper.sh/issues/749 (649 there: a sync that never converges).
    strip_own_block: bool = True
    # Whether a description comes back as other, equivalent HTML: unknown tags dropped, entities and line ends
    # normalised, white space at the end gone. Not documented; the same report found <b>, <ul> and <div> unchanged.
    # Whatever compares descriptions must survive it all the same.
    rewrite_descriptions: bool = False
    # Whether deltas without showDeleted carry the details of deleted events, or only what is guaranteed: the id.
    tombstone_details: bool = False
    # A change of reminders leaves `updated` (documented). Whether it changes the etag is not documented.
    reminders_change_etag: bool = True
    # Whether importing an iCalUID that the calendar has, deleted or not, updates that event in place; if not, it is 409
    # ``duplicate``. Not documented; users report both.
    repeated_import_updates: bool = True
    # Whether the last page has a sync token though the listing was filtered or ordered by what no delta may repeat.
    sync_token_after_filters: bool = True
    # How long sync tokens live; None: for ever. "Expired for various reasons", without a number.
    sync_token_lifetime: dt.timedelta | None = None
    # Google's own maximum for push channels, which wins over a longer wish. Not documented.
    max_channel_lifetime: dt.timedelta = dt.timedelta(days=30)
    # Whether a channel's ``sync`` message arrives before the answer to the watch that opened it: it "may".
    sync_before_answer: bool = False

    # Series. Google documents that exceptions have ids, original starts and changes of their own, and hardly more.

    # Whether an instance that nobody changed has another etag than its series.
    instance_etags_of_their_own: bool = False
    # Whether the instances of a series that "this and following" split off (``<id>_R<stamp>``) have ids without the
    # ``_R`` part, as observed: https://github.com/odoo/odoo/issues/120798. Then ids do not tell the series.
    split_series_share_instance_ids: bool = False
    # Whether instances last as long by the clock on the wall as the first one; if not, as long in seconds (RFC 5545).
    instances_end_by_the_wall_clock: bool = False
    # An UNTIL without a time, where the series has times: whether it includes the occurrence of that day.
    until_date_includes_its_day: bool = True
    # Whether a series whose UNTIL lies before its start happens once, or never. Google does the one with imported files
    # and the other with subscribed ones: https://github.com/sabre-io/vobject/pull/371.
    start_outlives_until: bool = True
    # Whether a new exception, or a change of one, is a change of its series too: a new etag, an entry in the delta.
    exceptions_touch_their_series: bool = False
    # Whether the fields that an exception has as its series had them follow the series; if not, it keeps them all.
    exceptions_inherit: bool = False
    # The start of a series moves, or its zone, or it becomes one of whole days. Its exceptions are
    # "rekeyed": carried along by the clock on the wall to another id and original start, their own times as they were;
    #   the old id is deleted. "kept": as they are, of a slot that the series does not have any more. "dropped":
    #   deleted. "forgotten": deleted without a trace, neither by id (404) nor in a delta.
    # Where the slot that one leaves is one of the new series too, it is an ordinary instance again, and in the delta.
    exceptions_of_a_moved_series: Literal["rekeyed", "kept", "dropped", "forgotten"] = "rekeyed"
    # The same for exceptions of slots that the rule does not have any more: trimmed, made rarer, or taken away.
    exceptions_beyond_the_end: Literal["dropped", "kept", "forgotten"] = "dropped"
    # Whether a deleted series puts its exceptions into the delta as well, or its own tombstone alone.
    exception_tombstones_with_series: bool = True
    # Whether the instances of a deleted series can be fetched, as cancelled ones; if not, they are 404.
    instances_outlive_their_series: bool = True
    # Whether a series that is restored has its exceptions again; if not, it has none.
    exceptions_return: bool = True

    @property
    def reading(self) -> Reading:
        """How recurrence rules are read."""
        return Reading(self.until_date_includes_its_day, self.start_outlives_until)
