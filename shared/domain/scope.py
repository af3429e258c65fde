"""Which entries sync at all: one filter for deltas, full listings, the outbox and reconciliation alike.

What is linked stays in scope, whatever the filters say. Anything else is in scope if it ends in the window, and either
its direction was populated, or it was changed since the calendar was connected: so a lost cursor never takes in what
nobody asked for.
"""

import datetime as dt

from shared.domain.content import Content
from shared.domain.event import Event
from shared.domain.operation import Item, Rules
from shared.domain.reasons import Reason
from shared.domain.visibility import UNDECIDED

SYNCED_KINDS = frozenset({"default", "outOfOffice"})


def keeps_out_of_calendar(item: Item, here: Content, rules: Rules) -> Reason | None:
    """Why an appointment that is not linked does not enter the calendar; None if it does."""
    if here.when.ends_at < rules.window_from:
        return Reason.ENDED_BEFORE_WINDOW
    if item.elsewhere and not (_populated(rules) or _since(item.changed_at, rules.active_since)):
        return Reason.IN_EARLIER_CALENDAR
    if rules.populating_calendar or rules.calendar_populated is not None or _since(item.changed_at, rules.since):
        return None
    return Reason.UNCHANGED_SINCE_CONNECTED


def _populated(rules: Rules) -> bool:
    """Whether everything was to enter the calendar since it is the user's: what a populate could not finish, too."""
    return rules.populating_calendar or (
        rules.active_since is not None and _since(rules.calendar_populated, rules.active_since)
    )


def keeps_out_of_studio(event: Event, rules: Rules) -> Reason | None:
    """Why an entry that is not linked does not enter the studio; None if it does.

    Also for an entry that cannot be taken over (`unfit`): it is parked only if it would come in otherwise.
    """
    if not (rules.two_way or rules.populating_studio):
        return Reason.ONE_WAY
    if event.kind not in SYNCED_KINDS:
        return Reason.EVENT_TYPE
    if not event.own and event.answer == "declined":
        return Reason.DECLINED
    if _tentative(event) and not rules.include_tentative:
        return Reason.TENTATIVE
    if event.content is not None and event.content.when.ends_at < rules.window_from:
        return Reason.ENDED_BEFORE_WINDOW
    return None if _wanted(event, rules) else Reason.UNCHANGED_SINCE_CONNECTED


def _tentative(event: Event) -> bool:
    status = event.content is not None and event.content.status == "tentative"
    return status or (not event.own and event.answer in UNDECIDED)


def _wanted(event: Event, rules: Rules) -> bool:
    """Populated, or changed since the calendar is read. What was changed between a populate and the time from which on
    the calendar is read (two-way was off) stays where it is.
    """
    if rules.populating_studio or _since(event.updated, rules.read_since or rules.since):
        return True
    populated = rules.studio_populated
    return populated is not None and (event.updated is None or event.updated <= populated)


def _since(changed_at: dt.datetime | None, since: dt.datetime | None) -> bool:
    return changed_at is not None and (since is None or changed_at >= since)
