"""All SQL of publication: figures folded, attempts opened and closed, leases, resyncs, reading."""

from services.publication.repository.store import Store, Transaction

__all__ = ["Store", "Transaction"]
