"""A person with a browser, as far as the console needs one: cookies, redirects, forms."""

import json
import urllib.parse
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Any

import requests

from local.google.consent import consent

PATIENCE = 30
# As browsers ask for a page.
ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class Answer:
    """A page or JSON, with where it is."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self.url = response.url
        self.text = response.text
        self.headers = response.headers
        self.history = response.history

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def path(self) -> str:
        return urllib.parse.urlsplit(self.url).path.partition("/console")[2]

    @property
    def message(self) -> dict[str, Any]:
        """What a page that came back from Google tells its opener."""
        found = _Page(self.text).message
        if found is None:
            raise ValueError(f"this page did not come back from Google: {self.text[-400:]}")
        message: dict[str, Any] = json.loads(found)
        return message


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.csrf = ""
        self.message: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("name") == "csrf":
            self.csrf = given.get("value") or ""
        if "data-message" in given:
            self.message = given["data-message"]


class Visitor:
    """One browser. It follows redirects within the console, and stops where it would leave it."""

    def __init__(self, console_url: str) -> None:
        self.base = console_url
        self.session = requests.Session()
        self.csrf = ""

    def get(self, path: str, **headers: str) -> Answer:
        return self._kept(self._follow(self.session.get(self._url(path), **self._options(headers))))

    def post(self, path: str, **fields: str) -> Answer:
        """A form of one of our pages: with the token that the last page had."""
        return self.send(path, {"csrf": self.csrf, **fields})

    def send(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        """Fields as they are: a form from anywhere."""
        return self._kept(self._follow(self.session.post(self._url(path), fields, **self._options(headers))))

    def to_google(self, path: str, **fields: str) -> str:
        """As `post`, giving the address at Google that it leads to."""
        response = self.session.post(self._url(path), {"csrf": self.csrf, **fields}, **self._options({}))
        if response.status_code != HTTPStatus.SEE_OTHER:
            raise ValueError(f"it does not lead to Google: {response.text[-400:]}")
        return str(response.headers["Location"])

    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self.session.cookies}

    # --- whole ways --------------------------------------------------------------------------------------------------

    def sign_in(self, email: str) -> Answer:
        """Through Google's page, as the account with this address."""
        self.get("/sign-in")
        back = consent(email, self.to_google("/sign-in"))
        return self.get(back)

    def connect(self, email: str, *, allow: list[str] | None = None, **fields: str) -> Answer:
        """Through the consent page; gives the page after it. Signed in already."""
        self.get("/connect")
        back = consent(email, self.to_google("/connect/start", popup="1", **fields), allow)
        return self.get(back)

    def accept(self, link: str, email: str) -> Answer:
        """By an invitation's link."""
        self.get(link)
        token = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["link"][0]
        return self.get(consent(email, self.to_google("/connect/invitation", link=token)))

    def _url(self, path: str) -> str:
        return path if path.startswith("http") else self.base + path

    def _options(self, headers: dict[str, str]) -> dict[str, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return {"headers": {"Accept": ACCEPT, **named}, "allow_redirects": False, "timeout": PATIENCE}

    def _follow(self, response: requests.Response) -> Answer:
        for _ in range(5):
            target = response.headers.get("Location")
            if not response.is_redirect or target is None or not target.startswith(self.base):
                break
            response = self.session.get(target, **self._options({}))
        return Answer(response)

    def _kept(self, answer: Answer) -> Answer:
        self.csrf = _Page(answer.text).csrf or self.csrf
        return answer
