"""Every message of Stocktide: one definition for HTTP, Kafka and the documentation."""
