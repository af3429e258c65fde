"""A user's settings (A4), changed by the user or by an administrator, without signing in as that user."""

from collections.abc import Mapping
from typing import Any

from shared.domain import contract
from shared.domain.errors import Park, Stale
from shared.domain.settings import UserSync
from shared.ports import Store
from shared.services.accounts import ConnectRefusedError

# What a person chooses. The calendar is chosen among those of the account, holds are answered in the inbox.
SETTINGS = (
    "enabled",
    "populate_calendar",
    "populate_studio",
    "two_way_appointments",
    "include_tentative",
    "two_way_contacts",
    "client_group_id",
    "email_warnings",
    "email_logs",
    "email",
    "private_details",
)

ATTEMPTS = 5


def settings_of(sync: UserSync) -> dict[str, Any]:
    return {name: getattr(sync, name) for name in SETTINGS}


def set_up(studio_id: str, user_id: str, changes: Mapping[str, Any], store: Store) -> None:
    """Write the settings that are named, and no other. What a run has to do about it, the trigger wishes.

    Raises:
        ConnectRefusedError: there is no such user or setting, or a value does not fit; nothing was changed.
    """
    unknown = sorted(changes.keys() - set(SETTINGS))
    if unknown:
        raise ConnectRefusedError(f"There is no setting {', '.join(unknown)}. There are: {', '.join(SETTINGS)}.")
    try:
        contract.read({key: value for key, value in changes.items() if value is not None}, UserSync)
    except Park as park:
        raise ConnectRefusedError(f"{park.field} does not fit: {park.detail}. Nothing was changed.") from None
    fields = {f"sync.{name}": value for name, value in changes.items()}
    if not fields:
        return
    for _ in range(ATTEMPTS):
        user = store.user(studio_id, user_id)
        if user is None:
            raise ConnectRefusedError("This user does not exist in this studio.")
        try:
            store.update_user(user, fields)
        except Stale:
            continue
        return
    raise Stale("the user's settings are written again and again")
