"""I15: orders, their payments and the test provider's book agree; carts name orders that exist."""

from audit.result import Result
from audit.sources import Sources

# A payment that still waits for an answer is judged once that has come.
AT_REST = """
    NOT EXISTS (
        SELECT FROM payment_step AS open WHERE open.payment_id = payment.id
        AND open.answered_at IS NULL AND NOT EXISTS (
            SELECT FROM payment_step AS void WHERE void.payment_id = payment.id
            AND void.operation = 'void' AND void.approved))
"""
NOT_AS_THE_ORDER = f"""
    SELECT orders.id::text, orders.status, coalesce(payment.state, 'missing') FROM orders
    JOIN payment ON payment.order_id = orders.id
    WHERE {AT_REST} AND NOT CASE
        WHEN orders.status = 'pending' THEN payment.state = 'requested'
        WHEN orders.status = 'confirmed' AND orders.shipment_count = 0
            THEN payment.state = 'authorised'
        WHEN orders.status IN ('confirmed', 'shipped', 'delivered')
            THEN payment.state IN ('captured', 'refunded')
        WHEN orders.status IN ('cancelled', 'expired')
            THEN payment.state IN ('voided', 'declined', 'refunded')
        ELSE false
    END
"""  # noqa: S608  our own constant
NOT_ITS_STEPS = """
    SELECT payment.id::text, payment.amount, orders.total, payment.refunded_amount,
        coalesce(refunds.amount, 0)
    FROM payment JOIN orders ON orders.id = payment.order_id LEFT JOIN (
        SELECT payment_id, sum(amount) AS amount FROM payment_step
        WHERE operation = 'refund' AND approved GROUP BY payment_id
    ) AS refunds ON refunds.payment_id = payment.id
    WHERE payment.amount <> orders.total OR payment.currency <> orders.currency
        OR payment.refunded_amount <> coalesce(refunds.amount, 0)
"""
# What the provider has of a customer: set aside or taken, less what it let go or gave back.
NOT_THE_PROVIDERS = f"""
    SELECT payment.id::text, payment.state, book.held FROM payment JOIN (
        SELECT payment_id, greatest(0,
            coalesce(sum(amount) FILTER (WHERE operation = 'authorise' AND approved), 0)
            - coalesce(sum(amount) FILTER (WHERE operation IN ('void', 'refund') AND approved), 0)
        ) AS held FROM test_provider_entry GROUP BY payment_id
    ) AS book ON book.payment_id = payment.id
    WHERE {AT_REST} AND book.held <> CASE
        WHEN payment.state IN ('authorised', 'captured', 'refunded')
            THEN payment.amount - payment.refunded_amount
        ELSE 0
    END
"""  # noqa: S608  our own constant
CARTS = """
    SELECT cart.id::text, last_order_id::text FROM cart
    LEFT JOIN orders ON orders.id = cart.last_order_id AND orders.user_id = cart.user_id
    WHERE last_order_id IS NOT NULL AND orders.id IS NULL
"""


def agreement(sources: Sources) -> Result:
    """I15: money follows the goods: authorised ⇔ confirmed, captured ⇔ shipped, let go or given
    back ⇔ ended without them or returned.
    """
    found = [
        f"order {order} is {status}, its payment is {state}"
        for order, status, state in sources.orders.rows(NOT_AS_THE_ORDER)
    ]
    found += [
        f"payment {payment}: {amount} of an order of {total}, {told} refunded by its row and"
        f" {steps} by its steps (or the currencies differ)"
        for payment, amount, total, told, steps in sources.orders.rows(NOT_ITS_STEPS)
    ]
    found += [
        f"payment {payment} is {state}, the provider has {held} of the customer"
        for payment, state, held in sources.orders.rows(NOT_THE_PROVIDERS)
    ]
    found += [
        f"cart {cart} was checked out as order {order}, which its customer does not have"
        for cart, order in sources.orders.rows(CARTS)
    ]
    payments = sources.orders.number("SELECT count(*) FROM payment")
    carts = sources.orders.number("SELECT count(*) FROM cart")
    return Result(
        "I15",
        "payments and carts agree with orders",
        f"{payments} payments, {carts} carts",
        found,
        "look at the worker's log for `the payment provider refuses`: a person settles that with"
        " the provider",
    )
