"""Carry out a plan through the public API. Each step may be repeated: a run that was broken off is finished by the next one."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

from demo.plan import PlannedCustomer, PlannedOrder, PlannedProduct, PlannedReturn
from demo.progress import work_through
from demo.report import SETTLED, OrderOutcome, Outcome, ReturnOutcome
from demo.retail import key_of
from shopper.accounts import Account, Session
from shopper.api import Answer, Api, Refused
from shopper.clientlog import ClientLog

#: Passwords cost the users service 0.2 s of a core each: more at once would only wait there.
ACCOUNTS_AT_ONCE = 3
#: How long the orders service may take to hear of a new product.
CATALOGUE_SECONDS = 120.0
PAGE = 100


class Replay:
    """One run: `await run()` and look at `outcome`."""

    def __init__(
        self, api: Api, staff: Session, outcome: Outcome, log: ClientLog, *, parallel: int, settle: float
    ) -> None:
        self.api, self.staff, self.outcome, self.log = api, staff, outcome, log
        self.plan = outcome.plan
        self.parallel, self.settle_seconds = parallel, settle
        self.products: dict[str, str] = {}
        self.sessions: dict[str, Session] = {}

    async def run(self) -> None:
        """Make catalogue and customers, then order, wait for the outcome, and take back what comes back."""
        started = time.monotonic()
        await self._make_categories()
        await self._make_products()
        await self._make_customers()
        await work_through("orders", self.plan.orders, self._place, parallel=self.parallel)
        await self._settle()
        await work_through("returns", self.plan.returns, self._take_back, parallel=self.parallel)
        self.outcome.seconds = time.monotonic() - started
        self.outcome.repeats = dict(self.api.tally.reasons)

    async def _make_categories(self) -> None:
        known = {each["slug"] for each in await self._pages("/api/categories/")}
        for category in self.plan.categories:
            if category.slug not in known:
                answer = await self.staff.call(
                    "POST", "/api/categories/", body={"slug": category.slug, "name": category.name}
                )
                self._count_new("categories", answer, allowed={400, 409})

    async def _make_products(self) -> None:
        known: dict[str, str] = {}
        for category in self.plan.categories:
            for product in await self._pages(f"/api/products/?category={category.slug}&active=all"):
                known[product["slug"]] = product["id"]
        self.products = {each.code: known[each.slug] for each in self.plan.products if each.slug in known}
        missing = [each for each in self.plan.products if each.slug not in known]
        await work_through("products", missing, self._make_product, parallel=self.parallel)

    async def _make_product(self, product: PlannedProduct) -> None:
        body = {
            "slug": product.slug,
            "name": product.name,
            "description": product.description,
            "price": str(product.price),
            "currency": "GBP",
            "stock": product.stock,
            "category": product.category,
        }
        answer = await self.staff.call("POST", "/api/products/", body=body)
        if answer.status in (400, 409):  # made by an earlier run, or by a request whose answer got lost
            found = await self._pages(f"/api/products/?slug={product.slug}&active=all")
            if found:
                self.products[product.code] = found[0]["id"]
            else:
                self.outcome.refused.append(f"product {product.code}: {answer.status} {answer.detail}")
            return
        self._count_new("products", answer)
        self.products[product.code] = answer.body["id"]

    async def _make_customers(self) -> None:
        known = {each["email"] for each in await self._pages("/api/users/")}
        accounts = [(each, each.email in known) for each in self.plan.customers]
        await work_through("customers", accounts, self._make_customer, parallel=ACCOUNTS_AT_ONCE)

    async def _make_customer(self, planned: tuple[PlannedCustomer, bool]) -> None:
        customer, is_known = planned
        secret = hmac.new(
            self.staff.account.password.encode(), customer.email.encode(), hashlib.sha256
        ).hexdigest()
        session = Session(self.api, Account(customer.email, f"demo-{secret[:32]}", customer.name))
        if not is_known and await session.register():
            self.outcome.new["customers"] += 1
        self.sessions[customer.key] = session

    async def _place(self, order: PlannedOrder) -> None:
        units = sum(count for _, count in order.units)
        outcome = OrderOutcome(order.key, order.invoice, units, order.line_count, customer=order.customer)
        self.outcome.orders[order.key] = outcome
        missing = [code for code, _ in order.units if code not in self.products]
        if missing:
            outcome.status, outcome.reason = "refused", f"because product {missing[0]} was refused"
            return
        body = {"lines": [{"product": self.products[code], "quantity": count} for code, count in order.units]}
        answer = await self._place_when_known(order, body)
        if not answer.is_success:
            outcome.status, outcome.reason = "refused", f"{answer.status} {answer.code}: {answer.detail}"
            return
        outcome.id, outcome.is_new = answer.body["id"], not answer.is_replay
        self.outcome.new["orders"] += outcome.is_new
        self.log.wrote(
            "order", outcome.id, key=order.key, account=self.sessions[order.customer].account.email
        )

    async def _place_when_known(self, order: PlannedOrder, body: Mapping[str, Any]) -> Answer:
        """Orders hears of new products through events: until it has, it calls them unavailable."""
        deadline = time.monotonic() + CATALOGUE_SECONDS
        while True:
            answer = await self.sessions[order.customer].call(
                "POST", "/api/orders/", body=body, key=order.key
            )
            if answer.code != "product_unavailable" or time.monotonic() > deadline:
                return answer
            await asyncio.sleep(0.5)

    async def _settle(self) -> None:
        placed = [each for each in self.outcome.orders.values() if each.id]
        deadline = time.monotonic() + self.settle_seconds
        await work_through(
            "outcomes", placed, lambda each: self._await_outcome(each, deadline), parallel=self.parallel
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
        self.outcome.returns.append(outcome)
        order = self.outcome.orders.get(planned.cancels or "")
        try:
            if order is None:
                await self._restock(planned, outcome)
            else:
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
            if code not in self.products:
                outcome.kind, outcome.reason = "refused", f"because product {code} was refused"
                return
            path = f"/api/products/{self.products[code]}/stock/"
            reason = f"Return {planned.invoice}"[:200]
            body = {"delta": count, "reason": reason}
            answer = await self.staff.call("POST", path, body=body, key=key_of(f"{planned.invoice}-{code}"))
            if not answer.is_success:
                raise Refused("POST", path, answer)
            outcome.is_new = outcome.is_new or not answer.is_replay
            self.log.wrote("stock", self.products[code], reason=reason)

    async def _pages(self, path: str) -> list[dict[str, Any]]:
        """Return all results of a list, as staff."""
        results: list[dict[str, Any]] = []
        url = f"{path}{'&' if '?' in path else '?'}page_size={PAGE}"
        while url:
            answer = await self.staff.call("GET", url)
            if not answer.is_success:
                raise Refused("GET", url, answer)
            results += answer.body["results"]
            url = _path_of(answer.body.get("next"))
        return results

    def _count_new(self, name: str, answer: Answer, allowed: frozenset[int] | set[int] = frozenset()) -> None:
        if answer.is_success:
            self.outcome.new[name] += 1
        elif answer.status not in allowed:
            raise Refused("POST", name, answer)


def _path_of(link: str | None) -> str:
    """Return path and query of a `next` link: the host in it is the gateway's business, we go on where we started."""
    if not link:
        return ""
    return "/" + link.split("/", 3)[3] if "://" in link else link
