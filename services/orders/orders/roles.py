"""The staff roles and scopes of machine clients that orders reads; users grants them."""

FULFILMENT, SUPPORT = "fulfilment", "support"
READS_ORDERS, CANCELS_ORDERS = "orders:read", "orders:cancel"
FULFILS_ORDERS = "orders:fulfil"
#: What the OpenAPI document says of each.
SCOPES = {
    READS_ORDERS: "Read everybody's orders and their history.",
    CANCELS_ORDERS: "Cancel everybody's orders.",
    FULFILS_ORDERS: "Ship and deliver everybody's orders, and take units back.",
}
