"""Structured logs: one JSON object a line, with the field names that Cloud Logging reads.

Messages are fixed texts; what varies goes into `extra` (ids, counts, reasons). Never a client's data, never a secret:
an exception is logged with its type and place, because its text may quote either.
"""

import json
import logging
import sys
from typing import Any

# What `logging` puts into every record; all else came in by `extra`.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"severity": record.levelname, "message": record.getMessage(), "logger": record.name}
        line |= {key: value for key, value in vars(record).items() if key not in _OWN}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
            line["where"] = _places(record.exc_info[1])
        return json.dumps(line, default=str)


def configure() -> None:
    """Send everything from INFO up to standard output, once, in place of whatever handlers there are."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # These two log addresses and bodies of what they send.
    for chatty in ("googleapiclient", "google_auth_httplib2", "werkzeug"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _places(error: BaseException) -> list[str]:
    places = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{code.co_filename}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return places
