from __future__ import annotations

from contextlib import ExitStack

import pytest

from chainloop_ci.api.access import Role
from server.errors import UploadsBusyError
from server.model.principal import Principal
from server.services.body_places import BodyPlaces


def principal(token: str, organization: str = "acme") -> Principal:
    return Principal(token, token, Role.ATTEST, organization, organization)


def test_t30_one_token_leaves_places_to_others_of_its_organization_and_these_to_other_organizations() -> None:
    places = BodyPlaces(8)

    with ExitStack() as held:
        for _ in range(6):
            held.enter_context(places.hold(principal("greedy")))
        with pytest.raises(UploadsBusyError):
            held.enter_context(places.hold(principal("greedy")))
        held.enter_context(places.hold(principal("second")))
        with pytest.raises(UploadsBusyError):
            held.enter_context(places.hold(principal("third")))
        held.enter_context(places.hold(principal("stranger", "rival")))
        with pytest.raises(UploadsBusyError):
            held.enter_context(places.hold(principal("stranger", "another")))


def test_a_place_is_free_again_when_the_body_has_come_or_broken_off() -> None:
    places = BodyPlaces(1)

    with pytest.raises(ConnectionResetError), places.hold(principal("a")):
        raise ConnectionResetError
    with places.hold(principal("b")):
        pass

    with places.hold(principal("c", "rival")):
        assert True


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_there_is_a_place_for_everybody_however_few_threads_there_are(threads: int) -> None:
    with BodyPlaces(threads).hold(principal("a")):
        assert True


def test_t30_nothing_is_kept_of_tokens_that_have_sent_their_bodies() -> None:
    places = BodyPlaces(8)

    for number in range(100):
        with places.hold(principal(f"token-{number}", f"organization-{number}")):
            pass

    assert not places._taken
