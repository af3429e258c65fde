"""What the commands print: it fits, does nothing to the terminal, and says what to do where something is in the way."""

import pytest
from google.api_core.exceptions import PermissionDenied
from google.auth.exceptions import DefaultCredentialsError

from commands.terminal import FAILURES, failure, fitted, plain
from shared.domain.errors import Misconfigured, Unavailable


def test_a_long_line_goes_on_below_its_beginning_and_ids_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    assert fitted("     3  left out – Tentative, or not answered yet", 8).splitlines() == [
        "     3  left out – Tentative,",
        "        or not answered yet",
    ]
    assert fitted(f"in the inbox: {'x' * 40}-y", 2).splitlines() == ["in the inbox:", f"  {'x' * 40}-y"]
    assert fitted("short") == "short"


def test_what_somebody_typed_does_nothing_to_the_terminal() -> None:
    assert plain("Nów – 日本 📷") == "Nów – 日本 📷"
    assert plain("a\x1b[2Jb\rc\nd\u202ee") == "a [2Jb c d e"


@pytest.mark.parametrize(
    ("met", "said"),
    [
        (Unavailable("Firestore"), "try again in a minute: Firestore"),
        (Misconfigured("Google did not accept our OAuth client: invalid_client"), "correct GOOGLE_OAUTH_CLIENT_ID"),
        (DefaultCredentialsError("none"), "gcloud auth application-default login"),  # type: ignore[no-untyped-call]
        (PermissionDenied("no"), "may this account change the project's data?"),
    ],
)
def test_each_failure_says_what_to_do(met: Exception, said: str) -> None:
    assert isinstance(met, FAILURES)
    assert said in failure(met, may="change")
