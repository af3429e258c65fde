"""Where Google's documentation says nothing or says two things: the choice is a switch, so that tests can try both."""

import datetime as dt
from dataclasses import dataclass


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
