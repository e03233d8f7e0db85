"""Carry out a plan through the public API. Each step may be repeated: a run that was broken off is
finished by the next run.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

from demo.catalogue import Catalogue, all_pages
from demo.plan import PlannedCustomer, PlannedOrder, PlannedReturn
from demo.progress import work_through
from demo.report import SETTLED, OrderOutcome, Outcome, ReturnOutcome
from demo.retail import key_of
from demo.units import top_up
from shopper.accounts import Account, Session
from shopper.api import Answer, Api, Refused
from shopper.clientlog import ClientLog

#: Passwords cost the users service 0.2 s of a core each: more at once would only wait there.
ACCOUNTS_AT_ONCE = 3
#: How long the orders service may take to hear of a new product.
CATALOGUE_SECONDS = 120.0


class Replay:
    """One run: `await run()` and look at `outcome`."""

    def __init__(
        self,
        api: Api,
        staff: Session,
        outcome: Outcome,
        log: ClientLog,
        *,
        parallel: int,
        settle: float,
    ) -> None:
        self.api, self.staff, self.outcome, self.log = api, staff, outcome, log
        self.plan = outcome.plan
        self.parallel, self.settle_seconds = parallel, settle
        self.catalogue = Catalogue(staff, outcome, log, parallel=parallel)
        self.sessions: dict[str, Session] = {}
        self._catalogue_deadline: float | None = None

    async def run(self) -> None:
        """Make catalogue and customers, then order, wait for the outcome, and take back what comes
        back.
        """
        started = time.monotonic()
        await self.catalogue.make()
        await top_up(self.catalogue, await self._make_customers())
        await work_through("orders", self.plan.orders, self._place, parallel=self.parallel)
        await self._settle()
        await work_through("returns", self.plan.returns, self._take_back, parallel=self.parallel)
        self.outcome.seconds = time.monotonic() - started
        self.outcome.repeats = dict(self.api.tally.reasons)

    async def _make_customers(self) -> dict[str, str]:
        """Return the ids of those who were there already, by the plan's keys."""
        known = {each["email"]: each["id"] for each in await all_pages(self.staff, "/api/users/")}
        accounts = [(each, each.email in known) for each in self.plan.customers]
        await work_through("customers", accounts, self._make_customer, parallel=ACCOUNTS_AT_ONCE)
        return {each.key: known[each.email] for each in self.plan.customers if each.email in known}

    async def _make_customer(self, planned: tuple[PlannedCustomer, bool]) -> None:
        customer, is_known = planned
        secret = hmac.new(
            self.staff.account.password.encode(), customer.email.encode(), hashlib.sha256
        ).hexdigest()
        session = Session(self.api, Account(customer.email, f"demo-{secret[:32]}", customer.name))
        if not is_known and await session.create(self.staff):
            self.outcome.new["customers"] += 1
        self.sessions[customer.key] = session

    async def _place(self, order: PlannedOrder) -> None:
        units = sum(count for _, count in order.units)
        outcome = OrderOutcome(
            order.key, order.invoice, units, order.line_count, customer=order.customer
        )
        self.outcome.orders[order.key] = outcome
        answer = await self._placed(order, outcome)
        if answer is None:
            return
        if not answer.is_success:
            outcome.status, outcome.reason = (
                "refused",
                f"{answer.status} {answer.code}: {answer.detail}",
            )
            return
        outcome.id, outcome.is_new = answer.body["id"], not answer.is_replay
        self.outcome.new["orders"] += outcome.is_new
        self.log.wrote(
            "order", outcome.id, key=order.key, account=self.sessions[order.customer].account.email
        )

    async def _placed(self, order: PlannedOrder, outcome: OrderOutcome) -> Answer | None:
        """Return the shop's answer to an order; None if one of its products cannot be bought, which
        `outcome` then says.
        """
        codes = sorted(code for code, _ in order.units)
        missing = [code for code in codes if code not in self.catalogue.ids]
        if missing:
            outcome.status, outcome.reason = "refused", f"because product {missing[0]} was refused"
            return None
        # By code: editions of one set list an invoice's lines in different orders, and it is one
        # order with one key.
        units = dict(order.units)
        body = {
            "lines": [
                {"product": self.catalogue.ids[code], "quantity": units[code]} for code in codes
            ]
        }
        answer = await self._place_when_known(order, codes, body)
        if isinstance(answer, Answer):
            return answer
        outcome.status, outcome.reason = "unavailable", answer
        return None

    async def _place_when_known(
        self, order: PlannedOrder, codes: list[str], body: Mapping[str, Any]
    ) -> Answer | str:
        """Return the answer, or why a product cannot be bought.

        Orders hears of new products through events: until it has, it calls them unavailable. All
        orders together wait once for that.
        """
        while True:
            answer = await self.sessions[order.customer].call(
                "POST", "/api/orders/", body=body, key=order.key
            )
            if answer.code != "product_unavailable":
                return answer
            reason = await self.catalogue.why_off(_unavailable(answer, codes))
            if reason or self._is_too_late():
                return reason or answer
            await asyncio.sleep(0.5)

    def _is_too_late(self) -> bool:
        if self._catalogue_deadline is None:
            self._catalogue_deadline = time.monotonic() + CATALOGUE_SECONDS
        return time.monotonic() > self._catalogue_deadline

    async def _settle(self) -> None:
        placed = [each for each in self.outcome.orders.values() if each.id]
        deadline = time.monotonic() + self.settle_seconds
        await work_through(
            "outcomes",
            placed,
            lambda each: self._await_outcome(each, deadline),
            parallel=self.parallel,
        )

    async def _await_outcome(self, order: OrderOutcome, deadline: float) -> None:
        pause = 0.05
        while True:
            answer = await self.sessions[order.customer].call("GET", f"/api/orders/{order.id}/")
            if not answer.is_success:
                order.status, order.reason = "lost", f"{answer.status} {answer.detail}"
                return
            order.status = answer.body["status"]
            if order.status in SETTLED or time.monotonic() > deadline:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def _take_back(self, planned: PlannedReturn) -> None:
        units = sum(count for _, count in planned.units)
        outcome = ReturnOutcome(planned.invoice, units, planned.line_count, "restocked")
        if not planned.units:
            outcome.kind, outcome.reason = "not sold", "nothing of its sale is out"
        self.outcome.returns.append(outcome)
        order = self.outcome.orders.get(planned.cancels or "")
        try:
            if order is None and planned.units:
                await self._restock(planned, outcome)
            elif order is not None:
                await self._cancel(order, outcome)
        except Refused as error:
            outcome.kind, outcome.reason = "refused", str(error)
        self.outcome.new[outcome.kind] += outcome.is_new

    async def _cancel(self, order: OrderOutcome, outcome: ReturnOutcome) -> None:
        outcome.kind = "cancelled"
        if order.status not in ("confirmed", "cancelled"):
            outcome.kind, outcome.reason = "not sold", f"its order is {order.status}"
            return
        path = f"/api/orders/{order.id}/cancel/"
        answer = await self.sessions[order.customer].call("POST", path)
        if not answer.is_success:
            raise Refused("POST", path, answer)
        outcome.is_new = order.status != "cancelled"
        order.status = "cancelled"
        self.log.wrote("cancel", order.id)

    async def _restock(self, planned: PlannedReturn, outcome: ReturnOutcome) -> None:
        for code, count in planned.units:
            if code not in self.catalogue.ids:
                outcome.kind, outcome.reason = "refused", f"because product {code} was refused"
                return
            path = f"/api/products/{self.catalogue.ids[code]}/stock/"
            reason = f"Return {planned.invoice}"[:200]
            body = {"delta": count, "reason": reason}
            answer = await self.staff.call(
                "POST", path, body=body, key=key_of(f"{planned.invoice}-{code}")
            )
            if not answer.is_success:
                raise Refused("POST", path, answer)
            outcome.is_new = outcome.is_new or not answer.is_replay
            self.log.wrote("stock", self.catalogue.ids[code], reason=reason)


def _unavailable(answer: Answer, codes: list[str]) -> list[str]:
    """Return the codes of the lines that a refusal points at (`/lines/3/product`); all of them if
    it does not say.
    """
    errors = answer.body.get("errors") or []
    places = [str(error.get("pointer", "")).split("/") for error in errors]
    named = [int(place[2]) for place in places if len(place) > 2 and place[2].isdigit()]
    return [codes[place] for place in named if place < len(codes)] or codes
