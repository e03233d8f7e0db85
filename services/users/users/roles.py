"""The roles of people and the scopes of machine clients: users grants them, every service reads
them from the token.
"""

from servicekit.auth.token_rules import ADMIN, CUSTOMER, STAFF

__all__ = ["ADMIN", "CUSTOMER", "SCOPES", "STAFF", "STAFF_ROLES", "SUPPORT", "USERS_READ"]

SUPPORT = "support"
#: Django groups of these names hold them. Whoever has one is staff.
STAFF_ROLES = {
    ADMIN: "Everything, roles and machine clients included.",
    "catalogue": "Products, categories, images, imports, stock, reviews.",
    "fulfilment": "Everybody's orders to read, ship and deliver, returns, and the stock.",
    SUPPORT: "Everybody's orders to read and cancel, reviews, the list of accounts.",
}
USERS_READ = "users:read"
#: What each lets a machine client do.
SCOPES = {
    "catalogue:write": "Write products, categories, attributes and images; import and export.",
    "orders:cancel": "Cancel everybody's orders.",
    "orders:fulfil": "Ship and deliver everybody's orders, and take units back.",
    "orders:read": "Read everybody's orders and their history.",
    "stock:read": "Read the stock of products and its ledger.",
    "stock:write": "Add units to the stock, or remove them.",
    USERS_READ: "List accounts.",
}
