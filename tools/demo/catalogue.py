"""The plan's categories and products in the shop."""

from collections.abc import Iterable
from typing import Any

from demo.plan import Plan, PlannedProduct
from demo.progress import work_through
from demo.report import Outcome
from shopper.accounts import Session
from shopper.api import Answer, Refused
from shopper.clientlog import ClientLog

PAGE = 100


class Catalogue:
    """`ids` are the shop's, by code; `off` says of a code why it cannot be bought; `known` were
    there before this run.
    """

    def __init__(self, staff: Session, outcome: Outcome, log: ClientLog, *, parallel: int) -> None:
        self.staff, self.outcome, self.log, self.parallel = staff, outcome, log, parallel
        self.plan: Plan = outcome.plan
        self.ids: dict[str, str] = {}
        self.off: dict[str, str] = {}
        self.known: list[PlannedProduct] = []

    async def make(self) -> None:
        """Make what is not there yet."""
        await self._make_categories()
        there = {each["slug"]: each for each in await self.listed()}
        self.known = [each for each in self.plan.products if each.slug in there]
        for product in self.known:
            self._note(product.code, there[product.slug])
        missing = [each for each in self.plan.products if each.slug not in there]
        await work_through("products", missing, self._make_product, parallel=self.parallel)

    async def why_off(self, codes: Iterable[str]) -> str:
        """Return why one of these products cannot be bought, empty if each can: by what the shop
        says now.
        """
        for code in codes:
            answer = await self.staff.call("GET", f"/api/products/{self.ids[code]}/")
            if answer.status == 404:
                self.off[code] = f"product {code} is deleted"
            elif answer.is_success:
                self._note(code, answer.body)
            if code in self.off:
                return self.off[code]
        return ""

    def _note(self, code: str, product: dict[str, Any]) -> None:
        self.ids[code] = product["id"]
        if not product["active"]:
            self.off[code] = f"product {code} is switched off"

    async def listed(self) -> list[dict[str, Any]]:
        """Return the products of the plan's categories as they are now."""
        return [
            product
            for category in self.plan.categories
            for product in await all_pages(
                self.staff, f"/api/products/?category={category.slug}&active=all"
            )
        ]

    async def _make_categories(self) -> None:
        known = {each["slug"] for each in await all_pages(self.staff, "/api/categories/")}
        for category in self.plan.categories:
            if category.slug not in known:
                answer = await self.staff.call(
                    "POST", "/api/categories/", body={"slug": category.slug, "name": category.name}
                )
                self._count_new("categories", answer, allowed={400, 409})

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
        if answer.status in (
            400,
            409,
        ):  # made by an earlier run, or by a request whose answer got lost
            found = await all_pages(self.staff, f"/api/products/?slug={product.slug}&active=all")
            if found:
                self._note(product.code, found[0])
            else:
                self.outcome.refused.append(
                    f"product {product.code}: {answer.status} {answer.detail}"
                )
            return
        self._count_new("products", answer)
        self.ids[product.code] = answer.body["id"]

    def _count_new(
        self, name: str, answer: Answer, allowed: frozenset[int] | set[int] = frozenset()
    ) -> None:
        if answer.is_success:
            self.outcome.new[name] += 1
        elif answer.status not in allowed:
            raise Refused("POST", name, answer)


async def all_pages(session: Session, path: str) -> list[dict[str, Any]]:
    """Return all results of a list.

    Raises:
        Refused: the shop does not show it to this account.
    """
    results: list[dict[str, Any]] = []
    url = f"{path}{'&' if '?' in path else '?'}page_size={PAGE}"
    while url:
        answer = await session.call("GET", url)
        if not answer.is_success:
            raise Refused("GET", url, answer)
        results += answer.body["results"]
        url = _path_of(answer.body.get("next"))
    return results


def _path_of(link: str | None) -> str:
    """Return path and query of a `next` link: the host in it is the gateway's business, we go on
    where we started.
    """
    if not link:
        return ""
    return "/" + link.split("/", 3)[3] if "://" in link else link
