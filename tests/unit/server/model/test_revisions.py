from datetime import UTC, datetime, timedelta

import pytest

from server.model.revisions import Enforcement, Minimum, find_upcoming, minimum_of

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("set_revision", "changed_at", "minimum"),
    [
        (None, None, Minimum(2, NOW)),
        (1, NOW + DAY, Minimum(1, NOW + DAY, is_set=True)),
        # Taken back: who began under the operator's minimum keeps the pin.
        (None, NOW + DAY, Minimum(2, NOW + DAY)),
        (None, NOW - DAY, Minimum(2, NOW)),
    ],
)
def test_r19_an_operators_minimum_stands_for_the_enforced_one(set_revision, changed_at, minimum):
    assert minimum_of(Enforcement(2, NOW), set_revision=set_revision, changed_at=changed_at) == minimum


def test_r19_a_contract_that_is_not_enforced_yet_asks_for_no_revision():
    assert minimum_of(None, set_revision=None, changed_at=None) is None


@pytest.mark.parametrize(
    ("revision", "begun_at", "kept"),
    [(2, NOW + DAY, True), (3, NOW + DAY, True), (1, NOW - DAY, True), (1, NOW, False), (1, NOW + DAY, False)],
)
def test_r19_a_run_keeps_a_pin_that_is_older_than_the_rule(revision, begun_at, kept):
    assert Minimum(2, NOW).keeps(revision, begun_at) is kept


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ([], []),
        ([(8, 1)], [8]),
        ([(8, 1), (9, 2)], [8, 9]),
        # Overtaken: whoever is held to 9 is never held to 8.
        ([(8, 2), (9, 1)], [9]),
        ([(8, 1), (9, 1)], [9]),
        # Already enforced: only the newest of those counts.
        ([(8, -2), (9, -1)], [9]),
        ([(8, -1), (9, 1)], [8, 9]),
        ([(8, 3), (9, 1), (10, 2)], [9, 10]),
        ([(number, number) for number in range(8, 20)], [8, 9, 10, 11, 12]),
    ],
)
def test_r38_a_revision_warns_unless_a_newer_one_is_enforced_no_later(
    dates: list[tuple[int, int]], expected: list[int]
) -> None:
    newer = [Enforcement(revision, NOW + days * DAY) for revision, days in dates]

    assert [item.revision for item in find_upcoming(newer, NOW)] == expected
    assert find_upcoming(reversed(newer), NOW) == find_upcoming(newer, NOW)
