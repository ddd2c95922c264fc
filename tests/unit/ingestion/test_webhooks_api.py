"""Webhooks: what is let in, what is refused, and that a subscription survives us."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict

import httpx
import pytest

from tests.unit.ingestion.builders import (
    OTHER_SECRET,
    PERSONAL,
    a_shopify_order,
    a_woo_order,
    body_of,
    shopify_headers,
    signed,
    woo_headers,
)
from tests.unit.ingestion.stage import BYTES_MAX, OLD_SECRET, Front, a_front

WOO = "/v1/webhooks/woocommerce/webshop"
SHOPIFY = "/v1/webhooks/shopify/shopify"
BODY = body_of(a_woo_order())
SHOPIFY_BODY = body_of(a_shopify_order())


async def post(front: Front, url: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    """The answer to a delivery."""
    return await front.http.post(url, content=body, headers=headers)


@pytest.mark.parametrize(
    ("url", "body", "headers"),
    [(WOO, BODY, woo_headers(BODY)), (SHOPIFY, SHOPIFY_BODY, shopify_headers(SHOPIFY_BODY))],
    ids=["woocommerce", "shopify"],
)
async def test_a_signed_order_is_kept_without_its_person(
    front: Front, url: str, body: bytes, headers: dict[str, str]
) -> None:
    answer = await post(front, url, body, headers)

    assert (answer.status_code, answer.json()) == (200, {"fate": "stored"})
    (delivery,) = front.inbox.kept.values()
    text = repr(asdict(delivery))
    assert [word for word in PERSONAL if word in text] == []
    assert front.woken.is_set()


async def test_the_secret_before_is_accepted_while_it_is_replaced(front: Front) -> None:
    headers = woo_headers(BODY, x_wc_webhook_signature=signed(BODY, OLD_SECRET))

    assert (await post(front, WOO, BODY, headers)).json() == {"fate": "stored"}


FORGERIES = {
    "none": None,
    "empty": "",
    "blank": " ",
    "no_base64": "not base64!",
    "hexadecimal": "00" * 32,
    "unsigned_digest": signed(BODY, ""),
    "another_shop's": signed(BODY, OTHER_SECRET),
    "of_another_body": signed(body_of(a_woo_order(status="cancelled"))),
    "of_an_empty_body": signed(b""),
    "cut": signed(BODY)[:-4],
    "longer": signed(BODY) + "AAAA",
    "one_letter_changed": ("A" if signed(BODY)[0] != "A" else "B") + signed(BODY)[1:],
    "twice_in_one": f"{signed(BODY)},{signed(BODY)}",
    "with_a_scheme": f"sha256={signed(BODY)}",
    "null": "null",
    "not_ascii": "\xe9\xe8",
}


@pytest.mark.parametrize("signature", FORGERIES.values(), ids=FORGERIES)
@pytest.mark.parametrize("protocol", ["woocommerce", "shopify"])
async def test_a_forged_delivery_is_refused_and_never_kept(
    front: Front, signature: str | None, protocol: str
) -> None:
    is_woo = protocol == "woocommerce"
    headers = woo_headers(BODY) if is_woo else shopify_headers(BODY)
    name = "x-wc-webhook-signature" if is_woo else "x-shopify-hmac-sha256"
    del headers[name]
    raw = [(k.encode(), v.encode()) for k, v in headers.items()]
    if signature is not None:
        raw.append((name.encode(), signature.encode("latin-1")))

    answer = await front.http.post(WOO if is_woo else SHOPIFY, content=BODY, headers=raw)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert front.inbox.kept == {}
    assert not front.woken.is_set()


@pytest.mark.parametrize(
    "tampered",
    [BODY + b" ", BODY[:-1], BODY.replace(b"processing", b"cancelled"), BODY.replace(b":3", b":1"),
     b"", b"\xef\xbb\xbf" + BODY, BODY.upper()],
    ids=["a_blank_more", "cut", "another_status", "fewer_units", "empty", "with_bom", "capitals"],
)  # fmt: skip
async def test_a_tampered_body_is_refused(front: Front, tampered: bytes) -> None:
    answer = await post(front, WOO, tampered, woo_headers(BODY))

    assert (answer.status_code, front.inbox.kept) == (401, {})


async def test_a_signature_given_twice_is_refused(front: Front) -> None:
    raw = [*woo_headers(BODY).items(), ("x-wc-webhook-signature", signed(BODY))]

    answer = await front.http.post(WOO, content=BODY, headers=raw)

    assert (answer.status_code, front.inbox.kept) == (401, {})


@pytest.mark.parametrize(
    "path",
    ["/v1/webhooks/woocommerce/nobody", "/v1/webhooks/shopify/webshop",
     "/v1/webhooks/woocommerce/shopify", "/v1/webhooks/woocommerce/web%00shop"],
)  # fmt: skip
async def test_an_unknown_shop_or_another_protocol_is_not_found(front: Front, path: str) -> None:
    answer = await post(front, path, BODY, woo_headers(BODY))

    assert (answer.status_code, front.inbox.kept) == (404, {})


async def test_a_delivery_for_one_shop_is_not_another_shop_s(front: Front) -> None:
    answer = await post(front, "/v1/webhooks/woocommerce/other", BODY, woo_headers(BODY))

    assert (answer.status_code, front.inbox.kept) == (401, {})


@pytest.mark.parametrize("delivery", ["d-1", "d-2", "x" * 5_00, ""])
async def test_a_replay_under_any_delivery_id_is_kept_once(front: Front, delivery: str) -> None:
    await post(front, WOO, BODY, woo_headers(BODY))

    answer = await post(front, WOO, BODY, woo_headers(BODY, x_wc_webhook_delivery_id=delivery))

    assert (answer.status_code, answer.json()) == (200, {"fate": "repeated"})
    assert len(front.inbox.kept) == 1


async def test_two_bodies_under_one_delivery_id_are_both_kept(front: Front) -> None:
    other = body_of(a_woo_order(status="cancelled"))
    await post(front, WOO, BODY, woo_headers(BODY))

    answer = await post(front, WOO, other, woo_headers(other))

    assert (answer.json(), len(front.inbox.kept)) == ({"fate": "stored"}, 2)


async def test_a_person_in_unsigned_headers_is_not_kept(front: Front) -> None:
    headers = woo_headers(BODY, x_wc_webhook_delivery_id="Ada Lovelace")

    await post(front, WOO, BODY, headers)

    (delivery,) = front.inbox.kept.values()
    assert delivery.delivery_id is None


@pytest.mark.parametrize(
    ("body", "topic"),
    [(b'{"id":501}', "order.deleted"), (b"[]", "order.updated"), (b"{", "order.updated"),
     (b"\xff", "order.updated"), (BODY, "product.updated"), (BODY, "subscription.created")],
    ids=["deleted", "a_list", "broken", "no_utf8", "a_product", "a_subscription"],
)  # fmt: skip
async def test_a_signed_delivery_that_is_no_order_keeps_its_subscription(
    front: Front, body: bytes, topic: str
) -> None:
    answer = await post(front, WOO, body, woo_headers(body, x_wc_webhook_topic=topic))

    assert (answer.status_code, answer.json()) == (200, {"fate": "ignored"})
    assert front.inbox.kept == {}


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"webhook_id=12", 200), (b"webhook_id=", 401), (b"webhook_id=12&status=cancelled", 401),
     (b"webhook_id=12\n", 401), (BODY, 401)],
)  # fmt: skip
async def test_only_the_first_ping_needs_no_signature(
    front: Front, body: bytes, status: int
) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}

    answer = await post(front, WOO, body, headers)

    assert (answer.status_code, front.inbox.kept) == (status, {})


async def test_shopify_has_no_unsigned_ping(front: Front) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}

    assert (await post(front, SHOPIFY, b"webhook_id=12", headers)).status_code == 401


async def test_a_body_beyond_the_limit_is_refused(front: Front) -> None:
    body = b" " * (BYTES_MAX + 1)

    assert (await post(front, WOO, body, woo_headers(body))).status_code == 413


async def test_a_chunked_body_beyond_the_limit_is_refused(front: Front) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 1024

    answer = await front.http.post(WOO, content=chunks(), headers=woo_headers(b""))

    assert answer.status_code == 413


async def test_a_body_that_never_ends_is_given_up() -> None:
    async def drip() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with a_front(read_seconds=0.05) as front:
        answer = await front.http.post(WOO, content=drip(), headers=woo_headers(b"{"))

    assert answer.status_code == 408


async def test_without_a_database_the_shop_is_asked_to_come_back(front: Front) -> None:
    front.inbox.is_away = True

    answer = await post(front, WOO, BODY, woo_headers(BODY))

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_no_answer_repeats_what_was_sent(front: Front) -> None:
    answers = [
        await post(front, WOO, BODY, woo_headers(BODY)),
        await post(front, WOO, BODY, {}),
        await post(front, "/v1/webhooks/woocommerce/nobody", BODY, {}),
    ]

    text = json.dumps([answer.text for answer in answers])
    assert [word for word in PERSONAL if word in text] == []
