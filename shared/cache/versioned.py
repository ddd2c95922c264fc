"""Values with a generation and a version in Redis: written whole, only forward, by compare-and-set.

A value is 16 bytes, the generation and the version as big-endian integers, and then its payload.
Both are microseconds since 1970 at least, and stay below 2^53, which Lua's numbers keep exact.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from redis.asyncio import Redis

HEADER = struct.Struct(">QQ")

PUT = """
local answers = {}
for i = 1, #KEYS do
  local outcome = 1
  local old = redis.call('GETRANGE', KEYS[i], 0, 15)
  if #old == 16 then
    local old_generation, old_version = struct.unpack('>I8I8', old)
    local generation, version = struct.unpack('>I8I8', ARGV[i])
    if generation < old_generation then
      outcome = -1
    elseif generation == old_generation and version <= old_version then
      outcome = 0
    end
  end
  if outcome == 1 then redis.call('SET', KEYS[i], ARGV[i]) end
  answers[i] = outcome
end
return answers
"""


class Outcome(IntEnum):
    """What became of a write."""

    BEHIND = -1
    """The key holds a newer generation: the writer must learn of it and write again."""
    OLDER = 0
    """The key holds this version or a higher one already."""
    WRITTEN = 1


@dataclass(frozen=True, slots=True)
class Versioned:
    """One value as stored."""

    generation: int
    version: int
    payload: bytes


class VersionedStrings:
    """One string per key under a prefix, the key in a hash tag.

    `keys_per_call` keys go in one call. Against Redis Cluster it must be 1: a script's keys have
    to share a slot, and these don't.
    """

    def __init__(self, redis: Redis, *, prefix: str, keys_per_call: int = 128) -> None:
        self._redis = redis
        self._prefix = prefix
        self._keys_per_call = keys_per_call
        self._put = redis.register_script(PUT)

    async def get(self, key: str) -> Versioned | None:
        """The key's value, or None where there is none. Raises RedisError."""
        return _read(await self._redis.get(self._name(key)))

    async def get_many(self, keys: Sequence[str]) -> list[Versioned | None]:
        """The values in the order of the keys. Raises RedisError."""
        found: list[Versioned | None] = []
        for start in range(0, len(keys), self._keys_per_call):
            part = keys[start : start + self._keys_per_call]
            found += map(_read, await self._redis.mget([self._name(key) for key in part]))
        return found

    async def get_many_under(
        self, keys: Sequence[str], mark_name: str
    ) -> tuple[list[Versioned | None], int | None]:
        """The values, and the generation that the mark names once they are read, in one round trip.

        A mark that is still there was there before: no wipe can hide between the two. Raises
        RedisError.
        """
        async with self._redis.pipeline(transaction=False) as pipeline:
            for start in range(0, len(keys), self._keys_per_call):
                part = keys[start : start + self._keys_per_call]
                pipeline.mget([self._name(key) for key in part])
            pipeline.hget(mark_name, "generation")
            *parts, generation = await pipeline.execute()
        found = [_read(value) for values in parts for value in values]
        return found, None if generation is None else int(generation)

    async def put_many(
        self, generation: int, entries: Sequence[tuple[str, int, bytes]]
    ) -> list[Outcome]:
        """Write (key, version, payload) where that is news; one outcome each. Raises RedisError."""
        outcomes: list[Outcome] = []
        for start in range(0, len(entries), self._keys_per_call):
            part = entries[start : start + self._keys_per_call]
            answers = await self._put(
                keys=[self._name(key) for key, _, _ in part],
                args=[HEADER.pack(generation, version) + payload for _, version, payload in part],
            )
            outcomes += map(Outcome, answers)
        return outcomes

    def _name(self, key: str) -> str:
        return f"{self._prefix}{{{key}}}"


def _read(value: bytes | str | None) -> Versioned | None:
    if not isinstance(value, bytes) or len(value) < HEADER.size:
        return None
    generation, version = HEADER.unpack_from(value)
    return Versioned(generation, version, value[HEADER.size :])
