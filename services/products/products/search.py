"""Full text search: whole words first, then beginnings, parts and likely misspellings of words.

Each language has its own stems; the document of a product holds those of all (models/catalogue.py).
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.search import SearchHeadline, SearchQuery, SearchRank
from django.db import connection, transaction
from django.db.models import Case, F, FloatField, Q, QuerySet, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce

from products.branches import AnyOf
from products.models import BASE_LANGUAGE, SEARCH_CONFIGURATIONS

#: As PostgreSQL's parser sees words in a document (`_words` in models/catalogue.py).
WORD = re.compile(r"[^\W_]+")
MAX_WORDS = 10
#: The beginning of a word that is worth looking for: of one letter, half of the catalogue is.
MIN_PREFIX_LENGTH = 2
#: Of many products with the same words, so many are ranked: to rank a product is to read it. Those
#: with the whole words come first, and of the others so many where there is room.
RANKED, RANKED_LOOSE = 400, 200
#: From so many on a page is filled by following an order sooner than by sorting what was found.
MANY = 5000
#: ts_rank's: divided by 1 + the logarithm of the length, and brought below 1.
NORMALIZATION = 1 | 32
#: The last is of words as they are written.
CONFIGURATIONS = (*SEARCH_CONFIGURATIONS.values(), "simple")
#: What PostgreSQL puts around a word that was found: private characters, which no text of ours has
#: a use for. What is between them is escaped before they become tags.
START, STOP = "\ue000", "\ue001"

# For each word: what each configuration makes of it, which is nothing of a word that every text has
# ("of", "und"); and words of the catalogue that it is part of, or that differ from it by an edit
# (in more than five letters by two), where letters that changed places are one; never by the first
# letter. Beyond the ORM: a lateral join, and two extensions.
KNOWN_WORDS = """
    SELECT ARRAY(SELECT plainto_tsquery(configuration::regconfig, wanted.word)::text
                 FROM unnest(%s::text[]) AS configuration),
           ARRAY(
               (SELECT word FROM search_word
                WHERE length(wanted.word) >= 3 AND word LIKE '%%' || wanted.word || '%%'
                ORDER BY length(word), word LIMIT 20)
               UNION
               (SELECT word FROM search_word
                WHERE length(wanted.word) >= 4 AND word %% wanted.word
                      AND left(word, 1) = left(wanted.word, 1)
                      AND levenshtein_less_equal(word, wanted.word, 2) <= CASE
                          WHEN length(wanted.word) > 5 THEN 2
                          WHEN translate(word, wanted.word, '') = ''
                               AND translate(wanted.word, word, '') = '' THEN 2
                          ELSE 1 END
                ORDER BY similarity(word, wanted.word) DESC, word LIMIT 5)
           )
    FROM unnest(%s::text[]) AS wanted (word)
"""


@dataclass(frozen=True, slots=True)
class Search:
    """What a text asks for, as tsqueries: `whole` finds words and inflections, `loose` more."""

    whole: "TextQuery"
    loose: "TextQuery"


class TextQuery(SearchQuery):
    """A tsquery as text, with lexemes instead of words: no configuration reads it again."""

    template = "%(expressions)s::tsquery"


@contextmanager
def planned() -> Iterator[None]:
    """Let PostgreSQL plan the queries of the block for the values that they ask for, each time.

    It may take one plan for any value after some executions; that plan reads the whole list in its
    order where nothing is found. And it would rather read the whole table than a thousand
    candidates by their keys. Words are compared that have a fifth of their trigrams in common, as
    five letters have of which two changed places.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = off;"
                " SET LOCAL pg_trgm.similarity_threshold = 0.19"
            )
        yield


def parse(text: str) -> Search | None:
    """Return the search for a text of any characters; None where it has no word.

    Of more than ten words, the first ten count.
    """
    words = WORD.findall(unicodedata.normalize("NFC", text).lower())
    words = list(dict.fromkeys(words))[:MAX_WORDS]
    if not words:
        return None
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_WORDS, [list(CONFIGURATIONS), words])
        # Some letters are none to PostgreSQL's parser: no document has a word of them.
        known = [row for row in cursor.fetchall() if row[0][-1]]
    if not known:
        return None
    # Words that every text has find nothing by themselves, unless there are no others.
    telling = [row for row in known if all(row[0])] or known
    return Search(
        _all_of(_any_of(stems) for stems, _alike in telling),
        _all_of(_any_of([*stems, *_others(stems, alike)]) for stems, alike in telling),
    )


def find(rows: QuerySet[Any], search: Search) -> QuerySet[Any]:
    """Return those of `rows` that a search finds, to be put in another order than by relevance.

    The planner cannot know how many a text finds, and its guess would read the whole list in its
    order for a rare word. So it is looked at: few are found by their words and then sorted, many
    by following the order, where the next is never far.
    """
    few = list(rows.order_by().filter(document=search.loose).values_list("pk", flat=True)[:MANY])
    if len(few) == MANY:
        return rows.filter(document=search.loose)
    return rows.filter(AnyOf.keys(few))


def nothing(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return what a text without words finds, in any order."""
    found: QuerySet[Any] = rows.none().annotate(relevance=Value(0.0))
    return found


def ranked(rows: QuerySet[Any], search: Search) -> QuerySet[Any]:
    """Return those of `rows` that a search finds, with their `relevance`.

    Those with the whole words are above 1, the others below. Of thousands, the first that the
    database comes upon are ranked, so that a common word costs no more than a rare one; the others
    are not looked for where the whole words find enough. Their keys are read first: joined, the
    planner would sooner read the whole table by its keys, which are nearly in its order.
    """
    found = rows.order_by().values_list("pk", flat=True)
    whole = found.filter(document=search.whole)[:RANKED]
    loose = found.filter(~Q(document=search.whole), document=search.loose)[:RANKED_LOOSE]
    candidates = whole.union(loose, all=True)[:RANKED]
    is_whole = Case(When(Q(document=search.whole), then=Value(1.0)), default=Value(0.0))
    rank = SearchRank(F("document"), search.loose, normalization=Value(NORMALIZATION))
    relevance = Cast(is_whole + rank, FloatField())
    matching: QuerySet[Any] = rows.filter(AnyOf.keys(list(candidates)))
    with_relevance: QuerySet[Any] = matching.annotate(relevance=relevance)
    return with_relevance


def highlighted(rows: QuerySet[Any], search: Search, language: str) -> QuerySet[Any]:
    """Return rows with `found_name` and `found_description`: see `marked`."""

    def headline(name: str, **options: Any) -> SearchHeadline:
        return SearchHeadline(
            _text(name, language),
            search.loose,
            config=SEARCH_CONFIGURATIONS[language],
            start_sel=START,
            stop_sel=STOP,
            **options,
        )

    parts = {"max_fragments": 2, "max_words": 20, "min_words": 5}
    annotated: QuerySet[Any] = rows.annotate(
        found_name=headline("name", highlight_all=True),
        found_description=headline("description", **parts),
    )
    return annotated


def marked(text: str) -> str:
    """Return a headline as HTML: escaped, with <mark> around what was found."""
    return html.escape(text).replace(START, "<mark>").replace(STOP, "</mark>")


def _text(name: str, language: str) -> Any:
    if language == BASE_LANGUAGE:
        return name
    return Coalesce(KeyTextTransform(name, KeyTextTransform(language, "translations")), name)


def _all_of(queries: Iterable[str]) -> TextQuery:
    return TextQuery(" & ".join(f"({query})" for query in queries))


def _any_of(queries: Iterable[str]) -> str:
    """Each once: a lexeme costs its time in every row that is ranked."""
    return " | ".join(dict.fromkeys(filter(None, queries)))


def _others(stems: Sequence[str], alike: Iterable[str]) -> Iterator[str]:
    as_written = stems[-1]
    # Nothing but letters and digits is in any of them, so quotes cannot be broken.
    yield from (f"'{each}'" for each in alike)
    if len(as_written.strip("'")) >= MIN_PREFIX_LENGTH:
        yield f"{as_written}:*"
