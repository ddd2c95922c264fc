"""Asking the services of a running stack over HTTP."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from services.catalog.settings import CatalogSettings
from services.cli.exits import CommandError, Exit
from services.cli.state import StackState, running_stack
from services.cli.texts import tr
from services.ingestion.settings import IngestionSettings
from shared.runtime.settings import StackSettings

SECONDS = 15.0
KEYED: Mapping[str, type[CatalogSettings | IngestionSettings]] = {
    "catalog": CatalogSettings, "ingestion": IngestionSettings,
}  # fmt: skip


def here() -> StackState:
    """The stack that runs in the data folder. Raises CommandError when none does."""
    return running_stack(StackSettings().data.absolute())


def ask(
    state: StackState,
    service: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: object = None,
    method: str = "GET",
) -> Any:
    """The JSON answer of a service. Raises CommandError when it is away, refuses or knows not."""
    url = f"http://127.0.0.1:{state.port_of(service)}{path}"
    told = {name: value for name, value in (query or {}).items() if value is not None}
    try:
        headers = authorization(service)
        with httpx.Client(timeout=SECONDS, trust_env=False, headers=headers) as client:
            answer = client.request(method, url, params=told, json=body)
    except httpx.HTTPError as error:
        raise CommandError(
            tr(
                "{service} does not answer at {url}: {error}.",
                service=service,
                url=url,
                error=error,
            ),
            tr("Look at it: `stocktide status`, `stocktide logs {service}`.", service=service),
            Exit.NOT_RUNNING,
        ) from error
    if answer.status_code == 404:
        raise CommandError(_detail(answer), tr("Look for a typing error."), Exit.NOT_FOUND)
    if answer.status_code >= 400:
        raise CommandError(
            tr(
                "{service} answered {status_code}: {answer}",
                service=service,
                status_code=answer.status_code,
                answer=_detail(answer),
            ),
            tr("See `stocktide logs {service}`.", service=service),
        )
    return answer.json()


def ask_pages(
    state: StackState,
    service: str,
    path: str,
    *,
    name: str,
    query: Mapping[str, Any],
    following: Callable[[Any], Mapping[str, Any] | None],
) -> list[Any]:
    """All rows that stand under `name`, page by page. `following` says what a page's successor is
    asked with, None for the last one's. Raises CommandError as `ask` does.
    """
    rows: list[Any] = []
    after: Mapping[str, Any] | None = {}
    while after is not None:
        page = ask(state, service, path, query={**query, **after})
        rows += page[name]
        after = following(page)
    return rows


def authorization(service: str) -> dict[str, str]:
    """The headers that say who asks, for a service that wants a key and where one is set."""
    settings = KEYED.get(service)
    key = settings().api_key if settings else None
    return {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}


def _detail(answer: httpx.Response) -> str:
    try:
        content = answer.json()
    except ValueError:
        return answer.text[:300]
    return str(content.get("detail", content)) if isinstance(content, dict) else str(content)
