"""PostgreSQL: connections with every timeout set, migrations, consumer positions of record."""
