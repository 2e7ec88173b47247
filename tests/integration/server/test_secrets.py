"""Keys of credentials, of servers that share a database: none makes a key of its own beside that of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainloop_ci.errors import ConfigInvalidError
from server.config import ServerConfig
from server.errors import SecretKeyMissingError
from server.secret_box import SealedFor, open_secret_box
from server.services.resealing import Resealing
from server.services.secrets import Secrets
from server.wiring import Services

PLACE = SealedFor("registration", "org", "registration", "https://github.com")


@pytest.fixture
def sealed(services: Services) -> str:
    """Return what a server sealed with the key that it made."""
    return seal(services, services.secrets)


@pytest.fixture
def other(tmp_path: Path) -> ServerConfig:
    """Return the settings of a second server, as far as keys are concerned: a data folder of its own."""
    folder = tmp_path / "other"
    folder.mkdir()
    return ServerConfig(data=folder)


def secrets_of(services: Services, config: ServerConfig) -> Secrets:
    return Secrets(open_secret_box(config, services.world.random_bytes), services.world.now)


def seal(services: Services, secrets: Secrets) -> str:
    with services.database.write() as connection:
        return secrets.seal(connection, "text", PLACE)


def test_a_server_without_a_key_makes_none_where_another_key_sealed_something(
    services: Services, sealed: str, other: ServerConfig
) -> None:
    with pytest.raises(SecretKeyMissingError, match=sealed.split(":")[1]) as refusal:
        seal(services, secrets_of(services, other))

    assert "CHAINLOOP_SECRET_KEY" in str(refusal.value.hint)
    assert not other.secret_key_path.exists()


def test_with_the_key_of_the_first_server_the_second_opens_and_seals(
    services: Services, sealed: str, other: ServerConfig
) -> None:
    other.secret_key_path.write_bytes(services.config.secret_key_path.read_bytes())
    secrets = secrets_of(services, other)

    assert secrets.open(sealed, PLACE) == "text"
    assert services.secrets.open(seal(services, secrets), PLACE) == "text"


@pytest.mark.usefixtures("sealed")
def test_a_key_that_is_given_seals_where_the_first_is_lost(services: Services, other: ServerConfig) -> None:
    secrets = secrets_of(services, ServerConfig(data=other.data, secret_keys=(b"n" * 32,)))

    assert secrets.open(seal(services, secrets), PLACE) == "text"


@pytest.mark.usefixtures("sealed")
def test_to_seal_anew_makes_no_key_either(services: Services, other: ServerConfig) -> None:
    world, box = services.world, open_secret_box(other, services.world.random_bytes)

    with pytest.raises(SecretKeyMissingError, match="no key for credentials"):
        Resealing(services.database, world.now, box, Secrets(box, world.now)).reseal()

    assert not other.secret_key_path.exists()


def test_to_seal_anew_where_nothing_is_sealed_makes_no_key(services: Services, other: ServerConfig) -> None:
    world, box = services.world, open_secret_box(other, services.world.random_bytes)

    done = Resealing(services.database, world.now, box, Secrets(box, world.now)).reseal()

    assert (done.key, done.unreadable) == ("", [])
    assert not other.secret_key_path.exists()


@pytest.mark.usefixtures("sealed")
def test_a_file_of_keys_that_is_named_and_missing_is_what_is_told(services: Services, other: ServerConfig) -> None:
    config = ServerConfig(data=other.data, secret_key_file=other.data / "keys")

    with pytest.raises(ConfigInvalidError, match="/keys cannot be used: there is no such file"):
        seal(services, secrets_of(services, config))
