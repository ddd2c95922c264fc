"""Shares of one pool: whole per mille, units left by rounding to the largest remainder."""

from collections.abc import Sequence

PERMILLE = 1000


def shares_of(claims: Sequence[tuple[int, int]]) -> list[int]:
    """What each of (quantity, per mille) gets, in the order of the claims.

    The units that rounding down leaves go to the largest remainders, ties to the one named first,
    never beyond the sum of the exact shares: 7 at 500/500 gives 4 and 3, 1 gives 1 and 0, 10 at
    300/300 gives 3 and 3. A claim without a remainder gets none. Quantities are at least 0.
    """
    assert all(quantity >= 0 and 0 <= permille <= PERMILLE for quantity, permille in claims), claims
    exact = [quantity * permille for quantity, permille in claims]
    shares = [part // PERMILLE for part in exact]
    left = sum(exact) // PERMILLE - sum(shares)
    by_remainder = sorted(range(len(exact)), key=lambda i: -(exact[i] % PERMILLE))
    for i in by_remainder[:left]:
        shares[i] += 1
    return shares
