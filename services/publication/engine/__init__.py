"""The engine: a lane per channel that takes from its queue, opens attempts, calls, and closes."""

from services.publication.engine.engine import Engine, Plan
from services.publication.engine.lane import Lane
from services.publication.engine.owning import LaneOptions, Owning

__all__ = ["Engine", "Lane", "LaneOptions", "Owning", "Plan"]
