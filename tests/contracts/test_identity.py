"""Event ids: fixed for ever, whole-second, and never shared by two facts."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.identity import derived_id, event_id

SECONDS = 1_772_442_900


@pytest.mark.parametrize(
    ("source", "ce_id", "document", "expected"),
    [
        pytest.param(
            "urn:till:1",
            "m-1",
            None,
            "019cadd456207bd58fede228cdb0bac3",
            id="a_message",
        ),
        pytest.param(
            "urn:till:1",
            "m-1",
            ("ticket", "77", "1"),
            "019cadd456207ca2b7bc9058f1d50eb3",
            id="a_document",
        ),
        pytest.param(
            "urn:till:1",
            "m-1",
            ("ticket", "77", None),
            "019cadd456207473ba980e2a40bbbda8",
            id="a_document_as_a_whole",
        ),
        pytest.param(
            "urn:caisse:é",
            "ö",
            ("bon", "№1", ""),
            "019cadd456207efe90bd080337bae179",
            id="text_beyond_ascii",
        ),
    ],
)
def test_an_id_never_drifts(
    source: str, ce_id: str, document: tuple[str, str, str | None] | None, expected: str
) -> None:
    assert event_id(source, ce_id, SECONDS, document).hex() == expected


def test_a_derived_id_never_drifts_and_knows_order_and_purpose() -> None:
    first, second = bytes(16), bytes(15) + b"\x01"

    derived = derived_id(first, second, "compensation", SECONDS)

    assert derived.hex() == "019cadd4562075e4bff11588f4edb276"
    assert derived != derived_id(second, first, "compensation", SECONDS)
    assert derived != derived_id(first, second, "restatement", SECONDS)


@given(st.integers(0, 2**38), st.text(max_size=40), st.text(max_size=40))
def test_an_id_is_shaped_as_uuid_version_7_with_its_second_in_front(
    seconds: int, source: str, ce_id: str
) -> None:
    found = uuid.UUID(bytes=event_id(source, ce_id, seconds, None))

    assert found.version == 7
    assert found.variant == uuid.RFC_4122
    assert found.int >> 80 == seconds * 1000


@pytest.mark.parametrize("seconds", [-1, 2**48 // 1000])
def test_a_moment_that_does_not_fit_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        event_id("s", "m", seconds, None)


def test_a_document_is_the_same_fact_whatever_message_tells_it() -> None:
    document = ("ticket", "77", "1")

    assert event_id("s", "a", SECONDS, document) == event_id("s", "b", SECONDS, document)


# Few letters and digits that look like lengths: the worst case for telling fields apart.
SHORT = st.text(alphabet="1:-d", max_size=4)
DOCUMENTS = st.none() | st.tuples(SHORT, SHORT, st.none() | SHORT)


@given(st.lists(st.tuples(SHORT, SHORT, DOCUMENTS), min_size=2, max_size=20, unique=True))
def test_no_two_facts_share_an_id(
    facts: list[tuple[str, str, tuple[str, str, str | None] | None]],
) -> None:
    # The message's id is no part of a fact that has a document.
    known = {(source, document or ce_id) for source, ce_id, document in facts}

    ids = {event_id(source, ce_id, SECONDS, document) for source, ce_id, document in facts}

    assert len(ids) == len(known)


@given(st.lists(st.tuples(*[SHORT] * 3), min_size=2, max_size=20, unique=True))
def test_no_line_differs_from_every_line(facts: list[tuple[str, str, str]]) -> None:
    without = {event_id(s, "", SECONDS, (kind, number, None)) for s, kind, number in facts}
    empty = {event_id(s, "", SECONDS, (kind, number, "")) for s, kind, number in facts}
    zero = {event_id(s, "", SECONDS, (kind, number, "0")) for s, kind, number in facts}

    assert len(without | empty | zero) == 3 * len(facts)
