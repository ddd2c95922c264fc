"""A reader of availability's HTTP that keeps account of what it is told, and of what can't be."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

PAUSE_SECONDS = 0.005
CALL_SECONDS = 10.0
MANY = 10
FAULTS_MAX = 20


@dataclass(slots=True, kw_only=True)
class Reader:
    """One shop front: it reads one SKU or many at a time, one call after the other.

    For it a SKU's version never falls, and one version has one figure. `falls` says that figures
    may only fall too, as where nothing but sales happens. No answer at all (503, or a process that
    is being started) is no fault: unknown is not wrong.
    """

    url: str
    channel: str
    skus: Sequence[str]
    rng: random.Random
    falls: bool = False
    answers: int = 0
    unanswered: int = 0
    faults: list[str] = field(default_factory=list)
    told: dict[tuple[str, int], int] = field(default_factory=dict)  # (SKU, version) → figure
    _last: dict[str, tuple[int, int]] = field(default_factory=dict)

    async def run(self, closing: asyncio.Event) -> None:
        """Read until told to close."""
        async with httpx.AsyncClient(
            base_url=self.url, timeout=CALL_SECONDS, trust_env=False
        ) as http:
            while not closing.is_set():
                try:
                    await self._read(http)
                except httpx.TransportError:
                    self.unanswered += 1
                await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self, http: httpx.AsyncClient) -> None:
        if self.rng.random() < 0.5:
            sku = self.rng.choice(self.skus)
            answer = await http.get(f"/v1/availability/{sku}", params={"channel": self.channel})
            self._judge(answer, lambda body: [body])
        else:
            skus = self.rng.sample(self.skus, min(MANY, len(self.skus)))
            asked = {"skus": skus, "channel": self.channel}
            answer = await http.post("/v1/availability:query", json=asked)
            self._judge(answer, lambda body: body["figures"], count=len(skus))

    def _judge(self, answer: httpx.Response, figures_of: Any, count: int = 1) -> None:
        if answer.status_code == 503:
            self.unanswered += 1
            return
        if answer.status_code != 200:
            self._note(f"{answer.request.url}: {answer.status_code} {answer.text[:200]}")
            return
        figures = figures_of(answer.json())
        self.answers += 1
        if len(figures) != count:
            self._note(f"{count} asked for, {len(figures)} known")
        for figure in figures:
            self._compare(figure)

    def _compare(self, figure: Mapping[str, Any]) -> None:
        sku, version = figure["sku"], figure["version"]
        shown = figure["channels"][self.channel]["available_to_sell"]
        last_version, last_shown = self._last.get(sku, (0, shown))
        if version < last_version:
            self._note(f"{sku}: version {version} after {last_version}")
        elif self.told.setdefault((sku, version), shown) != shown:
            self._note(f"{sku}: {shown} and {self.told[sku, version]} under version {version}")
        elif self.falls and shown > last_shown:
            self._note(f"{sku}: {shown} after {last_shown}, and nothing came in")
        self._last[sku] = (version, shown)

    def _note(self, fault: str) -> None:
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(fault)

    def last(self, sku: str) -> int:
        """The figure last seen."""
        return self._last[sku][1]
