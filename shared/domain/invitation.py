"""An invitation to give one's consent: for somebody whom an administrator has set up, and who is not signed in.

``invitations/{...}``: one document for a user, so a later invitation ends the one before.
"""

import datetime as dt

import msgspec

INVITATION_LIFE = dt.timedelta(days=7)


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """`nonce` is what the link proves to know; `used_by` the account it was used with: it is good for no other."""

    studio_id: str
    user_id: str
    nonce: str
    invited_by: str
    expires_at: dt.datetime
    used_by: str | None = None

    def good_for(self, account_id: str | None, now: dt.datetime) -> bool:
        """Whether it may (still) be used, by this account where it is known."""
        unused = self.used_by is None or self.used_by == account_id
        return unused and now < self.expires_at
