"""A small shop at rest, written straight into the tables: five orders, one for each way an order
can end.
"""

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg

USER, STAFF = uuid.UUID(int=1), uuid.UUID(int=2)
LAMP, POT, SOLD_OUT = (uuid.UUID(int=number) for number in (11, 12, 13))
CONFIRMED, REJECTED, CANCELLED, EXPIRED, VOID = (uuid.UUID(int=number) for number in range(21, 26))
PRICES = {LAMP: Decimal("10.00"), POT: Decimal("2.50"), SOLD_OUT: Decimal("1.00")}
#: By an order's state: which queue takes the event that tells of it.
QUEUES = {
    "confirmed": "products.sales",
    "cancelled": "products.orders",
    "expired": "products.orders",
}
EARLIER = datetime.now(UTC) - timedelta(hours=1)


@dataclass
class Event:
    """An event that was sent, and the queue that handled it."""

    service: str
    type: str
    subject: uuid.UUID
    data: dict
    queue: str = ""
    id: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def body(self) -> bytes:
        return json.dumps(self.data).encode()


@dataclass
class World:
    """Connections to the three databases; nothing is committed."""

    users: psycopg.Connection
    products: psycopg.Connection
    orders: psycopg.Connection

    def of(self, service: str) -> psycopg.Connection:
        return getattr(self, service)

    def build(self) -> None:
        self._products({LAMP: (100, 5, 103), POT: (10, 0, 9), SOLD_OUT: (0, 0, 0)})
        self._order(CONFIRMED, {LAMP: 2, POT: 1}, ["confirmed"], "reserved")
        self._order(REJECTED, {POT: 50}, ["rejected"], "rejected")
        self._order(CANCELLED, {LAMP: 3}, ["confirmed", "cancelled"], "released")
        self._order(EXPIRED, {LAMP: 1}, ["expired"], "released")
        self._order(VOID, {POT: 1}, ["cancelled"], "void")
        self.orders.execute(
            """INSERT INTO idempotency_key (caller, operation, key, request_hash, status, body,
                headers, created_at)
            VALUES (%s, 'place_order', 'first', '', 201, %s, '{}', %s)""",
            [USER, json.dumps({"id": str(CONFIRMED)}).encode(), EARLIER],
        )
        for connection in (self.products, self.orders):
            # A table with pending checks of foreign keys cannot be altered.
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def send(self, event: Event, *, handled: bool = True) -> Event:
        self.of(event.service).execute(
            """INSERT INTO outbox (id, type, subject, sequence, data, traceparent, created_at,
                attempts, last_error, sent_at)
            VALUES (%s, %s, %s, 1, %s, '', %s, 0, '', %s)""",
            [event.id, event.type, str(event.subject), event.body, EARLIER, EARLIER],
        )
        if event.queue and handled:
            payload_hash = hashlib.sha256(event.type.encode() + b"\0" + event.body).digest()
            self.of(event.queue.partition(".")[0]).execute(
                "INSERT INTO inbox (queue, event_id, type, payload_hash, handled_at) VALUES (%s,"
                " %s, %s, %s, %s)",
                [event.queue, event.id, event.type, payload_hash, EARLIER],
            )
        return event

    def _products(self, stocks: dict[uuid.UUID, tuple[int, int, int]]) -> None:
        for product, (initial, adjusted, stock) in stocks.items():
            self.products.execute(
                """INSERT INTO product (id, slug, name, description, price, currency, stock,
                    active, version)
                VALUES (%s, %s, 'Thing', '', %s, 'GBP', %s, true, 1)""",
                [product, str(product), PRICES[product], stock],
            )
            for kind, quantity in (("initial", initial), ("adjustment", adjusted)):
                if quantity:
                    self._move(product, kind, quantity, None)
            self.send(
                Event("products", "products.product_changed.v1", product, {}, "orders.catalogue")
            )

    def _move(self, product: uuid.UUID, kind: str, quantity: int, order: uuid.UUID | None) -> None:
        self.products.execute(
            "INSERT INTO stock_movement (product_id, kind, quantity, order_id, reason, at) VALUES"
            " (%s, %s, %s, %s, '', %s)",
            [product, kind, quantity, order, EARLIER],
        )

    def _order(
        self, order: uuid.UUID, units: dict[uuid.UUID, int], steps: list[str], reservation: str
    ) -> None:
        total = sum(PRICES[product] * quantity for product, quantity in units.items())
        self.orders.execute(
            """INSERT INTO orders (id, user_id, status, currency, total, version, placed_at,
                deadline, settled_at)
            VALUES (%s, %s, %s, 'GBP', %s, %s, %s, %s, %s)""",
            [order, USER, steps[-1], total, len(steps) + 1, EARLIER, EARLIER, EARLIER],
        )
        for product, quantity in units.items():
            self.orders.execute(
                "INSERT INTO order_line (order_id, product_id, name, unit_price, quantity) VALUES"
                " (%s, %s, 'Thing', %s, %s)",
                [order, product, PRICES[product], quantity],
            )
        lines = [
            {
                "product_id": str(product),
                "quantity": quantity,
                "unit_price": str(PRICES[product]),
                "name": "Thing",
            }
            for product, quantity in units.items()
        ]
        data = {"user_id": str(USER), "lines": lines, "total": str(total), "currency": "GBP"}
        self.send(Event("orders", "orders.order_placed.v1", order, data, "products.orders"))
        self._reserve(order, units, reservation)
        self._walk(order, steps, reservation)

    def _reserve(self, order: uuid.UUID, units: dict[uuid.UUID, int], reservation: str) -> None:
        self.products.execute(
            "INSERT INTO reservation (order_id, status, created_at, settled_at) VALUES (%s, %s, %s,"
            " %s)",
            [order, reservation, EARLIER, EARLIER],
        )
        for product, quantity in units.items():
            if reservation in ("reserved", "released"):
                self._move(product, "reservation", -quantity, order)
            if reservation == "released":
                self._move(product, "release", quantity, order)

    def _walk(self, order: uuid.UUID, steps: list[str], reservation: str) -> None:
        before, answer = "", None
        if reservation in ("reserved", "released", "rejected"):
            kind = "stock_rejected" if reservation == "rejected" else "stock_reserved"
            answer = self.send(Event("products", f"products.{kind}.v1", order, {}, "orders.stock"))
        for version, status in enumerate(["pending", *steps], start=1):
            cause = answer.id if answer and status in ("confirmed", "rejected") else None
            self.orders.execute(
                """INSERT INTO order_history (order_id, version, from_status, to_status, event_id,
                    note, at)
                VALUES (%s, %s, %s, %s, %s, '', %s)""",
                [order, version, before, status, cause, EARLIER],
            )
            before = status
            if status != "pending":
                queue = QUEUES.get(status, "")
                self.send(Event("orders", f"orders.order_{status}.v1", order, {}, queue))
        if reservation == "released":
            self.send(Event("products", "products.stock_released.v1", order, {}, "orders.stock"))
