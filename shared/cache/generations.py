"""The mark of a view in Redis: which generation is whole, made for which server, and how old it is.

The mark is one hash. A wiped server has no mark; a restarted one, or a replica that took over, has
another `run_id` than its mark. In both cases everything it holds is unknown until the writer has
begun a new generation.
"""

from dataclasses import dataclass

from redis.asyncio import Redis

BEGIN = """
local held = redis.call('HGET', KEYS[1], 'generation')
if held and tonumber(held) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'made_for', ARGV[2])
return 1
"""
# A beat must not make the mark anew: it would hide a wipe.
BEAT = """
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return 0 end
if redis.call('HGET', KEYS[1], 'made_for') ~= ARGV[2] then return 0 end
local held = redis.call('HGET', KEYS[1], 'as_of')
if not held or tonumber(held) < tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], 'as_of', ARGV[3])
end
return 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What Redis says of the view it holds; `as_of_ms` is 0 before the first beat."""

    generation: int
    made_for: str
    as_of_ms: int


class GenerationMark:
    """Reads and writes the mark. Every method raises RedisError when Redis is away."""

    def __init__(self, redis: Redis, *, name: str) -> None:
        self.name = name
        self._redis = redis
        self._begin = redis.register_script(BEGIN)
        self._beat = redis.register_script(BEAT)

    async def read(self) -> Mark | None:
        """The mark, or None on a server that is empty or was wiped."""
        generation, made_for, as_of_ms = await self._redis.hmget(
            self.name, ["generation", "made_for", "as_of"]
        )
        if not isinstance(generation, bytes) or not isinstance(made_for, bytes):
            return None
        return Mark(
            generation=int(generation), made_for=made_for.decode(), as_of_ms=int(as_of_ms or 0)
        )

    async def begin(self, generation: int, made_for: str) -> bool:
        """Mark a new generation; False when a later one is there already."""
        return bool(await self._begin(keys=[self.name], args=[generation, made_for]))

    async def beat(self, generation: int, made_for: str, as_of_ms: int) -> bool:
        """Say that the view holds all that was known at `as_of_ms`; False when the mark is gone or
        another generation's. A beat never moves back.
        """
        return bool(await self._beat(keys=[self.name], args=[generation, made_for, as_of_ms]))
