"""Shopify Admin GraphQL: absolute quantities with compare-and-set, up to 250 a mutation.

A mutation is applied whole or not at all: entries that its errors name get their own outcome, the
others are worth repeating without them.
"""

from services.publication.channels.shopify.connector import Shopify

__all__ = ["Shopify"]
