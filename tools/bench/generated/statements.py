"""The statements that make a catalogue, twenty thousand products at a time.

Everything about a product follows from its number and is drawn first, so that its reviews, its
ledger and its counters agree with it, as the service's own would.
"""

#: `pick` is a number from 1 to `most` by chance, but the same each time; ids are UUIDv7 of the time
#: at which a product was created: a minute after the one before it, the newest now.
PREPARE = """
    CREATE FUNCTION pg_temp.pick(number bigint, about int, most int) RETURNS int
        IMMUTABLE LANGUAGE sql AS
        'SELECT ((hashint8extended(number, about) & 9223372036854775807) % most)::int + 1';
    CREATE FUNCTION pg_temp.id_of(number bigint, at timestamptz) RETURNS uuid
        IMMUTABLE LANGUAGE sql AS $$
        SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
            || substr(md5(number::text), 1, 3) || 'a' || substr(md5(number::text), 4, 15))::uuid $$;
    CREATE FUNCTION pg_temp.category_id(number bigint) RETURNS uuid
        IMMUTABLE LANGUAGE sql AS
        $$ SELECT pg_temp.id_of(number, timestamptz '2020-01-01 00:00Z') $$;
    CREATE FUNCTION pg_temp.rating(number bigint, place int) RETURNS int
        IMMUTABLE LANGUAGE sql AS
        'SELECT greatest(pg_temp.pick(number, 100 + place, 5), pg_temp.pick(number, 200, 5))';
    CREATE TEMP TABLE drawn (
        id uuid, n bigint, at timestamptz, colour int, material int, thing int, brand text,
        leaf int, price numeric, stock int, threshold int, reviews int, views int, units int
    ) ON COMMIT DELETE ROWS;
"""
CATEGORY = """
    INSERT INTO category (id, slug, name, parent_id) VALUES (
        pg_temp.category_id(%s), %s, initcap(replace(%s, '-', ' ')), pg_temp.category_id(%s))
"""
ATTRIBUTES = """
    INSERT INTO attribute (id, key, type, name, unit) VALUES
        (pg_temp.category_id(-1), 'colour', 'text', 'Colour', ''),
        (pg_temp.category_id(-2), 'material', 'text', 'Material', ''),
        (pg_temp.category_id(-3), 'width', 'number', 'Width', 'cm'),
        (pg_temp.category_id(-4), 'foldable', 'boolean', 'Foldable', '')
"""
# What everything is made of. Of ten products one has reviews, of five one was looked at lately.
DRAW = """
    INSERT INTO drawn
    SELECT pg_temp.id_of(n, at), *
    FROM (
        SELECT n, %(newest)s::timestamptz - (%(total)s - n) * interval '1 minute' AS at,
            pg_temp.pick(n, 1, cardinality(%(colours)s::text[])) AS colour,
            pg_temp.pick(n, 2, cardinality(%(materials)s::text[])) AS material,
            pg_temp.pick(n, 3, cardinality(%(things)s::text[])) AS thing,
            (%(brands)s::text[])[pg_temp.pick(n, 4, cardinality(%(brands)s::text[]))] AS brand,
            (%(leaves)s::int[])[pg_temp.pick(n, 5, cardinality(%(leaves)s::int[]))] AS leaf,
            (100 * exp(pg_temp.pick(n, 6, 10000) / 1600.0))::int / 100.0 AS price,
            CASE WHEN pg_temp.pick(n, 7, 10) > 2 THEN pg_temp.pick(n, 8, 200) ELSE 0 END AS stock,
            CASE WHEN pg_temp.pick(n, 9, 10) = 1 THEN 5 ELSE 0 END AS threshold,
            CASE WHEN pg_temp.pick(n, 10, 10) = 1 THEN pg_temp.pick(n, 11, 5) ELSE 0 END AS reviews,
            CASE WHEN pg_temp.pick(n, 12, 5) = 1 THEN pg_temp.pick(n, 13, 50) ELSE 0 END AS views,
            CASE WHEN pg_temp.pick(n, 14, 20) = 1 THEN pg_temp.pick(n, 15, 9) ELSE 0 END AS units
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
    ) AS numbered
"""
PRODUCTS = """
    INSERT INTO product (id, slug, sku, name, description, translations, attributes, price,
        compare_at_price, currency, stock, low_stock_threshold, active, category_id,
        rating_count, rating_average, popularity, version, created_at, updated_at)
    SELECT id,
        lower(colours[colour] || '-' || materials[material] || '-' || things[thing]) || '-' || n,
        'G-' || n, concat_ws(' ', colours[colour], materials[material], things[thing], brand),
        concat_ws(' ', 'A', things[thing], 'of', materials[material] || ', by', brand || '.',
            sentences[pg_temp.pick(n, 16, cardinality(sentences))],
            sentences[pg_temp.pick(n, 17, cardinality(sentences))],
            sentences[pg_temp.pick(n, 18, cardinality(sentences))]),
        CASE WHEN pg_temp.pick(n, 19, 3) > 1 THEN '{}' ELSE jsonb_build_object('de',
            jsonb_build_object(
                'name', concat_ws(' ', german_things[thing], german_materials[material],
                    german_colours[colour], brand),
                'description', german_sentences[pg_temp.pick(n, 20, cardinality(german_sentences))])
            ) END,
        jsonb_build_object('colour', lower(colours[colour]), 'material', materials[material],
            'width', pg_temp.pick(n, 21, 200), 'foldable', pg_temp.pick(n, 22, 4) = 1),
        price, CASE WHEN pg_temp.pick(n, 23, 10) = 1 THEN round(price * 1.25, 2) + 0.01 END, 'EUR',
        stock, threshold, true, pg_temp.category_id(leaf), reviews,
        coalesce((SELECT round(avg(pg_temp.rating(n, place)), 2)
                  FROM generate_series(1, reviews) AS place), 0),
        units * %(per_unit)s + views, 1, at, at
    FROM drawn, (SELECT
        %(colours)s::text[] AS colours, %(german_colours)s::text[] AS german_colours,
        %(materials)s::text[] AS materials, %(german_materials)s::text[] AS german_materials,
        %(things)s::text[] AS things, %(german_things)s::text[] AS german_things,
        %(sentences)s::text[] AS sentences, %(german_sentences)s::text[] AS german_sentences
    ) AS vocabulary
"""
MOVEMENTS = """
    INSERT INTO stock_movement (product_id, kind, quantity, reason, at)
    SELECT id, 'initial', stock, '', at FROM drawn WHERE stock > 0
"""
ALERTS = """
    INSERT INTO stock_alert (product_id, stock, threshold, mailed_at)
    SELECT id, stock, threshold, now() FROM drawn WHERE threshold > 0 AND stock <= threshold
"""
# Who writes a review has bought the product.
PURCHASES = """
    INSERT INTO purchase (customer_id, product_id, at)
    SELECT md5(n || '/' || place)::uuid, id, at FROM drawn, generate_series(1, reviews) AS place
"""
REVIEWS = """
    INSERT INTO review (id, product_id, customer_id, rating, title, comment, version, created_at,
        updated_at)
    SELECT gen_random_uuid(), id, md5(n || '/' || place)::uuid, pg_temp.rating(n, place),
        'As described', (%(sentences)s::text[])[place], 1, at, at
    FROM drawn, generate_series(1, reviews) AS place
"""
VIEWS = """
    INSERT INTO product_views (product_id, day, views)
    SELECT id, current_date - 1, views FROM drawn WHERE views > 0
"""
SALES = """
    INSERT INTO product_sales (product_id, day, units)
    SELECT id, current_date - 1, units FROM drawn WHERE units > 0
"""
OF_PRODUCTS = (DRAW, PRODUCTS, MOVEMENTS, ALERTS, PURCHASES, REVIEWS, VIEWS, SALES)
# Letters alone, as services/search_words.py learns them.
WORDS = r"""
    INSERT INTO search_word (word)
    SELECT DISTINCT word
    FROM (SELECT name FROM product UNION ALL
          SELECT translations #>> '{de,name}' FROM product WHERE translations <> '{}') AS each,
         regexp_split_to_table(lower(name), '[^[:alpha:]]+') AS word
    WHERE length(word) BETWEEN 3 AND 200
    ON CONFLICT DO NOTHING
"""
# Those that no constraint needs: made again when the tables are full, which is several times
# faster than row by row.
INDEXES = """
    SELECT index.relname, pg_get_indexdef(indexrelid)
    FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
    WHERE indrelid = ANY(%s::regclass[]) AND NOT indisunique AND NOT indisprimary
    ORDER BY index.relname
"""
TABLES = [
    "product", "stock_movement", "stock_alert", "purchase", "review", "product_views",
    "product_sales", "search_word",
]  # fmt: skip
