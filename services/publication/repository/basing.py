"""What a compare-and-set rests on, as JSON of `published`; and what has been unheard for long."""

from collections.abc import Mapping
from dataclasses import asdict

from pydantic_core import from_json, to_json

from services.publication.domain.unheard import UNKNOWN, Basis, Heard
from shared.postgres.connecting import Connection

# Nothing of a channel that does not compare has a moment here: the index stays empty for it.
UNHEARD = """
select p.listing_id
from publication.published p join publication.listings l using (listing_id)
where (p.basis ->> 'since')::float8 <= $2 and p.basis ->> 'since' is not null and l.channel = $1
order by p.listing_id limit $3
"""
REBASE = """
with held as materialized (
    select channel from publication.leases where channel = $1 and epoch = $2 for share)
update publication.published p set basis = i.basis::jsonb
from held, unnest($3::integer[], $4::text[]) as i(listing_id, basis)
where p.listing_id = i.listing_id
"""


def basis_text(basis: Basis) -> str | None:
    """A basis as it is stored; None leaves what is stored.

    Of a channel that cannot compare there is nothing to store before a listing's first sale.
    """
    if basis.shown is None or (basis.is_blind and basis.held is None and not any(basis.heard)):
        return None
    return to_json(asdict(basis)).decode()


def basis_of(text: str | None) -> Basis:
    """A stored basis."""
    if text is None:
        return UNKNOWN
    fields = from_json(text)
    return Basis(**fields | {"heard": Heard(*fields["heard"])})


async def unheard_since(
    connection: Connection, channel: str, before: float, limit: int
) -> list[int]:
    """Listings of which something has been unheard since `before` (seconds since 1970)."""
    rows = await connection.fetch(UNHEARD, channel, before, limit)
    return [row["listing_id"] for row in rows]


async def rebase(
    connection: Connection, channel: str, epoch: int, bases: Mapping[int, Basis]
) -> None:
    """Keep new bases of listings of a channel that is still ours under this epoch."""
    texts = [basis_text(basis) for basis in bases.values()]
    await connection.execute(REBASE, channel, epoch, list(bases), texts)
