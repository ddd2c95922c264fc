"""What publication does with a batch: figures and records folded, own orders heard."""

from services.publication.handlers.folding import PublicationHandler
from services.publication.handlers.hearing import HearingHandler
from services.publication.handlers.replaying import Replaying

__all__ = ["HearingHandler", "PublicationHandler", "Replaying"]
