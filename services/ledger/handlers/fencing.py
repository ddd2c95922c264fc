"""Units that a ring-fence's beneficiary takes: in a hold, or as lines of its orders."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.ledger.domain.fences import Fence, Use, Whom, open_to, use
from services.ledger.domain.lines import Line
from services.ledger.domain.requests import Outcome, Reserve
from services.ledger.repository import fences
from services.ledger.repository.fences import Taker
from services.ledger.repository.lines import free_at
from shared.postgres.connecting import Connection


def uses_of(group: Sequence[Reserve], outcomes: Sequence[Outcome]) -> list[tuple[Use, Taker]]:
    """What the group takes of fences, by the part of the hold that each is recorded as."""
    if not any(line.uses for outcome in outcomes for line in outcome.lines):
        return []
    found: list[tuple[Use, Taker]] = []
    for request, outcome in zip(group, outcomes, strict=True):
        number = 0
        for line in outcome.lines:
            parts = {one.level_id: number + at for at, one in enumerate(line.taken)}
            found += [(used, (request.hold_id, parts[used.fence.level_id])) for used in line.uses]
            number += len(line.taken) + (line.refusal is not None)
    return found


async def serve_lines(
    connection: Connection,
    now: datetime,
    lines: dict[int, Line],
    told: Mapping[int, tuple[str, str | None]],
) -> None:
    """Book lines with units of the fences that are theirs; the levels are locked.

    `told` are order and channel of the lines that a command has just told of. What a line takes
    here is reserved no longer and allocated instead: of what is free nothing changes. Nobody counts
    on what is fenced where the goods were looked for in vain.
    """
    levels = {level for number in told for level in lines[number].candidates}
    found = await fences.read_fences(connection, levels)
    if not found:
        return
    suspended = (await free_at(connection, levels)).suspended
    found = [fence for fence in found if fence.level_id not in suspended]
    taken: dict[int, int] = {}
    uses: list[tuple[Use, Taker]] = []
    for number, (order_id, channel) in told.items():
        line = lines[number]
        own = open_to(Whom(channel=channel, order_id=order_id), found, taken, now)
        for used in _uses(line, own, now):
            fence, quantity = used
            taken[fence.key] = taken.get(fence.key, 0) + quantity
            booked = line.booked.get(fence.level_id, 0) + quantity
            line = replace(line, booked={**line.booked, fence.level_id: booked})
            uses.append((used, number))
        lines[number] = line
    await fences.take(connection, now, uses)


def _uses(line: Line, own: Sequence[Fence], now: datetime) -> list[Use]:
    """What the line still lacks, of the fences at its candidates in their order."""
    lacking = line.claimed - sum(line.booked.values()) + line.short
    if line.is_kit or not line.is_due(now) or lacking <= 0:
        return []
    found: list[Use] = []
    for level in line.candidates:
        found += use(own, level, lacking - sum(one.quantity for one in found))
    return found
