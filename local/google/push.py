"""Push notifications: channels, and the messages that go out over them.

After https://developers.google.com/workspace/calendar/api/guides/push: messages without a body, everything in headers;
the first one says ``sync`` and may arrive before the watch request is answered; numbers grow, with gaps; 500, 502,
503 and 504 are tried again with exponential backoff, any other refusal loses the message. "Not 100 % reliable":
messages can be lost, doubled, held back and delayed on demand, and a channel can fall silent long before it expires
(compass-calendar#2791). A channel lives on when its grant is revoked, since
nothing is documented about it: receivers must cope with messages about connections that are gone.
"""

import datetime as dt
import email.utils
import hashlib
import heapq
import itertools
import re
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from local.google.behaviour import Behaviour
from local.google.errors import ApiError, invalid, known, required
from local.outgoing import Outgoing

USER_AGENT = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"
DEFAULT_LIFETIME = dt.timedelta(days=7)
MAX_ID, MAX_TOKEN = 64, 256
# Tried again; all other refusals lose the message.
_RETRIED = {500, 502, 503, 504}
# How many messages go out at once: enough for them to overlap and overtake each other.
_WORKERS = 4
# Seconds until a webhook that does not answer counts as lost. Not documented.
_TIMEOUT = 30.0
# Seconds that the answer to a watch is held for its ``sync`` message, where that is to come first: it may be lost.
_LONGEST_WAIT = 5.0

_CHANNEL_ID = re.compile(r"[A-Za-z0-9\-_+/=]+", re.ASCII)
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(slots=True)
class Channel:
    """One subscription; `address` is the webhook. `number` is that of its last message."""

    id: str
    resource_id: str
    resource_uri: str
    email: str
    client_id: str
    calendar_id: str
    address: str
    token: str | None
    expiration: dt.datetime
    number: int = 0
    due: bool = False  # A message about a change waits already: further changes ride along.


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that arrived, or did not: `status` None means no reply at all."""

    channel_id: str
    number: int
    state: str
    status: int | None
    attempt: int


@dataclass(order=True, slots=True)
class _Message:
    at: float  # time.monotonic
    order: int
    channel: Channel = field(compare=False)
    state: str = field(compare=False)
    number: int = field(compare=False, default=0)
    attempt: int = field(compare=False, default=1)


class Push:
    """Channels and their sender. Switches for tests are plain attributes, set at any time.

    `delay`: seconds from a change to its message, in which further changes of the calendar ride along.
    `paused`: messages pile up until it is False again. `duplicate`: every message goes out twice.
    `retry_delay`: seconds before the second attempt, doubled for each further one; `max_attempts` in all.
    """

    def __init__(self, lock: threading.RLock, now: Callable[[], dt.datetime], behaviour: Behaviour) -> None:
        self.delay = 0.05
        self.paused = False
        self.duplicate = False
        self.retry_delay = 1.0
        self.max_attempts = 6
        self.deliveries: list[Delivery] = []
        self.base_url = ""
        self._changed = threading.Condition(lock)
        self._now = now
        self._behaviour = behaviour
        self._channels: dict[str, Channel] = {}
        self._used_ids: set[str] = set()
        self._queue: list[_Message] = []
        self._order = itertools.count()
        self._to_lose = 0
        self._silent: set[str] = set()
        self._unwatchable: set[str] = set()
        self._under_way = 0
        self._running = False
        self._outgoing = Outgoing()
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="google-push")
        self._clock = threading.Thread(target=self._run, name="google-push-clock", daemon=True)

    # What the API calls.

    def watch(self, account_email: str, client_id: str, calendar_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """The new channel as the API answers it; its ``sync`` message is under way. Called under the lock."""
        if calendar_id in self._unwatchable:
            raise known("pushNotSupportedForRequestedResource", 400)
        channel_id, address, token = body.get("id"), body.get("address"), body.get("token")
        if not channel_id or not address:
            raise required("Missing required field: id or address")
        if len(channel_id) > MAX_ID or not _CHANNEL_ID.fullmatch(channel_id):
            raise invalid("Invalid channel id", "id", reason="channelIdInvalid")
        if channel_id in self._used_ids:
            raise ApiError(400, "channelIdNotUnique", f"Channel id {channel_id} not unique")
        if body.get("type") not in {"web_hook", "webhook"}:
            raise invalid("Unknown channel type", "type")
        if token is not None and len(token) > MAX_TOKEN:
            raise invalid("Channel token is too long", "token")
        parts = urlsplit(address)
        # Google wants HTTPS with a valid certificate; plain HTTP passes on loopback, where the local stack listens.
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ApiError(400, "push.webhookUrlNotHttps", f"WebHook callback must be HTTPS: {address}")
        collection = hashlib.sha256(f"{account_email} {calendar_id}".encode()).hexdigest()
        channel = Channel(
            id=channel_id,
            # The same for all channels of one collection.
            resource_id=collection[:27],
            resource_uri=f"{self.base_url}/calendar/v3/calendars/{quote(calendar_id, safe='')}/events?alt=json",
            email=account_email,
            client_id=client_id,
            calendar_id=calendar_id,
            address=address,
            token=token,
            expiration=self._expiration(body),
        )
        self._channels[channel_id] = channel
        self._used_ids.add(channel_id)
        self._put(_Message(time.monotonic(), next(self._order), channel, "sync"))
        if self._behaviour.sync_before_answer:
            self._wait_for_sync(channel_id)
        answer = {
            "kind": "api#channel",
            "id": channel_id,
            "resourceId": channel.resource_id,
            "resourceUri": channel.resource_uri,
            "expiration": str(int(channel.expiration.timestamp() * 1000)),
        }
        return answer | ({"token": token} if token is not None else {})

    def stop_channel(self, account_email: str, client_id: str, channel_id: str, resource_id: str) -> None:
        """Only the user and client that made the channel can stop it; 404 otherwise. Called under the lock."""
        channel = self._channels.get(channel_id)
        given = (account_email, client_id, resource_id)
        if channel is None or given != (channel.email, channel.client_id, channel.resource_id):
            raise ApiError(404, "notFound", f"Channel '{channel_id}' not found for project")
        del self._channels[channel_id]

    def changed(self, calendar_id: str) -> None:
        """An event of the calendar changed, by whomever. Called under the lock."""
        for channel in self._channels.values():
            if channel.calendar_id == calendar_id and not channel.due:
                channel.due = True
                self._put(_Message(time.monotonic() + self.delay, next(self._order), channel, "exists"))

    def forget(self, calendar_id: str) -> None:
        """The calendar is gone, and its channels with it. Called under the lock."""
        for channel in [channel for channel in self._channels.values() if channel.calendar_id == calendar_id]:
            del self._channels[channel.id]

    # What tests call.

    def channels(self) -> list[Channel]:
        """Those that are neither stopped nor expired."""
        with self._changed:
            return [channel for channel in self._channels.values() if channel.expiration > self._now()]

    def lose_next(self, count: int) -> None:
        """The next `count` messages, ``sync`` included, never arrive."""
        with self._changed:
            self._to_lose += count

    def silence(self, channel_id: str) -> None:
        """The channel dies without a word: it is open as before, and delivers nothing any more."""
        with self._changed:
            self._silent.add(channel_id)

    def never_watch(self, calendar_id: str) -> None:
        """The calendar cannot be watched, as some cannot: holidays, for example."""
        with self._changed:
            self._unwatchable.add(calendar_id)

    def resume(self) -> None:
        """Ends `paused`, and sends at once what piled up."""
        with self._changed:
            self.paused = False
            self._changed.notify_all()

    def flush(self, timeout: float = 10.0) -> bool:
        """Waits until nothing is due, under way or to be tried again; False if `timeout` seconds were not enough."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._under_way, timeout)

    # The sender.

    def start(self) -> None:
        """Starts sending."""
        self._running = True
        self._clock.start()

    def stop(self) -> None:
        """Stops sending; what is under way is broken off."""
        with self._changed:
            self._running = False
            self._changed.notify_all()
        self._outgoing.abort()
        if self._clock.is_alive():
            self._clock.join()
        self._workers.shutdown(cancel_futures=True)

    def _wait_for_sync(self, channel_id: str) -> None:
        """Until the first attempt at its ``sync`` message is over. Waiting gives the lock away: others are answered."""
        self._changed.wait_for(lambda: any(one.channel_id == channel_id for one in self.deliveries), _LONGEST_WAIT)

    def _expiration(self, body: dict[str, Any]) -> dt.datetime:
        """The sooner of what was asked for (absolute, in ms, or ``params.ttl`` in s) and Google's own limit."""
        now = self._now()
        wishes = []
        if body.get("expiration") is not None:
            wishes.append(dt.datetime.fromtimestamp(int(body["expiration"]) / 1000, dt.UTC))
        ttl = (body.get("params") or {}).get("ttl")
        if ttl is not None:
            if not ttl.isdigit():
                raise invalid("Invalid ttl", "params.ttl")
            wishes.append(now + dt.timedelta(seconds=int(ttl)))
        wished = min(wishes, default=now + DEFAULT_LIFETIME)
        if wished <= now:
            raise invalid("Channel expiration lies in the past", "expiration")
        return min(wished, now + self._behaviour.max_channel_lifetime)

    def _put(self, message: _Message) -> None:
        with self._changed:
            heapq.heappush(self._queue, message)
            self._changed.notify_all()

    def _run(self) -> None:
        with self._changed:
            while self._running:
                wait = self._queue[0].at - time.monotonic() if self._queue else None
                if self.paused or wait is None or wait > 0:
                    # `paused` is a plain attribute: look again now and then.
                    self._changed.wait(0.05 if self.paused else wait)
                    continue
                self._dispatch(heapq.heappop(self._queue))
                self._changed.notify_all()

    def _dispatch(self, message: _Message) -> None:
        """Numbers the message and hands it to a worker, unless it gets lost. Under the lock."""
        channel = message.channel
        if message.attempt == 1:
            # 1 for sync; later ones grow, but not by one.
            channel.number += 1 if message.state == "sync" else secrets.randbelow(50) + 1
            message.number = channel.number
            if message.state == "exists":
                channel.due = False
        if self._channels.get(channel.id) is not channel or channel.expiration <= self._now():
            return  # Stopped, or expired without a word.
        if channel.id in self._silent:
            return
        if self._to_lose and message.attempt == 1:
            self._to_lose -= 1
            return
        for _ in range(2 if self.duplicate and message.attempt == 1 else 1):
            self._under_way += 1
            self._workers.submit(self._send, message)

    def _send(self, message: _Message) -> None:
        channel = message.channel
        answer = self._outgoing.send("POST", channel.address, _headers(message), b"", _TIMEOUT)
        with self._changed:
            self._under_way -= 1
            self.deliveries.append(Delivery(channel.id, message.number, message.state, answer.status, message.attempt))
            # No reply at all is treated as 503: what Google does then is not documented.
            again = answer.status is None or answer.status in _RETRIED
            if again and self._running and message.attempt < self.max_attempts:
                wait = self.retry_delay * 2 ** (message.attempt - 1)
                self._put(
                    _Message(
                        time.monotonic() + wait,
                        next(self._order),
                        channel,
                        message.state,
                        message.number,
                        message.attempt + 1,
                    )
                )
            self._changed.notify_all()


def _headers(message: _Message) -> dict[str, str]:
    channel = message.channel
    headers = {
        "Accept": "*/*",
        "Content-Length": "0",
        "User-Agent": USER_AGENT,
        "X-Goog-Channel-ID": channel.id,
        "X-Goog-Message-Number": str(message.number),
        "X-Goog-Resource-ID": channel.resource_id,
        "X-Goog-Resource-State": message.state,
        "X-Goog-Resource-URI": channel.resource_uri,
        # Human readable, unlike the number in the API's answer.
        "X-Goog-Channel-Expiration": email.utils.format_datetime(channel.expiration.astimezone(dt.UTC), usegmt=True),
    }
    return headers | ({"X-Goog-Channel-Token": channel.token} if channel.token is not None else {})
