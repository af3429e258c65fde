"""Checks requests against the discovery document that Google's Python client ships.

Methods by verb and path, query parameters (names, types, enums, bounds), bodies (names and types, down the schemas)
and field masks. The real Google lets some unknown body fields pass; the simulator refuses them all on purpose, since
a field that is not in the document is our typing error.
"""

import functools
import json
import pathlib
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import googleapiclient

from local.google.errors import ApiError, invalid
from local.google.field_mask import Mask

# RFC 3339 with the offset that query parameters need.
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_INT32 = 2**31


@dataclass(frozen=True, slots=True)
class Method:
    """One entry of the document. `parameters` are those of the path, the query, and the API's common ones."""

    id: str
    http_method: str
    segments: tuple[str, ...]
    parameters: dict[str, dict[str, Any]]
    request: str | None
    response: str | None
    scopes: frozenset[str]


class Discovery:
    """One API's document, indexed for requests."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.service_path = "/" + document["servicePath"]
        self.batch_path = "/" + document["batchPath"]
        self._schemas: dict[str, dict[str, Any]] = document["schemas"]
        self._methods = [
            _method(entry, document["parameters"])
            for resource in document["resources"].values()
            for entry in resource.get("methods", {}).values()
        ]
        # Literal segments win over parameters: ``events/watch`` is no event id.
        self._methods.sort(key=lambda method: sum(segment.startswith("{") for segment in method.segments))

    def find(self, http_method: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """The method and its decoded path parameters; `path` is percent-encoded and starts with `service_path`."""
        segments = path.removeprefix(self.service_path).split("/")
        for method in self._methods:
            if method.http_method != http_method or len(method.segments) != len(segments):
                continue
            pairs = list(zip(method.segments, segments, strict=True))
            if all(wanted.startswith("{") or wanted == given for wanted, given in pairs):
                return method, {wanted[1:-1]: unquote(given) for wanted, given in pairs if wanted.startswith("{")}
        return None

    def query(self, method: Method, pairs: list[tuple[str, str]]) -> dict[str, Any]:
        """The query's parameters as Python values (bool, int, str; a list where repeated); 400 otherwise."""
        typed: dict[str, Any] = {}
        for name, text in pairs:
            spec = method.parameters.get(name)
            if spec is None or spec["location"] != "query":
                raise invalid(f"Unknown parameter: {name}", name, reason="invalidParameter")
            value = _parameter(name, text, spec)
            if spec.get("repeated"):
                typed.setdefault(name, []).append(value)
            elif name in typed:
                raise invalid(f"Parameter given more than once: {name}", name, reason="invalidParameter")
            else:
                typed[name] = value
        return typed

    def body(self, method: Method, raw: bytes) -> dict[str, Any] | None:
        """The request's JSON object, checked field by field; None for methods without a body."""
        if method.request is None:
            if raw:
                raise invalid(f"{method.id} takes no body", reason="badRequest")
            return None
        try:
            value = json.loads(raw or b"{}")
        except ValueError:
            raise ApiError(400, "parseError", "Parse Error") from None
        if not isinstance(value, dict):
            raise ApiError(400, "parseError", "Parse Error")
        self._check({"$ref": method.request}, value, "")
        return value

    def check_mask(self, method: Method, mask: Mask) -> None:
        """400 if the mask names a field that the answer cannot have."""
        if method.response is not None:
            self._check_mask({"$ref": method.response}, mask)

    def _check_mask(self, schema: dict[str, Any], mask: Mask) -> None:
        schema = self._resolve(schema)
        if schema.get("type") == "array":
            self._check_mask(schema["items"], mask)
            return
        if "additionalProperties" in schema:
            return
        for name, below in mask.items():
            known = schema.get("properties", {})
            if name == "*":
                continue
            if name not in known:
                raise invalid(f"Invalid field selection {name}", "fields", reason="invalidParameter")
            if below:
                self._check_mask(known[name], below)

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        return self._schemas[schema["$ref"]] if "$ref" in schema else schema

    def _check(self, schema: dict[str, Any], value: Any, where: str) -> None:
        if value is None:  # In a patch null removes; elsewhere it counts as absent.
            return
        schema = self._resolve(schema)
        kind = schema.get("type")
        if kind == "object":
            if not isinstance(value, dict):
                raise _wrong_type(where, "an object")
            fixed, free = schema.get("properties", {}), schema.get("additionalProperties")
            for name, item in value.items():
                below = f"{where}.{name}" if where else name
                item_schema = fixed.get(name, free)
                if item_schema is None:
                    raise invalid(f"Unknown field: {below}", below)
                self._check(item_schema, item, below)
        elif kind == "array":
            if not isinstance(value, list):
                raise _wrong_type(where, "a list")
            for position, item in enumerate(value):
                self._check(schema["items"], item, f"{where}[{position}]")
        elif not _is_scalar(kind, schema.get("format"), value):
            raise _wrong_type(where, f"a {kind}")


@functools.cache
def bundled(name: str) -> Discovery:
    """The document that the client library ships, such as ``calendar.v3``."""
    folder = pathlib.Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    return Discovery(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))


def _method(entry: dict[str, Any], common: dict[str, dict[str, Any]]) -> Method:
    return Method(
        id=entry["id"],
        http_method=entry["httpMethod"],
        segments=tuple(entry["path"].split("/")),
        parameters=common | entry.get("parameters", {}),
        request=entry.get("request", {}).get("$ref"),
        response=entry.get("response", {}).get("$ref"),
        scopes=frozenset(entry.get("scopes", ())),
    )


def _parameter(name: str, text: str, spec: dict[str, Any]) -> bool | int | str:
    wrong = invalid(f"Invalid value for parameter {name}: {text!r}", name, reason="invalidParameter")
    if spec["type"] == "boolean":
        if text not in {"true", "false"}:
            raise wrong
        return text == "true"
    if spec["type"] == "integer":
        if not re.fullmatch(r"-?\d{1,10}", text, re.ASCII):
            raise wrong
        number = int(text)
        if not int(spec.get("minimum", -_INT32)) <= number <= int(spec.get("maximum", _INT32 - 1)):
            raise wrong
        return number
    if "enum" in spec and text not in spec["enum"]:
        raise wrong
    if spec.get("format") == "date-time" and not _DATE_TIME.fullmatch(text):
        raise wrong
    return text


def _is_scalar(kind: str | None, form: str | None, value: Any) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "string" and form == "int64":
        # The discovery types such a number as a string, the guides show a bare number: both pass.
        return isinstance(value, int | str) and re.fullmatch(r"-?\d+", str(value), re.ASCII) is not None
    return isinstance(value, str) if kind == "string" else kind == "any"


def _wrong_type(where: str, wanted: str) -> ApiError:
    return invalid(f"Invalid value for field {where}: expected {wanted}", where)
