"""Return states into folded returns, and the movements of what was newly graded."""

from collections.abc import Sequence

from services.orders.domain.returning import Growth, Return, growth_of, join_returns
from services.orders.repository import returns
from services.orders.repository.returns import Posting, ReturnRow
from shared.contracts.accounts import Bucket, MovementType
from shared.contracts.movements import StockMovement
from shared.contracts.references import AccountRef, Document, OrderLineRef, Reason
from shared.postgres.connecting import Connection

DOCUMENT = "return"


async def fold_returns(connection: Connection, told: Sequence[Return]) -> int:
    """Fold the states one by one; returns how many movements they made.

    State by state, so that the same messages read again in batches of another size make the same
    movements: same quantities, same moments, same identities.
    """
    if not told:
        return 0
    rows = await returns.lock(connection, sorted({one.return_id for one in told}))
    postings: list[Posting] = []
    for one in told:
        held = rows[one.return_id]
        folded = one if held.folded is None else join_returns(held.folded, one)
        grown = growth_of(folded, held.posted)
        posted = {**held.posted, **{f"{g.key}/{g.bucket}": g.total for g in grown}}
        rows[one.return_id] = ReturnRow(folded=folded, posted=posted)
        postings += [_posting(folded, growth, one) for growth in grown]
    await returns.save(connection, rows)
    await returns.post(connection, postings)
    return len(postings)


def _posting(folded: Return, growth: Growth, told: Return) -> Posting:
    movement = movement_of(folded, growth, told)
    return Posting(
        return_id=folded.return_id, document_line=growth.document_line, value=movement.encode()
    )


def movement_of(folded: Return, growth: Growth, told: Return) -> StockMovement:
    """Units from the customer into the bucket that they were graded for, at `told`'s moment."""
    assert folded.location is not None, "nothing grows where no location is told"
    line, order_line = growth.line, None
    if folded.order_id is not None and line.line_id is not None:
        order_line = OrderLineRef(order_id=folded.order_id, line_id=line.line_id)
    return StockMovement(
        type=MovementType.RETURN, sku=line.sku, location=folded.location,
        quantity=growth.quantity, occurred_at=told.told_at,
        from_=AccountRef(location=folded.location, bucket=Bucket.CUSTOMER),
        to=AccountRef(location=folded.location, bucket=Bucket(growth.bucket)),
        document=Document(kind=DOCUMENT, number=folded.return_id, line=growth.document_line),
        order_line=order_line, channel=folded.channel,
        reason=Reason(code=line.reason) if line.reason is not None else None,
    )  # fmt: skip
