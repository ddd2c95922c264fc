"""What people are told when a setting is wrong, and who a command says it is."""

import pytest
from pydantic import ValidationError

from services.cli.asking import authorization
from services.cli.exits import Exit
from services.cli.failures import explained
from services.ingestion.settings import IngestionSettings
from services.ledger.settings import LedgerSettings
from shared.runtime.settings import Settings, StackSettings


@pytest.mark.parametrize(
    ("variable", "settings"),
    [
        pytest.param("STOCKTIDE_DOCKER", StackSettings, id="of_the_stack"),
        pytest.param("STOCKTIDE_LEDGER_BATCH_MAX", LedgerSettings, id="of_a_service"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_told(
    monkeypatch: pytest.MonkeyPatch, variable: str, settings: type[Settings]
) -> None:
    monkeypatch.setenv(variable, "hunter2")

    with pytest.raises(ValidationError) as caught:
        settings()
    sentence, status = explained(caught.value)

    assert sentence.startswith(f"{variable} is wrong: ")
    assert "hunter2" not in sentence
    assert status is Exit.USAGE


def test_another_validation_error_is_a_bug_and_shows_its_traceback() -> None:
    with pytest.raises(ValidationError) as caught:
        ValidationErrorOf.model_validate({})

    with pytest.raises(ValidationError):
        explained(caught.value)


class ValidationErrorOf(IngestionSettings):
    """A model whose name is no settings class's."""

    needed: int


@pytest.mark.parametrize("service", ["catalog", "ingestion"])
def test_a_service_that_wants_a_key_is_told_it(
    monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    assert authorization(service) == {}

    monkeypatch.setenv(f"STOCKTIDE_{service.upper()}_API_KEY", "let-me-in")

    assert authorization(service) == {"Authorization": "Bearer let-me-in"}
    assert authorization("ledger-api") == {}
