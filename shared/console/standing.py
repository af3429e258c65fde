"""How it stands with one user: a page for the user or an administrator, the same as JSON for a front-end."""

from collections.abc import Mapping

import msgspec
from werkzeug.wrappers import Response

from shared.console.answers import json_answer, page, wants_json
from shared.console.callers import caller, parts
from shared.services.status import status


def standing(user_id: str) -> Response:
    """The caller may see this user. Pages also know which calendar was chosen, and which populate is under way."""
    studio_id = caller().studio_id
    found = status(studio_id, user_id, parts().store, parts().clock, parts().settings.safety_interval)
    _, document = parts().store.settings(studio_id, user_id)
    user = document or {}
    own = user_id == caller().user_id
    shown = msgspec.to_builtins(found) | {"email": str(user.get("email") or ""), "own": own, "admin": caller().admin}
    if wants_json():
        return json_answer(shown)
    sync = user.get("sync")
    return page("connect.html", **shown, sync=sync if isinstance(sync, Mapping) else {})
