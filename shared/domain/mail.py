"""The mail outbox: what is to be said to whom. A run writes it in its own batch; sending is another function's work."""

import datetime as dt
from typing import Literal

import msgspec

MailKind = Literal["access_lost", "access_regained"]

# As long as the logs: what nobody could send by then is news no more.
MAIL_LIFE = dt.timedelta(days=30)


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """``mail/{mail_id}``: about whom and what. The address and the words are looked up when it is sent."""

    kind: MailKind
    studio_id: str
    user_id: str
    connection_id: str
    created_at: dt.datetime
    expires_at: dt.datetime
    state: Literal["waiting"] = "waiting"
