"""The `stocktide` command: its groups, and how a failure becomes a sentence and a status.

Only what `--help` needs is imported here; a command imports what it runs.
"""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from services.cli.count_command import count
from services.cli.exits import CommandError, Exit
from services.cli.hold_command import holds
from services.cli.import_command import import_
from services.cli.options import AsJson, end
from services.cli.stock_command import stock
from services.cli.texts import speak

EPILOG = (
    "Exit status: 0 done · 1 it did not work, or an invariant of the demo does not hold · "
    "2 wrong usage or a wrong file · 3 no stack runs · 4 refused: data that is not ours to touch · "
    "5 Kafka, PostgreSQL or Redis cannot be had · 6 not found · 130 interrupted"
)

app = typer.Typer(
    name="stocktide",
    help="One stock, every channel, right now.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
parked = typer.Typer(no_args_is_help=True, help="Messages that could not be applied.")
observations = typer.Typer(no_args_is_help=True, help="What observing systems told.")
event = typer.Typer(no_args_is_help=True, help="Tell what happened.")
view = typer.Typer(no_args_is_help=True, help="The fast view of availability.")
config = typer.Typer(no_args_is_help=True, help="Settings as they are in force.")
for name, group in (
    ("stock", stock), ("count", count), ("holds", holds), ("parked", parked),
    ("observations", observations), ("event", event), ("view", view), ("config", config),
):  # fmt: skip
    app.add_typer(group, name=name)
app.command("import")(import_)


class ObservationState(StrEnum):
    """What may be asked for."""

    WAITING = "waiting"
    UNMATCHED = "unmatched"
    DIFFERING = "differing"
    MATCHED = "matched"
    WITHDRAWN = "withdrawn"


Confirmed = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Database = Annotated[
    str | None,
    typer.Option(help="Name of the database to use up, when the servers are not ours."),
]


class Language(StrEnum):
    """What people may be spoken to in."""

    EN = "en"
    FR = "fr"


@app.callback()
def common(
    *,
    lang: Annotated[
        Language | None,
        typer.Option(
            help="What is said in English or French; else STOCKTIDE_LANGUAGE, else the locale."
        ),
    ] = None,
) -> None:
    """One stock, every channel, right now."""
    if lang is not None:
        speak(lang.value)


@app.command()
def demo(
    *,
    duration: Annotated[
        str | None,
        typer.Option("--for", help="End this long after the first sale: 60s, 5m.", metavar="TIME"),
    ] = None,
    report: Annotated[
        str | None, typer.Option(help="Write the figures as JSON to FILE.", metavar="FILE")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Go on with the last run's data.")] = False,
    source: Annotated[
        tuple[str, str] | None,
        typer.Option(
            help="Replay a file instead: its kind, online-retail, and its path (CSV, gz, xlsx).",
            metavar="KIND FILE",
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(help="How many times faster than it happened: 40000; 20000 for a file."),
    ] = None,
    database: Database = None,
) -> None:
    """Replay a year of real sales through every service, watch it, and check it."""
    from services.cli.demo.command import run_demo

    end(run_demo(duration, report, database, source=source, speed=speed, keep=keep))


@app.command()
def up(
    services: Annotated[
        list[str] | None, typer.Argument(help="Only these; all of them by default.")
    ] = None,
) -> None:
    """Start servers and services; stays in the foreground until Ctrl-C or `stocktide down`."""
    from services.cli.commands.running import bring_up

    end(bring_up(services or []))


@app.command()
def down() -> None:
    """Stop what `up` or `demo` started in another terminal."""
    from services.cli.commands.running import bring_down

    end(bring_down())


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Processes, ports, readiness and lag of the running stack."""
    from services.cli.commands.looking import show_status

    end(show_status(as_json=as_json))


@app.command()
def logs(
    service: Annotated[str | None, typer.Argument(help="One process; all by default.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="Last lines of each.")] = 20,
) -> None:
    """Last lines of the logs."""
    from services.cli.commands.looking import show_logs

    end(show_logs(service, follow=follow, lines=lines))


@app.command()
def reset(*, yes: Confirmed = False, database: Database = None) -> None:
    """Remove all data of the stack in this folder."""
    from services.cli.commands.resetting import reset_data

    end(reset_data(database, confirmed=yes))


@app.command()
def run(
    service: Annotated[str, typer.Argument(help="Its name, as in `stocktide status`.")],
) -> None:
    """Run one service in the foreground."""
    from services.cli.commands.running import run_service

    end(run_service(service))


@app.command()
def doctor(*, as_json: AsJson = False) -> None:
    """Look whether this machine has what the stack needs."""
    from services.cli.commands.doctor import examine

    end(examine(as_json=as_json))


@app.command()
def migrate() -> None:
    """Bring the database's schemas up to date."""
    from services.cli.commands.preparing import apply_migrations

    end(apply_migrations())


@app.command()
def topics(*, as_json: AsJson = False) -> None:
    """Create the topics that are missing, and list them all."""
    from services.cli.commands.preparing import apply_topics

    end(apply_topics(as_json=as_json))


@event.command("publish")
def event_publish(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="JSON; - is stdin.")],
) -> None:
    """Publish CloudEvents: one, an array, or one a line. All are read before any is sent."""
    from services.cli.commands.events import publish

    end(publish(file))


@view.command("rebuild")
def view_rebuild() -> None:
    """Build the fast view anew from the database."""
    from services.cli.commands.stock import rebuild_view

    end(rebuild_view())


@parked.command("list")
def parked_list(
    *,
    service: Annotated[str | None, typer.Option(help="Only this service's.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only those parked for this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: AsJson = False,
) -> None:
    """Parked messages of every service that runs, and how many there are of each reason."""
    from services.cli.commands.parked import list_parked

    end(list_parked(service, reason, limit, as_json=as_json))


@parked.command("show")
def parked_show(
    parked_id: Annotated[str, typer.Argument(metavar="SERVICE:ID")], *, as_json: AsJson = False
) -> None:
    """One parked message with all that is known of it."""
    from services.cli.commands.parked import show_parked

    end(show_parked(parked_id, as_json=as_json))


@parked.command("replay")
def parked_replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[SERVICE:ID…]")] = None,
    *,
    service: Annotated[str | None, typer.Option(help="Only this service's.")] = None,
    reason: Annotated[str | None, typer.Option(help="Those parked for this reason.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every parked message.")] = False,
) -> None:
    """Try parked messages again, after their cause is mended."""
    from services.cli.commands.parked import replay_parked

    end(replay_parked(ids or [], service, reason, every=every))


@observations.command("list")
def observations_list(
    *,
    state: Annotated[
        ObservationState, typer.Option(help="How far the comparison is.")
    ] = ObservationState.UNMATCHED,
    source: Annotated[str | None, typer.Option(help="Only this source's.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Only those after this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: AsJson = False,
) -> None:
    """What a system told that only observes, beside what was posted."""
    from services.cli.commands.observations import list_observations

    end(list_observations(state.value, source, after, limit, as_json=as_json))


@app.command()
def sources(*, as_json: AsJson = False) -> None:
    """Who tells of stock: role, last word, missing messages; who has not been declared."""
    from services.cli.commands.observations import list_sources

    end(list_sources(as_json=as_json))


@config.command("show")
def config_show(*, as_json: AsJson = False) -> None:
    """Every setting with its value and its variable; secrets are hidden."""
    from services.cli.commands.configuring import show_config

    end(show_config(as_json=as_json))


@app.command()
def version(*, as_json: AsJson = False) -> None:
    """The version of Stocktide and of what it runs on."""
    from services.cli.commands.looking import show_version

    end(show_version(as_json=as_json))


def main() -> int:
    """Run the command line; returns the exit status, after a sentence where it is not 0."""
    try:
        app(prog_name="stocktide")
    except SystemExit as ended:
        return int(ended.code or 0) if isinstance(ended.code, int | None) else Exit.FAILED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except CommandError as error:
        return _told(str(error), error.status)
    except Exception as error:
        from services.cli.failures import explained

        return _told(*explained(error))
    return Exit.OK


def _told(sentence: str, status: Exit) -> Exit:
    sys.stderr.write(f"stocktide: {sentence}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
