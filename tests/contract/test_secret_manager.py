"""The `Secrets` port over the real client and the local Secret Manager."""

import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import secretmanager
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)

from local.secret_manager import LocalSecretManager
from shared.adapters.secret_manager import SecretManagerSecrets
from shared.domain.errors import AccessLost, Unavailable

SECRET = "refresh-token-google-abc"
TOKEN = "1//a-refresh-token"


@pytest.fixture
def client(local_secrets: LocalSecretManager) -> Iterator[secretmanager.SecretManagerServiceClient]:
    channel = grpc.insecure_channel(local_secrets.host)
    transport = SecretManagerServiceGrpcTransport(channel=channel)
    yield secretmanager.SecretManagerServiceClient(transport=transport)
    channel.close()


@pytest.fixture
def secrets(client: secretmanager.SecretManagerServiceClient, project: str) -> SecretManagerSecrets:
    return SecretManagerSecrets(client, project)


def versions(client: secretmanager.SecretManagerServiceClient, project: str) -> dict[str, str]:
    listed = client.list_secret_versions(parent=f"projects/{project}/secrets/{SECRET}")
    return {version.name.rpartition("/")[2]: version.state.name for version in listed}


def test_the_first_put_makes_the_secret(secrets: SecretManagerSecrets) -> None:
    secrets.put(SECRET, TOKEN)
    assert secrets.get(SECRET) == TOKEN


def test_a_put_replaces_and_destroys_what_was_there_however_often(
    secrets: SecretManagerSecrets, client: secretmanager.SecretManagerServiceClient, project: str
) -> None:
    for number in range(4):
        secrets.put(SECRET, f"{TOKEN}-{number}")
        assert secrets.get(SECRET) == f"{TOKEN}-{number}"
    assert versions(client, project) == {"4": "ENABLED", "3": "DESTROYED", "2": "DESTROYED", "1": "DESTROYED"}


def test_secrets_do_not_touch_each_other(secrets: SecretManagerSecrets) -> None:
    secrets.put(SECRET, TOKEN)
    secrets.put(f"{SECRET}-2", "another")
    assert (secrets.get(SECRET), secrets.get(f"{SECRET}-2")) == (TOKEN, "another")


def test_of_many_puts_at_once_the_newest_version_survives_alone(
    secrets: SecretManagerSecrets, client: secretmanager.SecretManagerServiceClient, project: str
) -> None:
    tokens = [f"{TOKEN}-{number}" for number in range(8)]
    with ThreadPoolExecutor(len(tokens)) as pool:
        list(pool.map(lambda token: secrets.put(SECRET, token), tokens))
    assert secrets.get(SECRET) in tokens
    assert [name for name, state in versions(client, project).items() if state == "ENABLED"] == ["8"]


def test_a_put_never_destroys_what_was_put_after_it(
    secrets: SecretManagerSecrets,
    client: secretmanager.SecretManagerServiceClient,
    project: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets.put(SECRET, "old")
    listing = client.list_secret_versions

    def overtaken(**request: str) -> object:
        client.add_secret_version(parent=request["parent"], payload={"data": b"newest"})
        return listing(**request)

    monkeypatch.setattr(client, "list_secret_versions", overtaken)
    secrets.put(SECRET, TOKEN)
    monkeypatch.undo()
    assert secrets.get(SECRET) == "newest"
    assert versions(client, project)["3"] == "ENABLED"


def test_what_is_destroyed_is_gone_with_all_its_versions_and_takes_no_other_with_it(
    secrets: SecretManagerSecrets, local_secrets: LocalSecretManager, project: str
) -> None:
    secrets.put(SECRET, TOKEN)
    secrets.put(SECRET, f"{TOKEN}-2")
    secrets.put(f"{SECRET}-2", "another")
    secrets.destroy(SECRET)
    assert local_secrets.states() == {f"projects/{project}/secrets/{SECRET}-2": ("ENABLED",)}
    with pytest.raises(AccessLost):
        secrets.get(SECRET)


def test_one_version_is_destroyed_and_the_others_stay(
    secrets: SecretManagerSecrets, client: secretmanager.SecretManagerServiceClient, project: str
) -> None:
    assert [secrets.put(SECRET, f"{TOKEN}-{number}") for number in (1, 2)] == [1, 2]
    secrets.destroy(SECRET, 1)
    assert secrets.get(SECRET) == f"{TOKEN}-2"
    secrets.destroy(SECRET, 2)
    assert set(versions(client, project).values()) == {"DESTROYED"}
    secrets.destroy(SECRET, 2)
    secrets.destroy("no-such-secret", 1)


def test_destroying_what_is_not_there_is_fine(secrets: SecretManagerSecrets) -> None:
    secrets.destroy(SECRET)
    secrets.put(SECRET, TOKEN)
    secrets.destroy(SECRET)
    secrets.destroy(SECRET)


def test_a_put_after_the_end_starts_anew(
    secrets: SecretManagerSecrets, client: secretmanager.SecretManagerServiceClient, project: str
) -> None:
    secrets.put(SECRET, "old")
    secrets.put(SECRET, "older")
    secrets.destroy(SECRET)
    secrets.put(SECRET, TOKEN)
    assert secrets.get(SECRET) == TOKEN
    assert versions(client, project) == {"1": "ENABLED"}


def test_a_put_that_is_overtaken_by_a_destroy_says_that_nothing_is_stored(
    secrets: SecretManagerSecrets,
    client: secretmanager.SecretManagerServiceClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listing = client.list_secret_versions

    def overtaken(**request: str) -> object:
        client.delete_secret(name=request["parent"])
        return listing(**request)

    monkeypatch.setattr(client, "list_secret_versions", overtaken)
    with pytest.raises(Unavailable, match="deleted") as failed:
        secrets.put(SECRET, TOKEN)
    assert TOKEN not in "".join(traceback.format_exception(failed.value))
    monkeypatch.undo()
    secrets.put(SECRET, TOKEN)
    assert secrets.get(SECRET) == TOKEN


def test_a_secret_that_does_not_exist_means_that_access_is_lost(secrets: SecretManagerSecrets) -> None:
    with pytest.raises(AccessLost):
        secrets.get(SECRET)


def test_a_secret_whose_newest_version_was_destroyed_or_disabled_means_that_access_is_lost(
    secrets: SecretManagerSecrets, client: secretmanager.SecretManagerServiceClient, project: str
) -> None:
    secrets.put(SECRET, TOKEN)
    version = f"projects/{project}/secrets/{SECRET}/versions/1"
    client.disable_secret_version(name=version)
    with pytest.raises(AccessLost):
        secrets.get(SECRET)
    client.destroy_secret_version(name=version)
    with pytest.raises(AccessLost):
        secrets.get(SECRET)


def test_a_service_that_does_not_answer_is_unavailable_and_no_error_tells_the_value(
    secrets: SecretManagerSecrets, client: secretmanager.SecretManagerServiceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise exceptions.ServiceUnavailable(f"could not store {TOKEN}")

    for method in ("add_secret_version", "access_secret_version"):
        monkeypatch.setattr(client, method, fail)
    with pytest.raises(Unavailable) as put:
        secrets.put(SECRET, TOKEN)
    with pytest.raises(Unavailable) as got:
        secrets.get(SECRET)
    for error in (put.value, got.value):
        assert TOKEN not in "".join(traceback.format_exception(error))


def test_being_asked_to_slow_down_is_being_unavailable(
    secrets: SecretManagerSecrets, client: secretmanager.SecretManagerServiceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise exceptions.ResourceExhausted("quota")

    for method in ("add_secret_version", "access_secret_version", "delete_secret"):
        monkeypatch.setattr(client, method, refuse)
    with pytest.raises(Unavailable):
        secrets.destroy(SECRET)
    with pytest.raises(Unavailable):
        secrets.put(SECRET, TOKEN)
    with pytest.raises(Unavailable):
        secrets.get(SECRET)


def test_what_the_service_refuses_is_said_without_the_value(secrets: SecretManagerSecrets) -> None:
    too_long = TOKEN + "x" * 65_536
    with pytest.raises(exceptions.InvalidArgument) as refused:
        secrets.put(SECRET, too_long)
    assert TOKEN not in "".join(traceback.format_exception(refused.value))


def test_a_client_that_nobody_answers_is_unavailable(project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with grpc.insecure_channel("127.0.0.1:9") as channel:
        transport = SecretManagerServiceGrpcTransport(channel=channel)
        for method in transport._wrapped_methods.values():
            # The client's own patience is a minute.
            monkeypatch.setattr(method, "_timeout", 0.2)
            if method._retry is not None:
                monkeypatch.setattr(method, "_retry", method._retry.with_timeout(0.2))
        secrets = SecretManagerSecrets(secretmanager.SecretManagerServiceClient(transport=transport), project)
        with pytest.raises(Unavailable):
            secrets.get(SECRET)
        with pytest.raises(Unavailable):
            secrets.put(SECRET, TOKEN)
        with pytest.raises(Unavailable):
            secrets.destroy(SECRET)
