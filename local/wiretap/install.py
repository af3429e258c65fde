"""Puts the wiretap under the vendors' libraries, and takes it away."""

import functools
import urllib.request
from collections.abc import Callable
from typing import Any

import grpc
import grpc.experimental
import httplib2
import requests
from google.cloud.firestore_v1 import transaction

from local.wiretap.grpc_calls import Interceptor, rolling_back
from local.wiretap.http_calls import Httplib2, Requests, Urllib, tapped
from local.wiretap.tap import Wiretap

_installed: list[tuple[Wiretap, list[tuple[Any, str, Any]]]] = []


def install() -> Wiretap:
    """Taps this process, from here on and once only: a second call returns the first one's `Wiretap`.

    Channels that were opened before are not seen: install it before any client is made.
    """
    if _installed:
        return _installed[0][0]
    tap = Wiretap()
    originals: list[tuple[Any, str, Any]] = []
    _installed.append((tap, originals))

    def patch(owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        originals.append((owner, name, original))
        setattr(owner, name, functools.wraps(original)(wrap(original)))

    def tapped_channel(original: Any) -> Any:
        def opened(target: str, options: Any = None, **more: Any) -> Any:
            # Streams of answers, which most of Firestore's calls are, are read by whoever asked, and not by a thread
            # in between: on two cores that halves the switches and a third of the time.
            ours = (grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1)
            return grpc.intercept_channel(original(target, options=[*(options or ()), ours], **more), Interceptor(tap))

        return opened

    patch(grpc, "insecure_channel", tapped_channel)
    patch(httplib2.Http, "request", tapped(tap, Httplib2()))
    patch(requests.Session, "send", tapped(tap, Requests()))
    patch(urllib.request.OpenerDirector, "open", tapped(tap, Urllib()))
    patch(transaction.Transaction, "_rollback", rolling_back(tap))
    return tap


def uninstall() -> None:
    """Puts everything back. Channels that were opened meanwhile stay tapped."""
    while _installed:
        _, originals = _installed.pop()
        for owner, name, original in originals:
            setattr(owner, name, original)
