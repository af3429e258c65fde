"""What the commands have in common: lines that fit the terminal, and what a failure means to whoever typed it."""

import shutil
import textwrap

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError

from shared.config import MissingSettingError
from shared.domain.errors import Misconfigured, Retry

# What any command may meet that reads the project's data; `failure` has a sentence for each.
FAILURES = (MissingSettingError, Retry, Misconfigured, GoogleAuthError, GoogleAPICallError)


def failure(met: Exception, *, may: str) -> str:
    """What to do about it. `may`: what the account must be allowed to do, such as "read"."""
    match met:
        case Retry():
            return f"No answer just now, try again in a minute: {met}"
        case Misconfigured():
            return f"{met}: correct GOOGLE_OAUTH_CLIENT_ID and GOOGLE_OAUTH_CLIENT_SECRET in the environment"
        case GoogleAuthError():
            hint = "gcloud auth application-default login"
            return f"Google Cloud does not know who you are ({type(met).__name__}): {hint}"
        case GoogleAPICallError():
            return f"Google Cloud refused ({type(met).__name__}): may this account {may} the project's data?"
    return str(met)


def fitted(line: str, hang: int = 0) -> str:
    """A line in as many as it takes in this terminal (80 columns where there is none); `hang`: how far all but the
    first are indented.
    """
    columns = shutil.get_terminal_size().columns
    # Ids and addresses stay whole: they are copied.
    wrapper = textwrap.TextWrapper(
        columns, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False
    )
    return wrapper.fill(line)


def plain(text: object) -> str:
    """What somebody has typed, on one line, and without signs that would do something to the terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in str(text))
