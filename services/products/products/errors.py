"""What products refuses, as the API answers it: codes and titles are the class names' words."""

from servicekit.http.problems import Conflict, Problem


class InsufficientStock(Conflict):
    """The adjustment would take more than there is."""

    title = "Not enough stock"


class StockTooLarge(Conflict):
    """The adjustment would exceed the largest stock we keep."""

    title = "Too much stock"


class SlugTaken(Conflict):
    """Another product or category has this slug; a deleted one keeps its own."""


class SkuTaken(Conflict):
    """Another product has this SKU."""


class ProductHasStock(Conflict):
    """Units of it are left: to switch it off takes `even_with_stock`."""


class NotABuyer(Problem):
    """Only customers with a confirmed order of a product review it."""

    status_code = 403


class AlreadyReviewed(Conflict):
    """A customer has one review of a product: edit that."""


class StaleVersion(Problem):
    """The product changed since the caller read it."""

    status_code = 412
    title = "The product has changed"


class CategoryCycle(Conflict):
    """A category cannot be below itself, nor deeper than ten."""


class CategoryGone(Conflict):
    """The category was deleted between its lookup and its use."""


class CategoryInUse(Conflict):
    """Products or categories are below it."""


class AttributeKeyTaken(Conflict):
    """Another attribute has this key."""


class AttributeInUse(Conflict):
    """Products have a value of it."""


class UnsupportedImage(Problem):
    """The body is no image of a format that is read, whatever it says it is."""

    status_code = 415


class InvalidImage(Problem):
    """The image cannot be taken; `errors` says why."""

    status_code = 422

    def __init__(self, *, code: str, detail: str) -> None:
        super().__init__(detail, errors=[{"pointer": "", "code": code, "detail": detail}])


class TooManyImages(Conflict):
    """The product has as many images as a product may have."""


class TooManyOperations(Conflict):
    """So many bulk operations wait that another is not taken."""


class OperationUnfinished(Conflict):
    """A bulk operation is undone after it has ended."""


class OperationFinished(Conflict):
    """A bulk operation that has ended cannot be cancelled; it may be undone."""


class NotUndoable(Conflict):
    """Only price changes and switches on and off are undone."""


class AlreadyUndone(Conflict):
    """The bulk operation was undone before, or is being undone."""
