"""What products refuses, as the API answers it."""

from servicekit.http.problems import Problem


class InsufficientStock(Problem):
    """The adjustment would take more than there is."""

    status_code = 409
    code = "insufficient_stock"
    title = "Not enough stock"


class StockTooLarge(Problem):
    """The adjustment would exceed the largest stock we keep."""

    status_code = 409
    code = "stock_too_large"
    title = "Too much stock"


class SlugTaken(Problem):
    """Another product or category has this slug; a deleted one keeps its own."""

    status_code = 409
    code = "slug_taken"
    title = "Slug taken"


class StaleVersion(Problem):
    """The product changed since you read it."""

    status_code = 412
    code = "stale_version"
    title = "The product has changed"


class CategoryCycle(Problem):
    """A category cannot be below itself."""

    status_code = 409
    code = "category_cycle"
    title = "Category cycle"


class CategoryGone(Problem):
    """The category was deleted between the look at it and its use."""

    status_code = 409
    code = "category_gone"
    title = "Category gone"


class CategoryInUse(Problem):
    """Products or categories still hang below it."""

    status_code = 409
    code = "category_in_use"
    title = "Category in use"
