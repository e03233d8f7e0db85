"""The words of generated names and descriptions, in English and in German."""

from itertools import islice, product
from math import isqrt

#: Of the tree of categories: so many at each level below each of the level above.
BRANCHES = (8, 5, 5)

COLOURS = {
    "Red": "rot", "White": "weiß", "Blue": "blau", "Green": "grün", "Black": "schwarz",
    "Grey": "grau", "Yellow": "gelb", "Brown": "braun", "Silver": "silbern", "Golden": "golden",
    "Violet": "violett", "Orange": "orange", "Ivory": "elfenbein", "Turquoise": "türkis",
    "Crimson": "karmin", "Striped": "gestreift",
}  # fmt: skip
MATERIALS = {
    "oak": "Eiche", "linen": "Leinen", "copper": "Kupfer", "glass": "Glas", "cotton": "Baumwolle",
    "leather": "Leder", "bamboo": "Bambus", "steel": "Stahl", "wool": "Wolle", "marble": "Marmor",
    "ceramic": "Keramik", "walnut": "Nussbaum", "brass": "Messing", "rattan": "Rattan",
    "velvet": "Samt", "paper": "Papier", "granite": "Granit", "cork": "Kork", "silk": "Seide",
    "enamel": "Emaille",
}  # fmt: skip
THINGS = {
    "armchair": "Sessel", "lantern": "Laterne", "kettle": "Kessel", "blanket": "Decke",
    "bookcase": "Regal", "teapot": "Teekanne", "cushion": "Kissen", "mirror": "Spiegel",
    "candlestick": "Kerzenständer", "basket": "Korb", "wardrobe": "Schrank", "pillow": "Polster",
    "carpet": "Teppich", "curtain": "Vorhang", "drawer": "Schublade", "dresser": "Kommode",
    "flowerpot": "Blumentopf", "hammock": "Hängematte", "jewellery": "Schmuck", "kitchen": "Küche",
    "ladder": "Leiter", "mattress": "Matratze", "napkin": "Serviette", "notebook": "Notizbuch",
    "ornament": "Anhänger", "parasol": "Sonnenschirm", "pitcher": "Krug", "platter": "Platte",
    "quilt": "Steppdecke", "rocking": "Schaukel", "saucepan": "Kochtopf", "shelf": "Brett",
    "skillet": "Pfanne", "spoon": "Löffel", "stool": "Hocker", "table": "Tisch",
    "tablecloth": "Tischdecke", "towel": "Handtuch", "umbrella": "Schirm", "vase": "Vase",
}  # fmt: skip
SENTENCES = (
    "Made by hand in a small workshop.", "Easy to clean with a damp cloth.",
    "Suitable for indoor and outdoor use.", "Comes with a guarantee of two years.",
    "Delivered in a box of recycled cardboard.", "The surface is treated with natural oil.",
    "Each piece has its own grain.", "A present that lasts for many years.",
    "Stackable, so that it takes little room.", "Tested for everyday use by a family of five.",
    "Spare parts can be ordered separately.", "Designed for small flats and large gardens.",
)  # fmt: skip
GERMAN_SENTENCES = (
    "Von Hand in einer kleinen Werkstatt gefertigt.", "Leicht mit einem feuchten Tuch zu reinigen.",
    "Für drinnen und draußen geeignet.", "Mit zwei Jahren Garantie.",
)  # fmt: skip
SYLLABLES = [a + b for a, b in product("bdfgklmnprstvz", "aeiou")]


def brands(products: int) -> list[str]:
    """Return the invented makers of so many products: a vocabulary grows with the square root of
    its text (Heaps' law), to 30,000 words for a million.
    """
    return ["".join(each) for each in islice(product(SYLLABLES, repeat=3), 30 * isqrt(products))]


def categories() -> list[tuple[int, int | None, str]]:
    """Return the tree: number, number of the parent, slug; parents first."""
    found: list[tuple[int, int | None, str]] = []
    level: list[tuple[int | None, str]] = [(None, "generated")]
    for width in BRANCHES:
        below = [(parent, f"{slug}-{place}") for parent, slug in level for place in range(width)]
        rows = [(len(found) + at, *each) for at, each in enumerate(below)]
        found += rows
        level = [(number, slug) for number, _parent, slug in rows]
    return found


def leaves() -> list[int]:
    """Return the numbers of the categories that have products."""
    parents = {parent for _number, parent, _slug in categories()}
    return [number for number, _parent, _slug in categories() if number not in parents]
