"""What goes out and comes back through a browser: signed for one purpose, for a while, for one browser."""

import base64
import hashlib
import itertools
import re
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

import flask
import pytest
from itsdangerous import TimestampSigner
from werkzeug.wrappers import Response

from shared.console.flows import FLOW_LIFE, TICKET_LIFE, Cookie, Flow, Flows, Invited, new_nonce
from shared.domain.invitation import INVITATION_LIFE
from shared.http import BadRequestError

OLD, NEW = "the-old-key-of-more-than-32-characters", "the-new-key-of-more-than-32-characters"
INVITED = Invited(studio_id="s1", user_id="ann", nonce="n1")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Moves the clock of what is signed to so many seconds after a fixed time."""

    def move(seconds: int) -> None:
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _signer: 1_780_000_000 + seconds)

    move(0)
    return move


def the_flows(key: str = NEW, *, secure: bool = True) -> Flows:
    return Flows(key, "/console", secure=secure)


def a_flow(**fields: Any) -> Flow:
    return Flow(**{"purpose": "connect", "nonce": new_nonce(), "studio_id": "s1", "user_id": "ann", **fields})


def kept(cookie: Cookie, flows: Flows) -> str:
    """The cookie as a browser brings it back."""
    response = Response()
    flows.keep(cookie, response)
    return response.headers["Set-Cookie"].partition(";")[0]


def end(flows: Flows, state: str, cookie: str) -> tuple[Flow, str]:
    with flask.Flask("browser").test_request_context("/", headers={"Cookie": cookie}):
        return flows.end(state, flask.request)


# --- there and back ---------------------------------------------------------------------------------------------------


def test_a_flow_comes_back_as_it_went_out_with_the_proof_of_its_challenge() -> None:
    flows = the_flows()
    flow = a_flow(proven=True, another=True, popup=True, origin="https://o", back="/x", invitation="i")
    begun, cookie = flows.begin(flow)
    found, verifier = end(flows, begun.state, kept(cookie, flows))
    assert found == flow
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier), "RFC 7636, 4.1"
    hashed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode()
    assert begun.challenge == hashed.rstrip("=")


def test_no_two_flows_share_a_verifier_or_a_nonce() -> None:
    flows = the_flows()
    begun = [flows.begin(a_flow()) for _ in range(20)]
    assert len({cookie.verifier for _, cookie in begun}) == 20
    assert len({cookie.name for _, cookie in begun}) == 20, "two windows do not spoil each other's"


def test_neither_the_state_nor_what_is_printed_of_the_cookie_shows_the_verifier() -> None:
    begun, cookie = the_flows().begin(a_flow())
    decoded = base64.urlsafe_b64decode(begun.state.partition(".")[0] + "===").decode(errors="replace")
    assert cookie.verifier not in begun.state + decoded + repr(cookie) + repr([cookie])


@pytest.mark.parametrize("secure", [True, False])
def test_the_cookie_is_for_the_console_and_short_lived(*, secure: bool) -> None:
    flows, response = the_flows(secure=secure), Response()
    _, cookie = flows.begin(a_flow())
    flows.keep(cookie, response)
    [morsel] = SimpleCookie(response.headers["Set-Cookie"]).values()
    assert (morsel["path"], morsel["max-age"], morsel["samesite"]) == ("/console", str(FLOW_LIFE), "Lax")
    assert morsel["httponly"]
    assert bool(morsel["secure"]) == secure
    assert not morsel["domain"]


def test_a_flow_that_is_forgotten_takes_its_cookie_along() -> None:
    flows, flow, app = the_flows(), a_flow(), flask.Flask("test")
    _, cookie = flows.begin(flow)

    @app.get("/")
    def fails() -> None:
        flows.forget(flow)
        flask.abort(409)

    response = app.test_client().get("/")
    [morsel] = SimpleCookie(response.headers["Set-Cookie"]).values()
    assert (morsel.key, morsel.value, morsel["max-age"], morsel["path"]) == (cookie.name, "", "0", "/console")


# --- another browser --------------------------------------------------------------------------------------------------


def test_without_the_cookie_of_its_own_browser_a_state_is_of_no_use() -> None:
    flows = the_flows()
    begun, cookie = flows.begin(a_flow())
    _, others = flows.begin(a_flow())
    mine, theirs = kept(cookie, flows), kept(others, flows)
    renamed = f"{cookie.name}={cookie.verifier}"
    for brought in ("", theirs, renamed, mine[:-2], f"{cookie.name}="):
        with pytest.raises(BadRequestError, match="another browser"):
            end(flows, begun.state, brought)
    assert end(flows, begun.state, mine)


def test_a_cookie_that_another_key_has_signed_is_none() -> None:
    flows, strangers = the_flows(), the_flows("a-strangers-key-of-more-than-32-characters")
    begun, cookie = flows.begin(a_flow())
    with pytest.raises(BadRequestError):
        end(flows, begun.state, kept(cookie, strangers))


# --- purposes ---------------------------------------------------------------------------------------------------------


def test_what_is_signed_for_one_purpose_is_no_good_for_another() -> None:
    flows, flow = the_flows(), a_flow()
    begun, cookie = flows.begin(flow)
    signed = {
        "state": begun.state,
        "ticket": flows.ticket(flow),
        "invitation": flows.invitation(INVITED),
        "verifier": kept(cookie, flows).partition("=")[2],
    }
    read: dict[str, Callable[[str], Any]] = {
        "state": lambda text: end(flows, text, kept(cookie, flows)),
        "ticket": flows.of_ticket,
        "invitation": flows.of_invitation,
    }
    for purpose, other in itertools.product(read, signed):
        if purpose == other:
            assert read[purpose](signed[other])
        else:
            with pytest.raises(BadRequestError):
                read[purpose](signed[other])


@pytest.mark.parametrize("garbage", ["", ".", "..", "a.b.c", "é", "x" * 10_000, "%00", "W10.ah9yAA.x"])
def test_what_was_never_signed_is_refused(garbage: str) -> None:
    flows = the_flows()
    for read in (flows.of_ticket, flows.of_invitation, lambda text: end(flows, text, "")):
        with pytest.raises(BadRequestError, match="not complete"):
            read(garbage)


def test_a_letter_that_was_changed_is_noticed_wherever_it_stands() -> None:
    flows = the_flows()
    signed = flows.invitation(INVITED)
    # The last letter of a signature carries bits that stand for nothing.
    for at in range(len(signed) - 1):
        changed = signed[:at] + ("A" if signed[at] != "A" else "B") + signed[at + 1 :]
        with pytest.raises(BadRequestError):
            flows.of_invitation(changed)


def test_what_was_signed_with_other_fields_is_refused_and_not_guessed_at() -> None:
    """As by an earlier or a later version of ours."""
    flows = the_flows()
    odd: list[Any] = [{}, {"nonce": "n"}, {"purpose": "other", "nonce": "n"}, [], "text", {"purpose": 1, "nonce": "n"}]
    for value in odd:
        signed = flows._serializer("ticket").dumps(value)
        with pytest.raises(BadRequestError):
            flows.of_ticket(str(signed))


# --- time -------------------------------------------------------------------------------------------------------------


def test_a_flow_waits_for_as_long_as_a_person_reads_and_no_longer(later: Callable[[int], None]) -> None:
    flows = the_flows()
    begun, cookie = flows.begin(a_flow())
    brought = kept(cookie, flows)
    later(FLOW_LIFE)
    assert end(flows, begun.state, brought)
    later(FLOW_LIFE + 1)
    with pytest.raises(BadRequestError):
        end(flows, begun.state, brought)


def test_a_cookie_does_not_outlive_its_flow(later: Callable[[int], None]) -> None:
    flows = the_flows()
    flow = a_flow()
    _, cookie = flows.begin(flow)
    brought = kept(cookie, flows)
    later(FLOW_LIFE + 1)
    fresh, _ = flows.begin(flow)
    with pytest.raises(BadRequestError, match="another browser"):
        end(flows, fresh.state, brought)


def test_a_ticket_is_for_at_once(later: Callable[[int], None]) -> None:
    flows, flow = the_flows(), a_flow()
    ticket = flows.ticket(flow)
    later(TICKET_LIFE)
    assert flows.of_ticket(ticket) == flow
    later(TICKET_LIFE + 1)
    with pytest.raises(BadRequestError):
        flows.of_ticket(ticket)


def test_an_invitations_link_lives_as_long_as_the_invitation(later: Callable[[int], None]) -> None:
    flows = the_flows()
    link, life = flows.invitation(INVITED), int(INVITATION_LIFE.total_seconds())
    later(life)
    assert flows.of_invitation(link) == INVITED
    later(life + 1)
    with pytest.raises(BadRequestError):
        flows.of_invitation(link)


def test_what_comes_from_the_future_is_refused(later: Callable[[int], None]) -> None:
    flows = the_flows()
    later(3600)
    ticket = flows.ticket(a_flow())
    later(0)
    with pytest.raises(BadRequestError):
        flows.of_ticket(ticket)


# --- keys -------------------------------------------------------------------------------------------------------------


def test_while_a_key_is_changed_what_the_old_one_signed_is_still_good() -> None:
    before, between, after = the_flows(OLD), the_flows(f"{NEW}, {OLD}"), the_flows(NEW)
    begun, cookie = before.begin(a_flow())
    signed_before, signed_between = before.invitation(INVITED), between.invitation(INVITED)
    assert between.of_invitation(signed_before) == INVITED
    assert end(between, begun.state, kept(cookie, before))
    assert after.of_invitation(signed_between) == INVITED, "the new one signs"
    for flows, signed in ((after, signed_before), (before, signed_between)):
        with pytest.raises(BadRequestError):
            flows.of_invitation(signed)
