"""Checks a front-end's document against the contract: the one edge where untyped fields become typed ones."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from shared.domain.errors import Park
from shared.domain.reasons import Reason

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


def read(data: Mapping[str, Any], kind: type[_Struct]) -> _Struct:
    """A document's fields as a struct. ``null`` counts as absent, also within maps; unknown fields are ignored.

    Raises:
        Park: a field is missing or of the wrong type; named, with what was expected.
    """
    try:
        return msgspec.convert(_without_nulls(data), kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        # A missing field is named in the sentence itself: "Object missing required field `kind`".
        field = where.rstrip("`") or what.rpartition("`")[0].rpartition("`")[2]
        # An unknown word is quoted by the library, and may be anything that a person wrote: it stays out of the reason.
        raise Park(Reason.INVALID, field, re.sub(r" '.*'$", "", what, flags=re.DOTALL)) from None


def _without_nulls(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nulls(value) if isinstance(value, Mapping) else value
        for key, value in data.items()
        if value is not None
    }
