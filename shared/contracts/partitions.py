"""Which partition a key falls on: murmur2 as in Kafka's own clients, so that all producers agree.

Source: `org.apache.kafka.common.utils.Utils.murmur2` and the default partitioner's
`toPositive(murmur2(key)) % partitions`.
"""

from functools import lru_cache
from typing import Final

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_32_BITS: Final = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """The 32-bit hash, unsigned."""
    length = len(key)
    whole = length & ~3
    h = _SEED ^ length
    for start in range(0, whole, 4):
        k = int.from_bytes(key[start : start + 4], "little") * _M & _32_BITS
        k = (k ^ k >> 24) * _M & _32_BITS
        h = (h * _M & _32_BITS) ^ k
    if length > whole:
        h = (h ^ int.from_bytes(key[whole:], "little")) * _M & _32_BITS
    h = (h ^ h >> 13) * _M & _32_BITS
    return h ^ h >> 15


# A SKU's partition is asked for at every change of its level: hot keys are remembered.
@lru_cache(maxsize=65_536)
def partition_for(key: bytes, count: int) -> int:
    """The partition, 0 ≤ p < `count`, of a partition key."""
    assert count > 0, count
    return (murmur2(key) & 0x7FFFFFFF) % count
