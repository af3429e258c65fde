"""The closed list of reasons: why an item was written, left alone, or parked, and why a connection rests.

Every operation, log entry and parked item carries one of them; the sentences are what people read.
"""

import enum


class Reason(enum.StrEnum):
    """One word for the machine; `text` is the sentence for a person."""

    # Written, or already as it should be
    CREATED_IN_STUDIO = "created_in_studio"
    CHANGED_IN_STUDIO = "changed_in_studio"
    CANCELLED_IN_STUDIO = "cancelled_in_studio"
    LEFT_USER = "left_user"
    CREATED_IN_CALENDAR = "created_in_calendar"
    CHANGED_IN_CALENDAR = "changed_in_calendar"
    DELETED_IN_CALENDAR = "deleted_in_calendar"
    CHANGED_ON_BOTH = "changed_on_both"
    STUDIO_EDIT_BEATS_DELETION = "studio_edit_beats_deletion"
    MATCHED = "matched"
    JOINED = "joined"
    AGREED = "agreed"
    # Left alone
    REMOVED_FROM_ONE_OF_SEVERAL = "removed_from_one_of_several"
    GONE_ON_BOTH = "gone_on_both"
    ENDED_BEFORE_WINDOW = "ended_before_window"
    UNCHANGED_SINCE_CONNECTED = "unchanged_since_connected"
    # Parked
    INVALID = "invalid"
    REPEATING = "repeating"
    REFUSED_BY_PROVIDER = "refused_by_provider"
    UNEXPECTED = "unexpected"
    # Why a connection does not sync
    ACCESS_LOST = "access_lost"
    FORBIDDEN = "forbidden"
    CALENDAR_GONE = "calendar_gone"
    STUDIO_GONE = "studio_gone"
    USER_GONE = "user_gone"
    EDITION = "edition"
    STUDIO_OFF = "studio_off"
    USER_OFF = "user_off"
    NOT_SCHEDULABLE = "not_schedulable"
    SWITCHED = "switched"

    @property
    def text(self) -> str:
        return _TEXT[self]


_TEXT = {
    Reason.CREATED_IN_STUDIO: "New in the studio: entered into the calendar.",
    Reason.CHANGED_IN_STUDIO: "Changed in the studio: carried to the calendar.",
    Reason.CANCELLED_IN_STUDIO: "Cancelled in the studio: removed from the calendar.",
    Reason.LEFT_USER: "No longer assigned to this user: removed from this user's calendar.",
    Reason.CREATED_IN_CALENDAR: "New in the calendar: entered into the studio as an unlinked appointment.",
    Reason.CHANGED_IN_CALENDAR: "Changed in the calendar: carried to the studio.",
    Reason.DELETED_IN_CALENDAR: "Deleted in the calendar: cancelled in the studio.",
    Reason.CHANGED_ON_BOTH: "Changed on both sides: merged field by field.",
    Reason.STUDIO_EDIT_BEATS_DELETION: "Deleted in the calendar but edited in the studio: entered again.",
    Reason.MATCHED: "The same entry stood on both sides: paired.",
    Reason.JOINED: "The appointment is in the studio already: this user was added to it.",
    Reason.AGREED: "Both sides already hold the same.",
    Reason.REMOVED_FROM_ONE_OF_SEVERAL: (
        "Removed from one calendar, but others are assigned too: the appointment stays. Take this user off it, or "
        "edit it to enter it again."
    ),
    Reason.GONE_ON_BOTH: "Gone on both sides.",
    Reason.ENDED_BEFORE_WINDOW: "It ended before the time that is synced. Populate again to take in older entries.",
    Reason.UNCHANGED_SINCE_CONNECTED: (
        "It has not changed since the calendar was connected. Tick “populate” to take in what was there before."
    ),
    Reason.INVALID: "A field does not fit the contract: correct it, and it syncs.",
    Reason.REPEATING: "Repeating entries do not sync yet.",
    Reason.REFUSED_BY_PROVIDER: "The calendar refused it: change it, and it is tried again.",
    Reason.UNEXPECTED: "Something unexpected went wrong with this entry; our log has the details.",
    Reason.ACCESS_LOST: "Google no longer lets us in: connect the account again.",
    Reason.FORBIDDEN: "The account may not change this calendar: choose another one, or ask its owner for access.",
    Reason.CALENDAR_GONE: "The calendar is not there any more: choose another one.",
    Reason.STUDIO_GONE: "The studio does not exist any more.",
    Reason.USER_GONE: "The user does not exist any more.",
    Reason.EDITION: "The studio's edition does not include the sync: it needs standard, professional or enterprise.",
    Reason.STUDIO_OFF: "The sync is turned off for the whole studio.",
    Reason.USER_OFF: "The sync is turned off for this user.",
    Reason.SWITCHED: "The user syncs with another calendar now; this one rests.",
    Reason.NOT_SCHEDULABLE: "Only users who can be scheduled sync; rooms and other resources never do.",
}
