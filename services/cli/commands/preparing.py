"""`migrate` and `topics`: what a database and a broker need before services start."""

import asyncio

from services.cli.console import print_json, print_table, say
from services.cli.exits import Exit
from services.cli.migrating import migrate_all
from services.cli.state import running_stack
from services.cli.texts import tr
from services.cli.topics import create_topics
from shared.contracts.topics import TOPICS
from shared.runtime.settings import StackSettings


def apply_migrations() -> Exit:
    """On the given database, else on that of the running stack."""
    settings = StackSettings()
    dsn = (
        settings.postgres.get_secret_value()
        if settings.postgres
        else running_stack(settings.data.absolute()).addresses.postgres
    )
    for schema, names in asyncio.run(migrate_all(dsn)).items():
        say(f"{schema}: {', '.join(names) if names else tr('up to date')}")
    return Exit.OK


def apply_topics(*, as_json: bool) -> Exit:
    """On the given broker, else on that of the running stack."""
    settings = StackSettings()
    servers = settings.kafka or running_stack(settings.data.absolute()).addresses.kafka
    created = asyncio.run(create_topics(servers))
    rows = [
        {
            "topic": topic.name,
            "partitions": topic.partitions,
            "key": topic.key_rule,
            "keeps": topic.configuration(),
            "created_now": topic.name in created,
        }
        for topic in TOPICS
    ]
    if as_json:
        print_json(rows)
    else:
        words = {True: tr("created"), False: tr("was there")}
        print_table(
            tr("topics"),
            ("topic", "partitions", "key", "cleanup", ""),
            [
                (t.name, t.partitions, t.key_rule, t.configuration()["cleanup.policy"],
                 words[t.name in created])
                for t in TOPICS
            ],
        )  # fmt: skip
    return Exit.OK
