"""Goes through the consent page over HTTP as a person with a browser would: opens it, fills the form, agrees or not."""

import http.client
from collections.abc import Collection
from html.parser import HTMLParser
from urllib.parse import urlencode, urlsplit

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scopes: list[str] = []
        self.accounts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("name") == "scope":
            self.scopes.append(given.get("value") or "")
        if tag == "input" and given.get("name") == "account":
            self.accounts.append(given.get("value") or "")


def consent(
    email: str,
    authorization_url: str,
    allow_scopes: Collection[str] | None = None,
    *,
    cancel: bool = False,
    timeout: float = 10.0,
) -> str:
    """The URL to which the browser would be redirected, with `code` or `error`, and `state`.

    `allow_scopes`: the boxes to leave ticked, None for all of them; `timeout` in seconds. Raises ValueError where the
    page shows an error (such as ``redirect_uri_mismatch``) or does not offer the account.
    """
    location, page = _open("GET", authorization_url, None, timeout)
    if location is not None:  # ``prompt=none`` shows no page.
        return location
    form = _Form()
    form.feed(page)
    if email not in form.accounts:
        raise ValueError(f"the page offers no account {email}: {page[-400:]}")
    fields = [("account", email), ("decision", "cancel" if cancel else "allow")]
    fields += [("scope", scope) for scope in form.scopes if allow_scopes is None or scope in allow_scopes]
    location, page = _open("POST", authorization_url, urlencode(fields), timeout)
    if location is None:
        raise ValueError(f"no redirect: {page[-400:]}")
    return location


def _open(method: str, url: str, body: str | None, timeout: float) -> tuple[str | None, str]:
    # http.client, as all of the stack's own calls: a test's wiretap watches the libraries of the product.
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body, _FORM if body is not None else {})
        response = connection.getresponse()
        return response.getheader("Location"), response.read().decode()
    finally:
        connection.close()
