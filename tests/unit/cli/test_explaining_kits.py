"""`stock explain` of a kit: which part binds where, now and at a past moment."""

from typing import Any

import pytest

from services.cli.commands import stock
from services.cli.exits import CommandError, Exit

Asked = list[tuple[str, str, object]]


def a_part(sku: str, quantity: int, **enough_for: int) -> dict[str, Any]:
    place = {"free": 4, "buffer": 0, "hindrance": None, "offered": 4, "spare": 4}
    locations = {name: place | {"enough_for": kits} for name, kits in enough_for.items()}
    return {"sku": sku, "quantity": quantity, "locations": locations}


OFFER: dict[str, Any] = {
    "kit": [{"sku": "LAMP", "quantity": 2}, {"sku": "BULB", "quantity": 1}],
    "channels": {
        "web": {
            "available_to_sell": 3, "terms": {"pool": 3}, "policies": {}, "locations": {},
            "parts": [a_part("LAMP", 2, L1=2, L2=7), a_part("BULB", 1, L1=9, L2=1)],
        }
    },
}  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the command asks; the ledger has no level of the kit, and one of each part."""
    found: Asked = []

    def ask(_: object, service: str, path: str, *, body: object = None, **_rest: object) -> Any:
        found.append((service, path, body))
        if service == stock.AVAILABILITY:
            return OFFER
        name = path.rsplit("/", 1)[-1]
        return {"levels": [] if name == "DUO" else [{"sku": name}], "unsourced": 0}

    monkeypatch.setattr(stock, "here", lambda: None)
    monkeypatch.setattr(stock, "ask", ask)
    return found


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("│")[1:-1]]


def test_the_part_that_binds_is_marked_at_each_location(
    asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    status = stock.explain("DUO", None, None, None, as_json=False)

    rows = [cells(line) for line in capsys.readouterr().out.splitlines() if "│" in line]
    binding = {(row[0], row[1]): row[-1] for row in rows if row and row[0] in ("L1", "L2")}
    assert status is Exit.OK
    assert binding == {
        ("L1", "LAMP"): "yes", ("L1", "BULB"): "", ("L2", "LAMP"): "", ("L2", "BULB"): "yes",
    }  # fmt: skip
    assert len(asked) == 2


def test_at_a_past_moment_the_parts_books_are_asked_for_and_told(asked: Asked) -> None:
    stock.explain("DUO", None, None, "2026-06-01T12:00:00+00:00", as_json=False)

    service, _, body = asked[-1]
    assert service == stock.AVAILABILITY
    assert isinstance(body, dict)
    assert body["parts"] == {
        "LAMP": {"levels": [{"sku": "LAMP"}], "unsourced": 0},
        "BULB": {"levels": [{"sku": "BULB"}], "unsourced": 0},
    }


def test_what_is_no_kit_and_has_no_level_is_not_found(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OFFER, "kit", [])

    with pytest.raises(CommandError):
        stock.explain("DUO", None, None, None, as_json=False)
    assert len(asked) == 2
