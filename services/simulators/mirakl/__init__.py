"""A simulated Mirakl marketplace: stock imports and orders for one shop, a store-front for buyers.

Source: Mirakl's public OpenAPI of the seller's interface (STO01–03, OF21, OR11, OR21, OR24, OR28,
OR29). What that leaves open is marked (unverified) where it is decided.
"""

from services.simulators.mirakl.simulator import KEY, SHOP_ID, MiraklSimulator

__all__ = ["KEY", "SHOP_ID", "MiraklSimulator"]
