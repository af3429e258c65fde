"""A person at a browser: signs in, goes through Google's page, looks at each page as several kinds of people would."""

import pathlib
from collections.abc import Collection

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.audit import audit
from tests.functions.deployed import House

# What people have: a computer, a phone.
SIZES = {"wide": (1280, 800), "phone": (390, 844)}


class Person:
    """One user of a studio, with a browser of their own; `page` is the window in use."""

    def __init__(self, context: BrowserContext, house: House, user_id: str, shots: pathlib.Path | None) -> None:
        self.context = context
        self.house = house
        self.user_id = user_id
        self.stack = house.deployed.stack
        self.page: Page = context.new_page()
        self._shots = shots

    @property
    def email(self) -> str:
        """What the studio knows this user by."""
        return f"{self.user_id}@{self.house.id}.example"

    @property
    def account(self) -> str:
        """The Google account of this user's, which has another address."""
        return self.house.emails[self.user_id]

    # --- where to ----------------------------------------------------------------------------------------------------

    def open(self, path: str) -> "Person":
        self.page.goto(self.stack.console_url + path if path.startswith("/") else path)
        return self

    def sign_in(self) -> "Person":
        """On the local stack's own page; comes to the page of the user's own connection."""
        self.open(self.stack.local_sign_in_url)
        self.page.get_by_role("button", name=f"{self.user_id.title()} ").filter(has_text=f"of {self.house.id}").click()
        expect(self.heading("My Google Calendar")).to_be_visible()
        return self

    # --- what is there -----------------------------------------------------------------------------------------------

    def heading(self, text: str) -> Locator:
        return self.page.get_by_role("heading", name=text)

    def button(self, text: str) -> Locator:
        return self.page.get_by_role("button", name=text, exact=True)

    @property
    def news(self) -> Locator:
        """What a screen reader says by itself."""
        return self.page.get_by_role("status")

    def sees(self, *texts: str) -> None:
        for text in texts:
            expect(self.page.get_by_role("main")).to_contain_text(text)

    def look(self, name: str) -> None:
        """At the page as it is now: it must be fit for phones, eyes and ears of all kinds. `name`: of its pictures."""
        if self._shots is not None:
            self._take(name)
        problems = audit(self.page)
        assert not problems, f"{name}: {problems}"

    def _take(self, name: str) -> None:
        assert self._shots is not None
        self._shots.mkdir(parents=True, exist_ok=True)
        before = self.page.viewport_size
        for size, (width, height) in SIZES.items():
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.screenshot(path=self._shots / f"{name}-{size}.png", full_page=True)
        self.page.emulate_media(color_scheme="dark")
        self.page.screenshot(path=self._shots / f"{name}-dark.png", full_page=True)
        self.page.emulate_media(color_scheme="light")
        if before is not None:
            self.page.set_viewport_size(before)

    # --- Google's page -----------------------------------------------------------------------------------------------

    def connect(self, email: str = "", *, button: str = "Connect Google Calendar") -> None:
        """In a pop-up, as is usual, through to the page that knows of it."""
        with self.page.expect_popup() as opened:
            self.button(button).click()
        agree(opened.value, email or self.account)


def agree(page: Page, email: str, *, without: Collection[str] = (), cancel: bool = False) -> None:
    """Go through Google's consent page: choose an account, untick the boxes of some scopes, allow it or not."""
    account = page.locator(f'input[name=account][value="{email}"]')
    account.check()
    for scope in without:
        page.locator(f'input[name=scope][value="{scope}"]').uncheck()
    page.get_by_role("button", name="Cancel" if cancel else "Allow").click()
