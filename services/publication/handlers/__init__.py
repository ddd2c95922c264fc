"""What publication does with a batch: figures and records folded, own orders heard."""

from services.publication.handlers.folding import PublicationHandler
from services.publication.handlers.hearing import HearingHandler

__all__ = ["HearingHandler", "PublicationHandler"]
