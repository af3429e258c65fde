"""Who comes to the console in tests: people with browsers, and front-ends with people's tokens."""

from typing import Any

import requests

from local import visitor
from local.visitor import PATIENCE, Answer
from tests.functions.deployed import Deployed, House


def recorded(deployed: Deployed) -> requests.Session:
    """Cookies of its own; all that is answered is kept."""
    session = requests.Session()

    def keep(response: requests.Response, **_: Any) -> None:
        deployed.answers.append(response)

    session.hooks["response"].append(keep)
    return session


class Visitor(visitor.Visitor):
    """A browser at the deployed console."""

    def __init__(self, deployed: Deployed) -> None:
        super().__init__(deployed.stack.console_url)
        self.session = recorded(deployed)


class FrontEndCaller:
    """A front-end on the web or in an app, calling with the Firebase ID token of the person who is signed in there."""

    def __init__(self, house: House, user: str, **claims: Any) -> None:
        self.base = house.deployed.stack.console_url
        self.session = recorded(house.deployed)
        stack = house.deployed.stack
        self.token = stack.firebase_token(**{"studio_id": house.id, "user_id": user, **claims})

    def get(self, path: str) -> Answer:
        return Answer(self.session.get(self.base + path, headers=self._headers(), timeout=PATIENCE))

    def post(self, path: str, **body: Any) -> Answer:
        return Answer(self.session.post(self.base + path, json=body, headers=self._headers(), timeout=PATIENCE))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}
