"""Of which parts of a hold units go that are taken in its name."""

from services.ledger.domain.handing_over import HeldPart, handed_over

LAMPS = HeldPart("H", 0, "LAMP", 1, 4, "SET", 2)
BULBS = HeldPart("H", 1, "BULB", 2, 2, "SET", 1)


def test_units_of_the_place_they_are_taken_at_go_first() -> None:
    parts = [HeldPart("H", 0, "S", 1, 2), HeldPart("H", 1, "S", 7, 2)]

    assert handed_over(3, "S", 7, parts) == {("H", 1): 2, ("H", 0): 1}


def test_no_more_goes_than_is_held() -> None:
    assert handed_over(5, "S", 1, [HeldPart("H", 0, "S", 1, 2)]) == {("H", 0): 2}


def test_another_sku_takes_nothing() -> None:
    assert handed_over(1, "T", 1, [HeldPart("H", 0, "S", 1, 2)]) == {}


def test_a_kit_goes_as_one_that_was_made_up_and_then_in_parts() -> None:
    made_up = HeldPart("H", 2, "SET", 3, 1)

    assert handed_over(2, "SET", None, [made_up, LAMPS, BULBS]) == {
        ("H", 2): 1, ("H", 0): 2, ("H", 1): 1,
    }  # fmt: skip


def test_a_part_may_go_alone() -> None:
    assert handed_over(1, "LAMP", 1, [LAMPS, BULBS]) == {("H", 0): 1}
