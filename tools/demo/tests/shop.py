"""A server that answers as the shop's public API does, in what a replay uses; faults can be put in
front.
"""

import itertools
from collections import Counter
from urllib.parse import parse_qsl, urlsplit

from http_server import HttpServer, Reply

STAFF = ("staff@shop.example", "staff-secret")


def problem(status, code, detail="", **more):
    return Reply(status, {"code": code, "detail": detail, **more})


class Shop:
    """`faults` maps (method, path) to replies that come first; the shop's own state is public."""

    def __init__(self, page_size=2):
        self.server = HttpServer(self.answer)
        self.page_size = page_size
        self.users = {STAFF[0]: {"id": "staff", "email": STAFF[0], "password": STAFF[1]}}
        self.categories, self.products, self.orders, self.kept = [], {}, {}, {}
        self.restocks = []
        self.faults = {}
        self.outcomes = {}
        self._numbers = itertools.count(1)

    def answer(self, request):
        queued = self.faults.get((request.method, request.path.partition("?")[0]))
        if queued:
            return queued.pop(0)
        parts = urlsplit(request.path)
        name, *rest = parts.path.strip("/").split("/")[1:]
        handle = getattr(self, f"{request.method.lower()}_{name}")
        return handle(request, rest, dict(parse_qsl(parts.query)))

    def caller(self, request):
        return request.headers["authorization"].removeprefix("Bearer ")

    def page(self, request, results, query):
        first = int(query.get("cursor", 0))
        after = first + self.page_size
        path, _, _ = request.path.partition("?")
        kept = "&".join(f"{key}={value}" for key, value in query.items() if key != "cursor")
        link = f"http://gateway.example{path}?{kept}&cursor={after}"
        body = {"results": results[first:after], "next": link if after < len(results) else None}
        return Reply(200, body)

    def once(self, request, make):
        """A key's first answer is kept; the same request again is answered with it."""
        key = (self.caller(request), request.path, request.headers["idempotency-key"])
        if key in self.kept:
            body, reply = self.kept[key]
            if body != request.body:
                return problem(422, "key_reused")
            return Reply(reply.status, reply.body, {"Idempotency-Replayed": "true"})
        reply = make()
        if 200 <= reply.status < 300:
            self.kept[key] = request.body, reply
        return reply

    def post_auth(self, request, rest, query):
        user = self.users.get(request.body["email"])
        if user is None or user["password"] != request.body["password"]:
            return problem(401, "invalid_credentials")
        pair = {"access_token": user["email"], "refresh_token": "r", "expires_in": 900}
        return Reply(200, pair)

    def get_users(self, request, rest, query):
        return self.page(request, list(self.users.values()), query)

    def post_users(self, request, rest, query):
        if rest != ["accounts"] or self.caller(request) != STAFF[0]:
            return problem(403, "permission_denied")
        if request.body["email"] in self.users:
            return problem(409, "email_taken")
        user = request.body | {"id": f"u{next(self._numbers)}"}
        self.users[user["email"]] = user
        return Reply(201, user)

    def get_categories(self, request, rest, query):
        return self.page(request, self.categories, query)

    def post_categories(self, request, rest, query):
        self.categories.append(request.body)
        return Reply(201, request.body)

    def get_products(self, request, rest, query):
        if rest:
            product = self.products.get(rest[0])
            return Reply(200, product) if product else problem(404, "not_found")
        known = [each for each in self.products.values() if self.is_asked_for(each, query)]
        return self.page(request, known, query)

    def is_asked_for(self, product, query):
        return all(product[name] == query[name] for name in ("category", "slug") if name in query)

    def post_products(self, request, rest, query):
        if rest:
            return self.once(request, lambda: self.restock(self.products[rest[0]], request.body))
        if any(each["slug"] == request.body["slug"] for each in self.products.values()):
            return problem(409, "slug_taken")
        product = request.body | {"id": f"p{next(self._numbers)}", "active": True}
        self.products[product["id"]] = product
        return Reply(201, product)

    def restock(self, product, change):
        product["stock"] += change["delta"]
        self.restocks.append((product["slug"], change["delta"], change["reason"]))
        return Reply(201, product)

    def get_orders(self, request, rest, query):
        if not rest:
            return self.page(request, list(self.orders.values()), query)
        order = self.orders[rest[0]]
        if order["status"] == "pending":
            order["status"] = self.outcomes.get(order["key"], "confirmed")
        return Reply(200, order)

    def post_orders(self, request, rest, query):
        if not rest:
            return self.once(request, lambda: self.place(request))
        order = self.orders[rest[0]]
        if order["status"] not in ("confirmed", "cancelled"):
            return problem(409, "not_cancellable", f"it is {order['status']}")
        order["status"] = "cancelled"
        return Reply(200, order)

    def place(self, request):
        lines = request.body["lines"]
        off = [
            {"pointer": f"/lines/{place}/product"}
            for place, line in enumerate(lines)
            if not self.products.get(line["product"], {}).get("active")
        ]
        if off:
            return problem(409, "product_unavailable", errors=off)
        order = {
            "id": f"o{next(self._numbers)}",
            "user": self.users[self.caller(request)]["id"],
            "key": request.headers["idempotency-key"],
            "status": "pending",
            "lines": lines,
        }
        self.orders[order["id"]] = order
        return Reply(201, order)

    def by_slug(self, slug):
        return next(each for each in self.products.values() if each["slug"] == slug)

    def statuses(self):
        return Counter(each["status"] for each in self.orders.values())
