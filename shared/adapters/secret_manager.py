"""The `Secrets` port on Secret Manager: one secret per account, one live version per secret."""

from contextlib import suppress
from typing import Any

from google.api_core import exceptions
from google.cloud import secretmanager

from shared.domain.errors import AccessLost, Unavailable

_NO_ANSWER = (exceptions.ServerError, exceptions.TooManyRequests, exceptions.RetryError)


class SecretManagerSecrets:
    """`client` is shared by all threads of an instance. Values are never logged, nor part of any error."""

    def __init__(self, client: secretmanager.SecretManagerServiceClient, project: str) -> None:
        self._client = client
        self._project = f"projects/{project}"

    def put(self, secret_id: str, value: str) -> int:
        name = f"{self._project}/secrets/{secret_id}"
        try:
            added = self._add(name, secret_id, value)
            # A version costs as long as it lives, and an old token is of no use to us but of some to a thief.
            # Older ones only: of two puts at once, neither may take the other's for an old one, or both would be gone.
            for version in self._client.list_secret_versions(parent=name):
                if _number(version.name) < added and version.state != secretmanager.SecretVersion.State.DESTROYED:
                    self._destroy_version(version.name)
        except exceptions.NotFound:
            raise Unavailable("Secret Manager: the secret was deleted while it was stored") from None
        except _NO_ANSWER as error:
            raise Unavailable(f"Secret Manager: {type(error).__name__}") from None
        return added

    def get(self, secret_id: str) -> str:
        try:
            answer = self._client.access_secret_version(name=f"{self._project}/secrets/{secret_id}/versions/latest")
        except (exceptions.NotFound, exceptions.FailedPrecondition):
            raise AccessLost("there is no refresh token for this account") from None
        except _NO_ANSWER as error:
            raise Unavailable(f"Secret Manager: {type(error).__name__}") from None
        data: bytes = answer.payload.data
        return data.decode()

    def destroy(self, secret_id: str, version: int | None = None) -> None:
        name = f"{self._project}/secrets/{secret_id}"
        try:
            with suppress(exceptions.NotFound):
                if version is None:
                    self._client.delete_secret(name=name)
                else:
                    self._destroy_version(f"{name}/versions/{version}")
        except _NO_ANSWER as error:
            raise Unavailable(f"Secret Manager: {type(error).__name__}") from None

    def _add(self, name: str, secret_id: str, value: str) -> int:
        payload = {"data": value.encode()}
        try:
            version: Any = self._client.add_secret_version(parent=name, payload=payload)
        except exceptions.NotFound:
            self._create(secret_id)
            version = self._client.add_secret_version(parent=name, payload=payload)
        return _number(version.name)

    def _create(self, secret_id: str) -> None:
        secret: dict[str, Any] = {"replication": {"automatic": {}}}
        with suppress(exceptions.AlreadyExists):  # Another put was faster.
            self._client.create_secret(parent=self._project, secret_id=secret_id, secret=secret)

    def _destroy_version(self, version_name: str) -> None:
        with suppress(exceptions.FailedPrecondition):  # Destroyed already, by another put.
            self._client.destroy_secret_version(name=version_name)


def _number(version_name: str) -> int:
    """Versions are numbered 1, 2, 3 and so on, in the order in which they were added."""
    return int(version_name.rpartition("/")[2])
