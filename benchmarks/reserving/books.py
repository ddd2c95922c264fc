"""What must hold of levels and holds when a run has ended, asked with SQL of our own."""

from collections.abc import Mapping

from benchmarks.invariants import Invariant
from shared.postgres.connecting import Connection

OVERSOLD = """
select count(*) as levels, coalesce(sum(greatest(0, reserved + allocated - sellable)), 0)::bigint
    as units
from ledger.levels
"""
MISCOUNTED = """
select count(*) as checked, count(*) filter (where l.reserved <> coalesce(h.units, 0)) as violations
from ledger.levels l
left join (select level_id, sum(quantity) as units from ledger.holds
           where settled_at is null group by level_id) h using (level_id)
"""
TWICE = """
select count(*) as checked, count(*) filter (where parts > 1) as violations
from (select count(*) as parts from ledger.holds group by hold_id) x
"""
HELD = """
select count(*) from ledger.holds
where hold_id like $1 || '-%' and outcome is distinct from 'refused'
"""


async def oversold(connection: Connection) -> tuple[int, Invariant]:
    """Units that are held and not there, over all levels."""
    row = await connection.fetchrow(OVERSOLD)
    assert row is not None, "an aggregate gives a row"
    units: int = row["units"]
    return units, Invariant(name="no unit oversold", checked=row["levels"], violations=units)


async def counted(connection: Connection) -> list[Invariant]:
    """Each level's counter is what is open there; a hold of one unit has one part."""
    found = []
    for name, query in (("reserved = Σ open holds", MISCOUNTED), ("a hold is held once", TWICE)):
        row = await connection.fetchrow(query)
        assert row is not None, "an aggregate gives a row"
        found.append(Invariant(name=name, checked=row["checked"], violations=row["violations"]))
    return found


async def answered(connection: Connection, runs: Mapping[str, tuple[int, int]]) -> Invariant:
    """Every accepted answer is a hold in the books, and no more but what a run hung up on.

    `runs` gives each run's accepted answers, and how many requests it may have left unheard.
    """
    checked = violations = 0
    for name, (accepted, unheard) in runs.items():
        held = await connection.fetchval(HELD, name)
        checked += accepted
        violations += max(0, accepted - held) + max(0, held - accepted - unheard)
    return Invariant(name="accepted = held", checked=checked, violations=violations)
