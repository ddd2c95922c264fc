"""Which SKU is this code, and how many units, on this channel, at this date?"""

from datetime import UTC, datetime

import pytest

from services.catalog.domain.codes import (
    Ambiguous,
    Answer,
    CodeKind,
    CodeRecord,
    Question,
    Unknown,
    answer,
)

MARCH, APRIL, MAY, JUNE = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4, 5, 6))


def an_identifier(record_id: str = "i1", **overrides: object) -> CodeRecord:
    """GTIN 400 stands for one S1, always."""
    told: dict[str, object] = {
        "kind": CodeKind.IDENTIFIER, "scheme": "gtin", "issuer": None, "code": "400", "sku": "S1",
        "units": 1,
    }  # fmt: skip
    return CodeRecord(record_id=record_id, **(told | overrides))  # type: ignore[arg-type]  # a builder's overrides


def a_listing(record_id: str = "l1", **overrides: object) -> CodeRecord:
    """The channel web lists 400: two S2 a unit."""
    told: dict[str, object] = {
        "kind": CodeKind.LISTING, "scheme": "channel", "issuer": "web", "code": "400",
        "sku": "S2", "units": 2, "fulfilled_by": "us",
    }  # fmt: skip
    return CodeRecord(record_id=record_id, **(told | overrides))  # type: ignore[arg-type]  # a builder's overrides


def ask(scheme: str = "gtin", *, channel: str | None = None, issuer: str | None = None) -> Question:
    return Question(scheme=scheme, code="400", at=APRIL, channel=channel, issuer=issuer)


@pytest.mark.parametrize(
    ("question", "records", "sku", "units"),
    [
        pytest.param(ask(), [an_identifier()], "S1", 1, id="an_identifier_answers"),
        pytest.param(
            ask(channel="web"), [an_identifier(), a_listing()], "S2", 2,
            id="the_channels_own_listing_comes_first",
        ),
        pytest.param(
            ask(), [an_identifier(), a_listing()], "S1", 1,
            id="without_a_channel_no_listing_speaks",
        ),
        pytest.param(
            ask(channel="web"), [an_identifier(), a_listing(issuer="amazon")], "S1", 1,
            id="another_channels_listing_is_not_ours",
        ),
        pytest.param(
            ask(channel="web"), [an_identifier(), a_listing(ends=MARCH)], "S1", 1,
            id="a_listing_that_has_ended_gives_way",
        ),
        pytest.param(
            ask(), [an_identifier(scheme="supplier"), an_identifier("i2", sku="S9")], "S9", 1,
            id="another_scheme_is_another_code",
        ),
        pytest.param(
            ask("any"), [an_identifier(scheme="supplier", units=12)], "S1", 12,
            id="any_scheme_may_be_asked_for",
        ),
        pytest.param(
            ask("supplier", issuer="acme"),
            [an_identifier(scheme="supplier", issuer="acme"),
             an_identifier("i2", scheme="supplier", issuer="other", sku="S9")], "S1", 1,
            id="an_issuer_narrows_the_question",
        ),
        pytest.param(
            ask("channel", channel="web"),
            [an_identifier(scheme="channel", issuer="web"),
             an_identifier("i2", scheme="channel", issuer="amazon", sku="S9")], "S1", 1,
            id="a_channels_code_is_no_other_channels",
        ),
        pytest.param(
            ask(), [an_identifier(ends=APRIL), an_identifier("i2", sku="S9", begins=APRIL)],
            "S9", 1, id="a_code_moves_at_the_first_moment_of_the_later_record",
        ),
        pytest.param(
            ask(), [an_identifier(), an_identifier("i2", begins=MARCH)], "S1", 1,
            id="two_records_that_say_the_same_are_one_answer",
        ),
    ],
)  # fmt: skip
def test_a_code_has_one_answer(
    question: Question, records: list[CodeRecord], sku: str, units: int
) -> None:
    found = answer(question, records)

    assert isinstance(found, Answer), found
    assert (found.sku, found.units) == (sku, units)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(an_identifier("i2", sku="S9"), id="another_sku"),
        pytest.param(an_identifier("i2", units=6), id="another_number_of_units"),
    ],
)
def test_two_records_that_differ_are_refused_with_both(other: CodeRecord) -> None:
    found = answer(ask(), [other, an_identifier()])

    assert found == Ambiguous(records=(an_identifier(), other))


def test_an_unknown_code_names_the_nearest_dates() -> None:
    long_ago = an_identifier("i0", ends=datetime(2020, 1, 1, tzinfo=UTC))
    ended, begins = an_identifier("i1", ends=MARCH), an_identifier("i2", begins=MAY)
    later = an_identifier("i3", begins=JUNE)

    found = [
        answer(ask(), order)
        for order in ([later, long_ago, begins, ended], [begins, ended, later, long_ago])
    ]

    assert found == [Unknown(ended=ended, begins=begins)] * 2


def test_a_code_that_nobody_told_of_has_no_dates() -> None:
    found = answer(ask(), [an_identifier(code="401")])

    assert found == Unknown(ended=None, begins=None)
