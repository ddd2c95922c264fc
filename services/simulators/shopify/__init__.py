"""A simulated Shopify shop: Admin GraphQL, a store-front for buyers, signed webhooks, a control."""

from services.simulators.shopify.simulator import SECRET, TOKEN, ShopifySimulator

__all__ = ["SECRET", "TOKEN", "ShopifySimulator"]
