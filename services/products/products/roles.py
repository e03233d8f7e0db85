"""The staff roles and scopes of machine clients that products reads; users grants them."""

CATALOGUE, FULFILMENT, SUPPORT = "catalogue", "fulfilment", "support"
WRITES_CATALOGUE, READS_STOCK, WRITES_STOCK = "catalogue:write", "stock:read", "stock:write"
#: What the OpenAPI document says of each.
SCOPES = {
    WRITES_CATALOGUE: "Write products, categories, attributes and images; import and export.",
    READS_STOCK: "Read the stock of products and its ledger.",
    WRITES_STOCK: "Add units to the stock, or remove them.",
}
