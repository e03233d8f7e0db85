"""A small shop at rest, written straight into the tables: six orders, one for each way an order
can end, and one of which something came back.
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
CONFIRMED, REJECTED, CANCELLED, EXPIRED, VOID, DELIVERED = (
    uuid.UUID(int=number) for number in range(21, 27)
)
SHIPMENT, RETURN = uuid.UUID(int=31), uuid.UUID(int=32)
PRICES = {LAMP: Decimal("10.00"), POT: Decimal("2.50"), SOLD_OUT: Decimal("1.00")}
#: By an order's state: which queues take the event that tells of it.
QUEUES = {
    "confirmed": "products.sales users.orders",
    "rejected": "users.orders",
    "cancelled": "products.orders users.orders",
    "expired": "products.orders",
    "shipped": "users.orders",
    "delivered": "",
}
EARLIER = datetime.now(UTC) - timedelta(hours=1)


@dataclass
class Event:
    """An event that was sent, and the queues that handled it, with blanks between."""

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
        self._products({LAMP: (100, 5, 102), POT: (10, 0, 9), SOLD_OUT: (0, 0, 0)})
        self._order(CONFIRMED, {LAMP: 2, POT: 1}, ["confirmed"], "reserved")
        self._order(REJECTED, {POT: 50}, ["rejected"], "rejected")
        self._order(CANCELLED, {LAMP: 3}, ["confirmed", "cancelled"], "released")
        self._order(EXPIRED, {LAMP: 1}, ["expired"], "released")
        self._order(VOID, {POT: 1}, ["cancelled"], "void")
        steps = ["confirmed", "confirmed", "shipped", "delivered", "delivered"]
        self._order(DELIVERED, {LAMP: 2}, steps, "reserved")
        self._ship_and_return(DELIVERED, {LAMP: 2}, {LAMP: 1})
        self._pay(CONFIRMED, "authorised", ["authorise"])
        self._pay(CANCELLED, "voided", ["authorise", "void"])
        self._pay(DELIVERED, "captured", ["authorise", "capture", "refund"], refunded="10.00")
        self.orders.execute(
            "INSERT INTO cart (id, user_id, version, last_order_id) VALUES (%s, %s, 2, %s)",
            [uuid.UUID(int=51), USER, CONFIRMED],
        )
        self.orders.execute(
            """INSERT INTO idempotency_key (caller, operation, key, request_hash, status, body,
                headers, created_at)
            VALUES (%s, 'place_order', 'first', '', 201, %s, '{}', %s)""",
            [USER, json.dumps({"id": str(CONFIRMED)}).encode(), EARLIER],
        )
        for operation in ("ship_order", "return_units"):
            self.orders.execute(
                """INSERT INTO idempotency_key (caller, operation, key, request_hash, status, body,
                    headers, created_at)
                VALUES (%s, %s, 'first', '', 200, %s, '{}', %s)""",
                [STAFF, operation, json.dumps({"id": str(DELIVERED)}).encode(), EARLIER],
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
        for queue in event.queue.split() if handled else ():
            payload_hash = hashlib.sha256(event.type.encode() + b"\0" + event.body).digest()
            self.of(queue.partition(".")[0]).execute(
                "INSERT INTO inbox (queue, event_id, type, payload_hash, handled_at) VALUES (%s,"
                " %s, %s, %s, %s)",
                [queue, event.id, event.type, payload_hash, EARLIER],
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

    def _pay(
        self, order: uuid.UUID, state: str, operations: list[str], refunded: str = "0"
    ) -> None:
        """Pay for an order, in the shop's book and the provider's."""
        payment = uuid.uuid4()
        self.orders.execute(
            """INSERT INTO payment (id, order_id, amount, currency, state, refunded_amount,
                cause_id, traceparent)
            SELECT %s, id, total, currency, %s, %s, id, '' FROM orders WHERE id = %s""",
            [payment, state, refunded, order],
        )
        for operation in operations:
            amount = refunded if operation == "refund" else None
            step = uuid.uuid4()
            self.orders.execute(
                """INSERT INTO payment_step (id, payment_id, operation, key, amount, asked_at,
                    answered_at, approved)
                SELECT %s, id, %s, %s, coalesce(%s, amount), %s, %s, true FROM payment
                WHERE id = %s""",
                [step, operation, operation, amount, EARLIER, EARLIER, payment],
            )
            self.orders.execute(
                """INSERT INTO test_provider_entry (key, payment_id, operation, amount, approved,
                    calls)
                SELECT id, payment_id, operation, amount, true, 1 FROM payment_step WHERE id = %s
                """,
                [step],
            )

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

    def _ship_and_return(
        self, order: uuid.UUID, shipped: dict[uuid.UUID, int], back: dict[uuid.UUID, int]
    ) -> None:
        self.orders.execute(
            "INSERT INTO shipment (id, order_id, carrier, tracking_number, shipped_by) VALUES"
            " (%s, %s, '', '', %s)",
            [SHIPMENT, order, STAFF],
        )
        self.orders.execute(
            "INSERT INTO order_return (id, order_id, received_by) VALUES (%s, %s, %s)",
            [RETURN, order, STAFF],
        )
        for product, quantity in shipped.items():
            self._units("shipped", "shipment_line", "shipment_id", SHIPMENT, product, quantity)
        for product, quantity in back.items():
            self._units(
                "returned", "order_return_line", "order_return_id", RETURN, product, quantity
            )
            self.products.execute(
                "INSERT INTO stock_movement (product_id, kind, quantity, order_id, return_id,"
                " reason, at) VALUES (%s, 'return', %s, %s, %s, '', %s)",
                [product, quantity, order, RETURN, EARLIER],
            )
        self.send(Event("orders", "orders.order_returned.v1", order, {}, "products.returns"))

    def _units(
        self,
        column: str,
        table: str,
        owner: str,
        owner_id: uuid.UUID,
        product: uuid.UUID,
        quantity: int,
    ) -> None:
        self.orders.execute(
            f"""WITH line AS (
                UPDATE order_line SET {column} = %s WHERE order_id = %s AND product_id = %s
                RETURNING id
            ) INSERT INTO {table} ({owner}, line_id, quantity) SELECT %s, id, %s FROM line""",  # noqa: S608
            [quantity, DELIVERED, product, owner_id, quantity],
        )

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
            if status != before and status in QUEUES:
                kind = f"orders.order_{status}.v1"
                self.send(Event("orders", kind, order, {}, QUEUES[status]))
            before = status
        if reservation == "released":
            self.send(Event("products", "products.stock_released.v1", order, {}, "orders.stock"))
