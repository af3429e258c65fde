"""The `Secrets` port on Secret Manager: one secret per account, one live version per secret."""

from typing import Any

from google.api_core import exceptions
from google.cloud import secretmanager

from shared.domain.errors import AccessLost, Unavailable


class SecretManagerSecrets:
    """`client` is shared by all threads of an instance. Values are never logged, nor part of any error."""

    def __init__(self, client: secretmanager.SecretManagerServiceClient, project: str) -> None:
        self._client = client
        self._project = f"projects/{project}"

    def put(self, secret_id: str, value: str) -> None:
        name = f"{self._project}/secrets/{secret_id}"
        try:
            added = self._add(name, secret_id, value)
            # A version costs as long as it lives, and an old token is of no use to us but of some to a thief.
            for version in self._client.list_secret_versions(parent=name):
                if version.name != added and version.state == secretmanager.SecretVersion.State.ENABLED:
                    self._client.destroy_secret_version(name=version.name)
        except (exceptions.ServerError, exceptions.RetryError) as error:
            raise Unavailable(f"Secret Manager: {type(error).__name__}") from None

    def get(self, secret_id: str) -> str:
        try:
            answer = self._client.access_secret_version(name=f"{self._project}/secrets/{secret_id}/versions/latest")
        except (exceptions.NotFound, exceptions.FailedPrecondition):
            raise AccessLost("there is no refresh token for this account") from None
        except (exceptions.ServerError, exceptions.RetryError) as error:
            raise Unavailable(f"Secret Manager: {type(error).__name__}") from None
        data: bytes = answer.payload.data
        return data.decode()

    def _add(self, name: str, secret_id: str, value: str) -> str:
        payload = {"data": value.encode()}
        try:
            version: Any = self._client.add_secret_version(parent=name, payload=payload)
        except exceptions.NotFound:
            self._client.create_secret(
                parent=self._project, secret_id=secret_id, secret={"replication": {"automatic": {}}}
            )
            version = self._client.add_secret_version(parent=name, payload=payload)
        return str(version.name)
