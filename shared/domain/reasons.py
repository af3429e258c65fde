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
    MOVED = "moved"
    CREATED_IN_CALENDAR = "created_in_calendar"
    CHANGED_IN_CALENDAR = "changed_in_calendar"
    DELETED_IN_CALENDAR = "deleted_in_calendar"
    CHANGED_ON_BOTH = "changed_on_both"
    STUDIO_EDIT_BEATS_DELETION = "studio_edit_beats_deletion"
    MATCHED = "matched"
    JOINED = "joined"
    RESTORED_IN_CALENDAR = "restored_in_calendar"
    MIRRORED = "mirrored"
    TAKEN_OFF = "taken_off"
    PUT_BACK = "put_back"
    BASELINE = "baseline"
    AGREED = "agreed"
    # Left alone
    REMOVED_FROM_ONE_OF_SEVERAL = "removed_from_one_of_several"
    REMOVED_WHILE_UNREAD = "removed_while_unread"
    HELD = "held"
    NOT_FOUND = "not_found"
    ANOTHERS = "anothers"
    EVENT_TYPE = "event_type"
    TENTATIVE = "tentative"
    DECLINED = "declined"
    ONE_WAY = "one_way"
    IN_EARLIER_CALENDAR = "in_earlier_calendar"
    NOT_ASSIGNED = "not_assigned"
    OTHER_ENTRY = "other_entry"
    WITH_SERIES = "with_series"
    GONE_ON_BOTH = "gone_on_both"
    ENDED_BEFORE_WINDOW = "ended_before_window"
    UNCHANGED_SINCE_CONNECTED = "unchanged_since_connected"
    NO_SUCH_APPOINTMENT = "no_such_appointment"
    NO_SUCH_ENTRY = "no_such_entry"
    # On its way
    WAITING = "waiting"
    # Parked
    DOUBTFUL = "doubtful"
    INVALID = "invalid"
    UNSUPPORTED_RULE = "unsupported_rule"
    REFUSED_BY_PROVIDER = "refused_by_provider"
    UNEXPECTED = "unexpected"
    # Why a connection does not sync
    NOT_CONNECTED = "not_connected"
    DISCONNECTED = "disconnected"
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
    CALENDAR_TAKEN = "calendar_taken"

    @property
    def text(self) -> str:
        return _TEXT[self]


_TEXT = {
    Reason.CREATED_IN_STUDIO: "New in the studio: entered into the calendar.",
    Reason.CHANGED_IN_STUDIO: "Changed in the studio: carried to the calendar.",
    Reason.CANCELLED_IN_STUDIO: "Cancelled in the studio, so it is not in the calendar.",
    Reason.LEFT_USER: "Not assigned to this user any more, so it is not in this user's calendar.",
    Reason.MOVED: "It is in the calendar that this user syncs with now, so it is not in the earlier one.",
    Reason.CREATED_IN_CALENDAR: "New in the calendar: entered into the studio as an unlinked appointment.",
    Reason.CHANGED_IN_CALENDAR: "Changed in the calendar: carried to the studio.",
    Reason.DELETED_IN_CALENDAR: "Deleted in the calendar: cancelled in the studio.",
    Reason.CHANGED_ON_BOTH: "Changed on both sides: merged field by field.",
    Reason.STUDIO_EDIT_BEATS_DELETION: "Deleted in the calendar but edited in the studio: entered again.",
    Reason.MATCHED: "The same entry stood on both sides: paired.",
    Reason.JOINED: "The appointment is in the studio already: this user was added to it.",
    Reason.RESTORED_IN_CALENDAR: "Taken back out of the calendar's bin: reinstated in the studio.",
    Reason.MIRRORED: "Deleted in the calendar, which only mirrors the studio: entered again.",
    Reason.TAKEN_OFF: "Removed from one calendar, and a person said: take this user off.",
    Reason.PUT_BACK: "A person decided to keep it: put back.",
    Reason.BASELINE: "The calendar is read from now on: what stands there is taken as it is.",
    Reason.AGREED: "Both sides already hold the same.",
    Reason.REMOVED_FROM_ONE_OF_SEVERAL: (
        "Removed from one calendar, but others are assigned too: the appointment stays, and the inbox asks what is to "
        "become of it. Editing it enters it again."
    ),
    Reason.REMOVED_WHILE_UNREAD: (
        "Removed from the calendar while two-way was off: the appointment stays. Editing it enters it again."
    ),
    Reason.HELD: (
        "Unusually many deletions within a day: this one waits until somebody approves or declines it. See the "
        "question in the studio's inbox."
    ),
    Reason.NOT_FOUND: (
        "Google does not show it at the moment. It is checked again before anything is changed; nothing needs to be "
        "done."
    ),
    Reason.ANOTHERS: (
        "Somebody else organises it, or it is an out-of-office entry: we never change or delete it. What is changed in "
        "the studio stays in the studio."
    ),
    Reason.EVENT_TYPE: (
        "Birthdays, focus time, working locations and entries that Gmail made from e-mails do not sync."
    ),
    Reason.TENTATIVE: "Tentative, or not answered yet: it comes in when confirmed, or if tentative ones are included.",
    Reason.DECLINED: "The invitation was declined: accept it, and it comes in.",
    Reason.ONE_WAY: (
        "Two-way is off for this user, so what is entered or changed in the calendar does not reach the studio. "
        "Turning it on takes in later changes only; tick “populate studio” for what is there now."
    ),
    Reason.IN_EARLIER_CALENDAR: (
        "It stands in the calendar that this user synced with before. Edit it, or tick “populate calendar”, and it "
        "moves to the present one."
    ),
    Reason.NOT_ASSIGNED: "This user is not assigned to it: assign the user, and it is entered.",
    Reason.OTHER_ENTRY: "Another entry of this calendar stands for the same appointment: edit that one.",
    Reason.WITH_SERIES: (
        "It goes with its series, which is not in this calendar, or has no occurrence then (any more): ask about the "
        "series. What is to take place all the same is booked as an appointment of its own."
    ),
    Reason.GONE_ON_BOTH: "Gone on both sides.",
    Reason.ENDED_BEFORE_WINDOW: "It ended before the time that is synced. Populate again to take in older entries.",
    Reason.UNCHANGED_SINCE_CONNECTED: (
        "It has not changed since this direction began to sync. Edit it, or tick “populate”, and it is taken over."
    ),
    Reason.NO_SUCH_APPOINTMENT: "The studio has no such appointment (any more): look up its id.",
    Reason.NO_SUCH_ENTRY: "The calendar has no such entry (any more): look up its id, and whose calendar it is in.",
    Reason.WAITING: "The next run carries it over: nothing needs to be done.",
    Reason.DOUBTFUL: (
        "At the same time something else stands on the other side, which may be the same entry: the inbox asks. Until "
        "somebody answers, neither is entered on the other side; everything else syncs meanwhile."
    ),
    Reason.INVALID: "A field or setting holds something that cannot be synced: correct it, and it goes on.",
    Reason.UNSUPPORTED_RULE: (
        "It repeats in a way that the calendar or this sync cannot express. Change how it repeats, and it goes on; "
        "everything else syncs meanwhile."
    ),
    Reason.REFUSED_BY_PROVIDER: "The calendar refused it: change it, and it is tried again.",
    Reason.UNEXPECTED: (
        "Something unexpected went wrong with this entry. Change it, and it is tried again; if that does not help, "
        "tell support."
    ),
    Reason.NOT_CONNECTED: "This user has not connected a calendar yet: connect one in the user's settings.",
    Reason.DISCONNECTED: "The Google account was disconnected: connect one in the user's settings.",
    Reason.ACCESS_LOST: "Google no longer gives us access to this account: connect it again.",
    Reason.FORBIDDEN: "The account may not change this calendar: choose another one, or ask its owner for access.",
    Reason.CALENDAR_GONE: "The calendar is not there any more: choose another one.",
    Reason.STUDIO_GONE: "The studio does not exist any more.",
    Reason.USER_GONE: "The user does not exist any more.",
    Reason.EDITION: (
        "The studio's edition does not include the sync: it needs standard, professional or enterprise. Ask your "
        "administrator to upgrade."
    ),
    Reason.STUDIO_OFF: "The sync is turned off for the whole studio. An administrator can turn it on.",
    Reason.USER_OFF: "The sync is turned off for this user. Turn it on in the user's settings.",
    Reason.SWITCHED: "The user has chosen another calendar; the earlier one is no longer kept in step.",
    Reason.CALENDAR_TAKEN: (
        "The chosen calendar is kept in step for another user already, and would be doubled: choose one of your own."
    ),
    Reason.NOT_SCHEDULABLE: (
        "Only users who can be scheduled sync; rooms and other resources never do. Mark the user as schedulable."
    ),
}
