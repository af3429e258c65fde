"""The local Secret Manager, through the real client over gRPC."""

from collections.abc import Iterator

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import secretmanager_v1 as sm
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)

from local.secret_manager import LocalSecretManager, crc32c

PROJECT = "projects/studio-test"
SECRET = f"{PROJECT}/secrets/google-u1"


@pytest.fixture
def client(local_secrets: LocalSecretManager) -> Iterator[sm.SecretManagerServiceClient]:
    channel = grpc.insecure_channel(local_secrets.host)
    yield sm.SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
    channel.close()


@pytest.fixture
def secret(client: sm.SecretManagerServiceClient) -> str:
    return create(client, "google-u1").name


def create(client: sm.SecretManagerServiceClient, secret_id: str) -> sm.Secret:
    replication = {"automatic": {}}
    return client.create_secret(parent=PROJECT, secret_id=secret_id, secret={"replication": replication})


def add(client: sm.SecretManagerServiceClient, secret: str, data: bytes, **payload: int) -> str:
    return client.add_secret_version(parent=secret, payload={"data": data, **payload}).name


def test_a_secret_is_kept_in_versions_and_latest_is_the_newest(
    client: sm.SecretManagerServiceClient, secret: str
) -> None:
    assert add(client, secret, b"one") == f"{SECRET}/versions/1"
    assert add(client, secret, b"two") == f"{SECRET}/versions/2"
    latest = client.access_secret_version(name=f"{secret}/versions/latest")
    assert (latest.name, latest.payload.data) == (f"{SECRET}/versions/2", b"two")
    assert latest.payload.data_crc32c == crc32c(b"two")
    assert client.access_secret_version(name=f"{secret}/versions/1").payload.data == b"one"
    assert client.get_secret_version(name=f"{secret}/versions/latest").name == f"{SECRET}/versions/2"
    listed = [version.name[-1] for version in client.list_secret_versions(request={"parent": secret, "page_size": 1})]
    assert listed == ["2", "1"]


def test_latest_is_the_newest_also_when_it_is_disabled(client: sm.SecretManagerServiceClient, secret: str) -> None:
    add(client, secret, b"one")
    newest = add(client, secret, b"two")
    client.disable_secret_version(name=newest)
    with pytest.raises(exceptions.FailedPrecondition, match="DISABLED"):
        client.access_secret_version(name=f"{secret}/versions/latest")
    client.enable_secret_version(name=newest)
    assert client.access_secret_version(name=f"{secret}/versions/latest").payload.data == b"two"


def test_a_destroyed_version_is_gone_for_good(client: sm.SecretManagerServiceClient, secret: str) -> None:
    version = add(client, secret, b"one")
    destroyed = client.destroy_secret_version(name=version)
    assert destroyed.state == sm.SecretVersion.State.DESTROYED
    assert destroyed.destroy_time is not None
    with pytest.raises(exceptions.FailedPrecondition, match="DESTROYED"):
        client.access_secret_version(name=version)
    with pytest.raises(exceptions.FailedPrecondition):
        client.enable_secret_version(name=version)


def test_checksums_are_those_of_the_standard_and_are_verified(
    client: sm.SecretManagerServiceClient, secret: str
) -> None:
    # RFC 3720, appendix B.4: 32 bytes of zeroes; and the check value of the CRC catalogue.
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"123456789") == 0xE3069283
    add(client, secret, b"one", data_crc32c=crc32c(b"one"))
    with pytest.raises(exceptions.InvalidArgument):
        add(client, secret, b"one", data_crc32c=crc32c(b"two"))


def test_payloads_are_limited_to_64_kib(client: sm.SecretManagerServiceClient, secret: str) -> None:
    add(client, secret, b"x" * 65_536)
    with pytest.raises(exceptions.InvalidArgument):
        add(client, secret, b"x" * 65_537)


def test_a_name_exists_once_and_is_free_again_after_deletion(
    client: sm.SecretManagerServiceClient, secret: str
) -> None:
    with pytest.raises(exceptions.AlreadyExists):
        create(client, "google-u1")
    create(client, "google-u2")
    assert [s.name for s in client.list_secrets(parent=PROJECT)] == [SECRET, f"{PROJECT}/secrets/google-u2"]
    add(client, secret, b"one")
    client.delete_secret(name=secret)
    with pytest.raises(exceptions.NotFound):
        client.get_secret(name=secret)
    create(client, "google-u1")
    with pytest.raises(exceptions.NotFound):
        client.access_secret_version(name=f"{secret}/versions/latest")


def test_a_deleted_secret_cannot_be_read_and_one_of_its_name_starts_anew(
    client: sm.SecretManagerServiceClient, secret: str
) -> None:
    version = add(client, secret, b"one")
    client.delete_secret(name=secret)
    for name in (version, f"{secret}/versions/latest"):
        with pytest.raises(exceptions.NotFound):
            client.access_secret_version(name=name)
    with pytest.raises(exceptions.NotFound):
        client.delete_secret(name=secret)
    with pytest.raises(exceptions.NotFound):
        list(client.list_secret_versions(parent=secret))
    create(client, "google-u1")
    assert add(client, secret, b"new") == f"{SECRET}/versions/1"
    assert client.access_secret_version(name=version).payload.data == b"new"


def test_a_deletion_with_an_etag_needs_the_present_one(client: sm.SecretManagerServiceClient, secret: str) -> None:
    etag = client.get_secret(name=secret).etag
    client.delete_secret(name=secret)
    again = create(client, "google-u1")
    assert again.etag not in {"", etag}
    with pytest.raises(exceptions.FailedPrecondition, match="etag"):
        client.delete_secret(request={"name": secret, "etag": etag})
    client.delete_secret(request={"name": secret, "etag": again.etag})
    with pytest.raises(exceptions.NotFound):
        client.delete_secret(request={"name": secret, "etag": again.etag})


def test_a_change_of_a_version_with_an_etag_needs_the_present_one(
    client: sm.SecretManagerServiceClient, secret: str
) -> None:
    name = add(client, secret, b"one")
    before = client.get_secret_version(name=name).etag
    client.enable_secret_version(request={"name": name, "etag": before})  # Changes the etag, though nothing else.
    with pytest.raises(exceptions.FailedPrecondition, match="etag"):
        client.destroy_secret_version(request={"name": name, "etag": before})
    assert client.access_secret_version(name=name).payload.data == b"one"


def test_all_that_is_kept_can_be_listed_with_its_states(
    client: sm.SecretManagerServiceClient, secret: str, local_secrets: LocalSecretManager
) -> None:
    assert local_secrets.states() == {SECRET: ()}
    first, second = add(client, secret, b"one"), add(client, secret, b"two")
    add(client, secret, b"three")
    client.destroy_secret_version(name=first)
    client.disable_secret_version(name=second)
    create(client, "google-u2")
    assert local_secrets.states() == {
        SECRET: ("DESTROYED", "DISABLED", "ENABLED"),
        f"{PROJECT}/secrets/google-u2": (),
    }
    client.delete_secret(name=secret)
    assert local_secrets.states() == {f"{PROJECT}/secrets/google-u2": ()}


def test_what_does_not_exist_is_not_found_and_what_is_malformed_is_refused(
    client: sm.SecretManagerServiceClient, secret: str
) -> None:
    with pytest.raises(exceptions.NotFound):
        client.access_secret_version(name=f"{PROJECT}/secrets/none/versions/latest")
    with pytest.raises(exceptions.NotFound):
        client.access_secret_version(name=f"{secret}/versions/7")
    with pytest.raises(exceptions.NotFound):
        add(client, f"{PROJECT}/secrets/none", b"x")
    for wrong in ("with space", "a/b", "x" * 256, ""):
        with pytest.raises(exceptions.InvalidArgument):
            create(client, wrong)
    with pytest.raises(exceptions.InvalidArgument):
        client.create_secret(parent=PROJECT, secret_id="bare", secret={})


def test_what_is_not_built_says_so_by_its_name(client: sm.SecretManagerServiceClient, secret: str) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match="UpdateSecret"):
        client.update_secret(secret={"name": secret}, update_mask={"paths": ["labels"]})
    with pytest.raises(exceptions.MethodNotImplemented, match="Filters"):
        client.list_secret_versions(request={"parent": secret, "filter": "state:ENABLED"})
    with pytest.raises(exceptions.MethodNotImplemented, match="Filters"):
        client.list_secrets(request={"parent": PROJECT, "filter": "name:x"})
