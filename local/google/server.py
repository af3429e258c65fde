"""The simulated Google: OAuth, Calendar and push on one loopback port, behaving as the real one where it hurts."""

import datetime as dt
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from werkzeug.serving import BaseWSGIServer, make_server

from local.firebase_auth import FirebaseAuth
from local.google.accounts import Account, Accounts
from local.google.behaviour import Behaviour
from local.google.calendar import Calendar, Entry
from local.google.calendar_api import CalendarApi
from local.google.calendars import Calendars
from local.google.discovery import bundled
from local.google.event_list import Listings
from local.google.events import Events
from local.google.faults import CountedCall, Faults
from local.google.gateway import Gateway, RecordedRequest
from local.google.oauth import OAuthPages
from local.google.permissions import PERMISSIONS_PATH, PermissionsPage
from local.google.person import UI_SCOPES, Person
from local.google.push import Push
from local.google.routes import Connections, Routes
from local.google.tokens import OAuthClient
from local.oidc import Signer


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class GoogleSimulator:
    """One simulated Google. Set it up before or after `start`; all methods may be called from any thread.

    `now` is the clock of tokens, codes, channels and time stamps; `seed` shuffles the calls of batches.
    """

    def __init__(
        self,
        signer: Signer | None = None,
        *,
        now: Callable[[], dt.datetime] = _utc_now,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.signer = signer or Signer()
        self.firebase = FirebaseAuth()
        self.behaviour = Behaviour()
        self._lock = threading.RLock()
        self.accounts = Accounts(self._lock, now)
        self.push = Push(self._lock, now, self.behaviour)
        self.listings = Listings(now, self.behaviour)
        self._calendars = Calendars(now, self.behaviour, self.push.changed)
        self._faults = Faults(self._lock)
        self._events = Events(self._calendars, self.behaviour)
        handlers = CalendarApi(self._calendars, self._events, self.listings, self.push, self.behaviour).handlers
        self._gateway = Gateway(bundled("calendar.v3"), handlers, self.accounts, self._faults, self._lock, now)
        pages = (OAuthPages(self.accounts, self.signer, self._faults), PermissionsPage(self.accounts), self.firebase)
        order = random.Random(seed)  # noqa: S311 - an order, no secret
        self._routes = Routes(self._gateway, pages, self._faults, self.behaviour, order, now)
        self._connections = Connections()
        self._server: BaseWSGIServer = make_server(
            host, port, self._routes.app(), threaded=True, request_handler=self._connections.handler()
        )
        self.url = f"http://{host}:{self._server.server_port}"
        self.push.base_url = self.url
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="simulated-google", daemon=True
        )

    # Running.

    def start(self) -> Self:
        """Serves from now on; the port is open since the simulator was made, so nothing needs to wait for it."""
        self.push.start()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stops serving and pushing; connections that are kept alive are cut."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._connections.close()
        self.push.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Set-up.

    def add_account(
        self,
        email: str,
        name: str = "",
        time_zone: str = "Europe/Berlin",
        *,
        email_verified: bool = True,
        domain: str | None = None,
    ) -> Account:
        """A Google account with its primary calendar, whose id is the address. Raises ValueError if it exists.

        `domain`: of the Workspace that it belongs to.
        """
        with self._lock:
            account = self.accounts.add(
                email, name or email.partition("@")[0], time_zone, email_verified=email_verified, domain=domain
            )
            self._calendars.add(Calendar(email, email, time_zone, email), email, Entry("owner", primary=True))
            return account

    def add_calendar(
        self,
        email: str,
        summary: str,
        time_zone: str = "Europe/Berlin",
        access_role: str = "owner",
        *,
        calendar_id: str | None = None,
        hidden: bool = False,
        color: str = "#9fe1e7",
    ) -> str:
        """A secondary calendar in the account's list; its id. With a lesser role it belongs to somebody else."""
        new_id = calendar_id or f"c_{secrets.token_hex(16)}@group.calendar.google.com"
        home = self._home(email)
        owner = home if access_role == "owner" else "somebody.else@example.com"
        with self._lock:
            entry = Entry(access_role, hidden=hidden, color=color)
            self._calendars.add(Calendar(new_id, summary, time_zone, owner), home, entry)
        return new_id

    def set_access(self, email: str, calendar_id: str, access_role: str | None) -> None:
        """Shares the calendar with the account, changes its role, or takes it away (None). Sync tokens die of it."""
        with self._lock:
            self._calendars.set_role(self._home(email), calendar_id, access_role)

    def delete_calendar(self, calendar_id: str) -> None:
        """A secondary calendar is deleted for good: 404 for everybody, gone from all lists, its channels dead."""
        with self._lock:
            self._calendars.remove(calendar_id)
            self.push.forget(calendar_id)

    def set_time_zone(self, calendar_id: str, time_zone: str) -> None:
        """The calendar's zone, in which all its times are written from now on."""
        with self._lock:
            self._calendars.set_time_zone(calendar_id, time_zone)

    def add_oauth_client(
        self,
        client_id: str,
        client_secret: str,
        redirect_uris: Sequence[str],
        name: str = "Studio Sync",
        *,
        project: str = "studio-sync",
        refresh_token_lifetime: dt.timedelta | None = None,
        organization: str | None = None,
    ) -> OAuthClient:
        """Registers a web client; `refresh_token_lifetime` of 7 days makes it a project in testing, and `organization`
        one that is internal to this domain.
        """
        client = OAuthClient(
            client_id, client_secret, tuple(redirect_uris), name, project, refresh_token_lifetime, organization
        )
        self.accounts.add_client(client)
        return client

    # The people behind the accounts.

    def person(self, email: str) -> Person:
        """The account's owner, editing in Google's own page."""
        return Person(
            self._home(email), self.ui_token(email), lambda incoming: self._gateway.answer(incoming, record=False)
        )

    def ui_token(self, email: str) -> str:
        """An access token of Google's own page: all calendar scopes, no expiry, no quota and no faults."""
        return self.accounts.ui_token(email, UI_SCOPES)

    def receive_event(
        self, email: str, organizer: str, calendar_id: str | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Puts an event into the calendar that no client can create: an invitation by mail, one from Gmail, a birthday.

        With the `iCalUID` of an earlier one it changes that: the given fields, as the organizer would, with
        ``status="cancelled"`` to cancel it. `organizer` is the account itself for a birthday.
        """
        with self._lock:
            account = self.accounts.get(email)
            if account is None:
                raise ValueError(f"no account {email}")
            calendar, _ = self._calendars.find(account, calendar_id or "primary")
            return self._events.receive(calendar, account, fields, organizer).resource

    @property
    def permissions_url(self) -> str:
        """A page to remove an app's access to an account."""
        return self.url + PERMISSIONS_PATH

    def remove_app_access(self, email: str, client_id: str) -> None:
        """The person removes the app in their account's security settings: all of the project's tokens die."""
        client = self.accounts.client(client_id)
        if client is None:
            raise ValueError(f"no OAuth client {client_id}")
        self.accounts.remove_access(email, client.project)

    def _home(self, email: str) -> str:
        """The id of the account's primary calendar, by which its calendars are kept: it outlives a new address."""
        account = self.accounts.get(email)
        return email if account is None else account.calendar_id

    # What goes wrong.

    def fail_next(
        self, method_id: str, status: int, reason: str, times: int = 1, *, after_effect: bool = False
    ) -> None:
        """The next `times` calls of the method fail so, before or after taking effect.

        `method_id` as in the discovery document (``calendar.events.insert``), ``calendar.batch`` for a batch as a
        whole, ``oauth2.token``, ``oauth2.revoke``, or ``*`` for any of these.
        """
        self._faults.fail_next(method_id, status, reason, times, after_effect=after_effect)

    def drop_next(self, method_id: str, times: int = 1, *, seconds: float = 0, after_effect: bool = False) -> None:
        """The connections of the next `times` calls end without an answer, after so many seconds.

        More seconds than a client waits, and for the client it is a time-out. httplib2 sends a request whose connection
        was dropped at once a second time, by itself: two `times` are needed until its caller hears of it.
        """
        self._faults.drop_next(method_id, times, seconds, after_effect=after_effect)

    def answer_next(self, method_id: str, body: bytes, times: int = 1, *, status: int = 200) -> None:
        """The next `times` calls take effect, but what comes back is `body`, whatever that is."""
        self._faults.answer_next(method_id, status, body, times)

    def slow_next(self, method_id: str, seconds: float, times: int = 1) -> None:
        """The next `times` calls of the method take so much longer."""
        self._faults.slow_next(method_id, seconds, times)

    def clear_faults(self) -> None:
        """Forgets what `fail_next` and its like still have in store."""
        self._faults.clear()

    def limit_rate(
        self,
        per_minute: int | None,
        status: int = 403,
        reason: str = "rateLimitExceeded",
        *,
        retry_after: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """At most so many calls per minute and user (a sliding window); None: no limit. Anew from zero.

        `retry_after`: seconds that refusals name. `clock`: what the minutes are told by, in seconds.
        """
        self._faults.limit(per_minute, status, reason, retry_after, clock)

    @property
    def counted_calls(self) -> list[CountedCall]:
        """What the quota clock has counted since the last `limit_rate`, refusals too."""
        return list(self._faults.counted)

    def expire_sync_tokens(self, calendar_id: str | None = None) -> None:
        """All sync tokens given so far, of one calendar or of all, answer 410 ``fullSyncRequired``."""
        with self._lock:
            self._calendars.expire_sync_tokens(calendar_id)

    def expire_page_tokens(self) -> None:
        """Listings under way cannot be continued: 400 ``invalid`` for their page tokens."""
        with self._lock:
            self.listings.expire_page_tokens()

    def expire_access_tokens(self, email: str | None = None) -> None:
        """Access tokens answer 401 from now on; refresh tokens live."""
        self.accounts.expire_access_tokens(email)

    def evict_tombstones(self, calendar_id: str) -> None:
        """Deleted events vanish: no delta names them any more, and their ids answer 404, but stay used."""
        with self._lock:
            self._calendars.evict_tombstones(calendar_id)

    def hide_events(self, calendar_id: str, *event_ids: str) -> None:
        """Clients get 404 for these events, and listings leave them out, though they exist: a replica that lags.

        A change that a delta should have shown meanwhile is lost. People see them all the time.
        """
        with self._lock:
            self._calendars.hide(calendar_id, event_ids)

    def show_events(self, calendar_id: str, *event_ids: str) -> None:
        """Ends `hide_events` for these events; for all of the calendar if none is named. No event counts as changed."""
        with self._lock:
            self._calendars.show(calendar_id, event_ids)

    # What was asked.

    @property
    def requests(self) -> list[RecordedRequest]:
        """All API calls, oldest first, those inside batches one by one; token and revoke requests too."""
        return self._gateway.recorded()

    @property
    def http_requests(self) -> int:
        """How many HTTP requests came in; a batch counts as one."""
        return self._routes.count

    def clear_requests(self) -> None:
        """Starts `requests` and `http_requests` anew."""
        with self._lock:
            self._gateway.clear_record()
            self._routes.count = 0
