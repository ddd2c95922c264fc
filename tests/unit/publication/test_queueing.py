"""The coalescing queue: the latest per listing, zeros first, one value on its way."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.publication.domain import queueing
from services.publication.domain.queueing import Queue
from services.publication.domain.unheard import Basis, Heard
from services.publication.domain.wanting import Desired, Listing
from tests.unit.publication.builders import a_listing, wanted


def a_queue(*desired: Desired) -> Queue:
    queue = Queue(lambda listing: listing.ids.get("parent", ""))
    for one in desired:
        queue.put(one)
    return queue


def taken(queue: Queue, count: int = 100, now: float = 0.0) -> list[tuple[int, int]]:
    return [(d.listing_id, d.value) for d in queue.take(count, now)]


def test_zeros_then_last_units_fewest_first_then_the_rest_in_turn() -> None:
    queue = a_queue(wanted(1, 50), wanted(2, 3), wanted(3, 1), wanted(4, 40), wanted(5, 0))

    assert taken(queue) == [(5, 0), (3, 1), (2, 3), (1, 50), (4, 40)]


def test_the_latest_version_wins_and_keeps_its_place() -> None:
    queue = a_queue(wanted(1, 50), wanted(2, 60), wanted(1, 70, version=3), wanted(1, 9, version=2))

    assert len(queue) == 2
    assert taken(queue) == [(1, 70), (2, 60)]


def test_a_value_that_falls_to_zero_overtakes() -> None:
    queue = a_queue(wanted(1, 50), wanted(2, 60), wanted(2, 0, version=2))

    assert taken(queue, 1) == [(2, 0)]


def test_a_value_that_comes_back_to_what_is_shown_needs_no_call() -> None:
    queue = a_queue(wanted(1, 50, shown=10))
    back = wanted(1, 10, version=2, shown=10)

    assert queue.put(back) == back
    assert taken(queue) == []


def test_a_listing_on_its_way_is_not_taken_twice() -> None:
    queue = a_queue(wanted(1, 50))
    queue.take(1, 0.0)

    queue.put(wanted(1, 40, version=2))
    queue.put(wanted(1, 30, version=3))
    queue.put(wanted(1, 40, version=2))

    assert taken(queue) == []
    assert queue.is_busy(1)
    assert queue.busy == 1
    assert queue.release(1, shown=50) is None
    assert taken(queue) == [(1, 30)]


def test_an_old_read_during_a_call_does_not_come_back_after_it() -> None:
    queue = a_queue(wanted(1, 50, version=5))
    queue.take(1, 0.0)

    queue.put(wanted(1, 40, version=4))
    queue.put(wanted(1, 50, version=5, is_resync=True))

    assert queue.release(1, shown=50) is None
    assert taken(queue) == []


def test_what_is_heard_during_a_call_is_no_old_read() -> None:
    before = wanted(1, 50, heard=Heard(2, 0))
    queue = a_queue(before)
    queue.take(1, 0.0)

    queue.put(wanted(1, 50, heard=Heard(3, 0)))
    queue.put(wanted(1, 50, heard=Heard(2, 0)))
    queue.release(1, 50, Basis(shown=50, heard=Heard(2, 0)))

    (again,) = queue.take(1, 0.0)
    assert (again.heard, again.expected, again.value) == (Heard(3, 0), 49, 50)


def test_what_is_forgotten_is_neither_queued_nor_kept_back() -> None:
    queue = a_queue(wanted(1, 50), wanted(2, 60))
    (sent,) = queue.take(1, 0.0)
    queue.retry(sent, until=5.0)

    queue.forget(1)
    queue.forget(2)

    assert len(queue) == 0
    assert taken(queue, now=9.0) == []


def test_what_waited_and_is_shown_now_is_satisfied() -> None:
    queue = a_queue(wanted(1, 50))
    queue.take(1, 0.0)
    again = wanted(1, 50, version=2)
    queue.put(again)

    satisfied = queue.release(1, shown=50)

    assert satisfied is not None
    assert satisfied.version == 2
    assert taken(queue) == []


def test_a_retry_waits_for_its_moment() -> None:
    queue = a_queue(wanted(1, 50))
    (sent,) = queue.take(1, 0.0)

    assert queue.retry(sent, until=5.0) is None

    assert 1 in queue
    assert queue.next_at() == 5.0
    assert taken(queue, now=4.9) == []
    assert taken(queue, now=5.0) == [(1, 50)]


def test_a_newer_version_does_not_wait_for_the_older_ones_retry() -> None:
    queue = a_queue(wanted(1, 50))
    (sent,) = queue.take(1, 0.0)
    queue.retry(sent, until=5.0)

    queue.put(wanted(1, 40, version=2))

    assert taken(queue, now=0.0) == [(1, 40)]
    assert queue.next_at() is None


def test_a_retry_sends_what_came_meanwhile_instead() -> None:
    queue = a_queue(wanted(1, 50))
    (sent,) = queue.take(1, 0.0)
    queue.put(wanted(1, 40, version=2))

    assert queue.retry(sent, until=1.0) is None

    assert taken(queue, now=1.0) == [(1, 40)]


def test_a_retry_is_dropped_when_what_came_meanwhile_is_shown() -> None:
    queue = a_queue(wanted(1, 50, shown=40))
    (sent,) = queue.take(1, 0.0)
    queue.put(wanted(1, 40, version=2, shown=40))

    satisfied = queue.retry(sent, until=1.0)

    assert satisfied is not None
    assert satisfied.version == 2
    assert len(queue) == 0


def test_only_one_group_shares_a_call_and_the_most_urgent_goes_first() -> None:
    def of(parent: str, listing_id: int, value: int) -> Desired:
        listing: Listing = a_listing(listing_id, ids={"parent": parent})
        return wanted(listing_id, value, listing=listing)

    queue = a_queue(of("a", 1, 50), of("b", 2, 60), of("a", 3, 70), of("b", 4, 0))

    assert taken(queue) == [(4, 0), (2, 60)]
    assert taken(queue) == [(1, 50), (3, 70)]
    assert taken(queue) == []


def test_a_seized_listing_can_be_dropped_with_what_waited() -> None:
    queue = a_queue()
    queue.seize(wanted(1, 5))
    newer = wanted(1, 4, version=2)
    queue.put(newer)

    assert queue.drop(1) == newer
    assert not queue.is_busy(1)


def test_a_resync_survives_a_newer_version() -> None:
    queue = a_queue(wanted(1, 10, shown=10, is_resync=True), wanted(1, 10, version=2, shown=10))

    (sent,) = queue.take(1, 0.0)

    assert (sent.version, sent.is_resync) == (2, True)


def test_a_channel_that_is_away_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing, "OUTDATED_MAX", 16)
    queue = a_queue()
    rng = random.Random(5)

    for version in range(1, 2_000):
        queue.put(wanted(rng.randint(1, 5), rng.randint(0, 9), version=version))

    assert len(queue._order) <= 16 + 2 * 5
    values = [value for _, value in taken(queue)]
    assert len(values) == 5
    assert values == sorted(values, key=lambda v: (v > 0, v > 3, v if v <= 3 else 0))


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 6)), max_size=60), st.randoms())
def test_every_listing_ends_with_its_latest_value(
    changes: list[tuple[int, int]], rng: random.Random
) -> None:
    queue, shown, latest = a_queue(), dict.fromkeys(range(1, 5), 99), {}
    flying: list[Desired] = []
    for version, (listing_id, value) in enumerate(changes, start=1):
        latest[listing_id] = value
        queue.put(wanted(listing_id, value, version=version, shown=shown[listing_id]))
        if flying and rng.random() < 0.5:
            done = flying.pop(rng.randrange(len(flying)))
            shown[done.listing_id] = done.value
            queue.release(done.listing_id, done.value)
        if rng.random() < 0.5:
            flying += queue.take(rng.randint(1, 3), 0.0)

    while flying or len(queue):
        for done in flying:
            shown[done.listing_id] = done.value
            queue.release(done.listing_id, done.value)
        flying = queue.take(3, 0.0)

    assert {listing_id: shown[listing_id] for listing_id in latest} == latest
