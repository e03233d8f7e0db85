"""The staff roles and scopes of machine clients that orders reads; users grants them."""

FULFILMENT, SUPPORT = "fulfilment", "support"
READS_ORDERS, CANCELS_ORDERS = "orders:read", "orders:cancel"
#: What the OpenAPI document says of each.
SCOPES = {
    READS_ORDERS: "Read everybody's orders and their history.",
    CANCELS_ORDERS: "Cancel everybody's orders.",
}
