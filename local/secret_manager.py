"""Stands in for Secret Manager: its v1 gRPC interface, in memory."""

import dataclasses
import itertools
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc
from google.cloud import secretmanager_v1 as sm
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)
from google.protobuf import empty_pb2

from local.grpc_service import GrpcService, RefusedError, page_of

# https://cloud.google.com/secret-manager/quotas: the largest payload of a version, in bytes.
MAX_PAYLOAD = 64 * 1024
_SECRET_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_PROJECT = re.compile(r"projects/[^/]+(/locations/[^/]+)?")

ENABLED = sm.SecretVersion.State.ENABLED
DISABLED = sm.SecretVersion.State.DISABLED
DESTROYED = sm.SecretVersion.State.DESTROYED


@dataclasses.dataclass(slots=True)
class _Version:
    payload: bytes
    created: float
    etag: str
    state: Any = ENABLED
    destroyed: float | None = None


@dataclasses.dataclass(slots=True)
class _Secret:
    template: Any
    created: float
    etag: str
    versions: list[_Version] = dataclasses.field(default_factory=list)


class LocalSecretManager:
    """Secrets and their versions, 1, 2, 3 and so on, until `stop`.

    Etags after https://cloud.google.com/secret-manager/docs/etags: checked where a request brings one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[str, _Secret] = {}
        self._etags = itertools.count(0x16211DAF5F29C5)
        self._service = GrpcService(
            SecretManagerServiceGrpcTransport,
            {
                "create_secret": self._locked(self._create_secret),
                "get_secret": self._locked(lambda r: self._secret_message(*self._secret(r.name))),
                "list_secrets": self._locked(self._list_secrets),
                "delete_secret": self._locked(self._delete_secret),
                "add_secret_version": self._locked(self._add_version),
                "get_secret_version": self._locked(lambda r: self._version_message(*self._version(r.name))),
                "list_secret_versions": self._locked(self._list_versions),
                "access_secret_version": self._locked(self._access),
                "enable_secret_version": self._locked(lambda r: self._set_state(r, ENABLED)),
                "disable_secret_version": self._locked(lambda r: self._set_state(r, DISABLED)),
                "destroy_secret_version": self._locked(lambda r: self._set_state(r, DESTROYED)),
            },
        )

    @property
    def host(self) -> str:
        return self._service.host

    def start(self) -> None:
        self._service.start()

    def stop(self) -> None:
        self._service.stop()

    def states(self) -> dict[str, tuple[str, ...]]:
        """Every secret that exists, ``projects/P/secrets/S``, with the states of its versions, the oldest first."""
        with self._lock:
            return {
                name: tuple(version.state.name for version in secret.versions) for name, secret in self._secrets.items()
            }

    def _locked(self, method: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(request: Any) -> Any:
            with self._lock:
                return method(request)

        return call

    def _create_secret(self, request: Any) -> Any:
        if not _PROJECT.fullmatch(request.parent):
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, f"Invalid parent [{request.parent}].")
        if not _SECRET_ID.fullmatch(request.secret_id):
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, f"Invalid secret id [{request.secret_id}].")
        if "/locations/" not in request.parent and "replication" not in request.secret:
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "Secret.replication must be provided.")
        name = f"{request.parent}/secrets/{request.secret_id}"
        if name in self._secrets:
            raise RefusedError(grpc.StatusCode.ALREADY_EXISTS, f"Secret [{name}] already exists.")
        self._secrets[name] = _Secret(request.secret, time.time(), self._etag())
        return self._secret_message(name, self._secrets[name])

    def _list_secrets(self, request: Any) -> Any:
        _refuse_filter(request)
        found = [
            self._secret_message(name, secret)
            for name, secret in self._secrets.items()
            if name.startswith(f"{request.parent}/secrets/")
        ]
        page, token = page_of(found, request, 25000)
        return sm.ListSecretsResponse(secrets=page, next_page_token=token, total_size=len(found))

    def _delete_secret(self, request: Any) -> empty_pb2.Empty:
        name, secret = self._secret(request.name)
        _check_etag(request, secret.etag)
        del self._secrets[name]
        return empty_pb2.Empty()

    def _add_version(self, request: Any) -> Any:
        name, secret = self._secret(request.parent)
        data = request.payload.data
        if len(data) > MAX_PAYLOAD:
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "The secret payload is larger than 64 KiB.")
        if "data_crc32c" in request.payload and request.payload.data_crc32c != crc32c(data):
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "The checksum does not match the payload.")
        secret.versions.append(_Version(data, time.time(), self._etag()))
        return self._version_message(name, len(secret.versions), secret.versions[-1])

    def _list_versions(self, request: Any) -> Any:
        _refuse_filter(request)
        name, secret = self._secret(request.parent)
        newest_first = list(enumerate(secret.versions, start=1))[::-1]
        found = [self._version_message(name, number, version) for number, version in newest_first]
        page, token = page_of(found, request, 25000)
        return sm.ListSecretVersionsResponse(versions=page, next_page_token=token, total_size=len(found))

    def _access(self, request: Any) -> Any:
        name, number, version = self._version(request.name)
        full_name = f"{name}/versions/{number}"
        if version.state != ENABLED:
            raise RefusedError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"Secret Version [{full_name}] is in {version.state.name} state.",
            )
        payload = sm.SecretPayload(data=version.payload, data_crc32c=crc32c(version.payload))
        return sm.AccessSecretVersionResponse(name=full_name, payload=payload)

    def _set_state(self, request: Any, state: Any) -> Any:
        name, number, version = self._version(request.name)
        _check_etag(request, version.etag)
        if version.state == DESTROYED:
            raise RefusedError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"Secret Version [{name}/versions/{number}] is in DESTROYED state.",
            )
        version.state, version.etag = state, self._etag()
        if state == DESTROYED:
            version.payload, version.destroyed = b"", time.time()
        return self._version_message(name, number, version)

    def _etag(self) -> str:
        """Quotes are part of it."""
        return f'"{next(self._etags):x}"'

    def _secret(self, name: str) -> tuple[str, _Secret]:
        if name not in self._secrets:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, f"Secret [{name}] not found.")
        return name, self._secrets[name]

    def _version(self, name: str) -> tuple[str, int, _Version]:
        secret_name, _, wanted = name.partition("/versions/")
        _, secret = self._secret(secret_name)
        # "latest" is the newest that was created, in whatever state it is.
        number = len(secret.versions) if wanted == "latest" else int(wanted) if wanted.isdecimal() else 0
        if not 1 <= number <= len(secret.versions):
            raise RefusedError(grpc.StatusCode.NOT_FOUND, f"Secret Version [{name}] not found.")
        return secret_name, number, secret.versions[number - 1]

    @staticmethod
    def _secret_message(name: str, secret: _Secret) -> Any:
        message = sm.Secret(secret.template)
        message.name = name
        message.create_time = _timestamp(secret.created)
        message.etag = secret.etag
        return message

    @staticmethod
    def _version_message(name: str, number: int, version: _Version) -> Any:
        message = sm.SecretVersion(name=f"{name}/versions/{number}", state=version.state, etag=version.etag)
        message.create_time = _timestamp(version.created)
        if version.destroyed is not None:
            message.destroy_time = _timestamp(version.destroyed)
        return message


def _check_etag(request: Any, etag: str) -> None:
    if request.etag and request.etag != etag:
        raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, "The etag does not match that of the resource.")


def _refuse_filter(request: Any) -> None:
    # Passed over, a filter would give too much, and nobody would notice before the cloud.
    if request.filter:
        raise RefusedError(grpc.StatusCode.UNIMPLEMENTED, "Filters are not part of the local stack")


def _timestamp(seconds: float) -> dict[str, int]:
    return {"seconds": int(seconds), "nanos": int(seconds % 1 * 1_000_000) * 1000}


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), as Secret Manager returns it in ``data_crc32c`` (RFC 3720, appendix B.4)."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _CRC_TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def _crc_row(value: int) -> int:
    for _ in range(8):
        # 0x82F63B78 is Castagnoli's polynomial, bits reversed.
        value = (value >> 1) ^ 0x82F63B78 if value & 1 else value >> 1
    return value


_CRC_TABLE = tuple(_crc_row(byte) for byte in range(256))
