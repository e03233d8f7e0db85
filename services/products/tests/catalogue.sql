-- For test_read_plans.py: enough of everything, and of product 1 much of everything.
INSERT INTO category (id, slug, name, parent_id)
    VALUES (gen_random_uuid(), 'house', 'House', NULL);
INSERT INTO category (id, slug, name, parent_id)
    SELECT gen_random_uuid(), 'leaf-' || n, 'Leaf', (SELECT id FROM category)
    FROM generate_series(0, 49) n;
INSERT INTO attribute (id, key, type, name, unit) VALUES
    (gen_random_uuid(), 'colour', 'text', 'Colour', ''),
    (gen_random_uuid(), 'height', 'number', 'Height', 'cm');
INSERT INTO product (id, slug, sku, name, description, translations, attributes, price, currency,
                     stock, version, updated_at, active, category_id, rating_average, rating_count,
                     popularity, image, created_at)
    SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'p-' || n, 'S' || n,
           CASE WHEN n IN (1, 50000) THEN 'Zinc saddle'
                ELSE (ARRAY['Red', 'White', 'Blue'])[1 + n % 3] || ' lantern ' || n END,
           '', CASE WHEN n % 10 = 0 THEN '{"de": {"name": "Laterne"}}'::jsonb
                ELSE '{}' END,
           jsonb_build_object('colour', CASE WHEN n % 5000 = 0 THEN 'gold' ELSE 'red' END,
                              'height', spread % 1000),
           spread % 500 + 1, 'EUR', n % 4, 1, now(), n % 20 > 0, leaf.id, n % 6, n % 6,
           spread % 100, '',
           now() - n * interval '1 second'
    FROM generate_series(1, 50000) n JOIN category AS leaf
         ON leaf.slug = 'leaf-' || n % 50,
         LATERAL (SELECT abs(hashint4(n))) AS hashed (spread);
INSERT INTO search_word (word)
    SELECT 'w' || substr(md5(n::text), 1, 9) FROM generate_series(1, 5000) n
    UNION SELECT unnest(ARRAY['red', 'white', 'blue', 'lantern', 'zinc', 'saddle', 'laterne']);
INSERT INTO review (id, product_id, customer_id, rating, title, comment, version)
    SELECT gen_random_uuid(), product.id, gen_random_uuid(), 5, '', '', 1
    FROM generate_series(1, 20000) n
         JOIN product ON slug = 'p-' || CASE WHEN n % 10 = 0 THEN 1 ELSE n END;
INSERT INTO stock_movement (product_id, kind, quantity, reason)
    SELECT product.id, 'initial', 1, ''
    FROM generate_series(1, 20000) n
         JOIN product ON slug = 'p-' || CASE WHEN n % 5 = 0 THEN 1 ELSE n END;
INSERT INTO stock_alert (product_id, stock, threshold, closed_at)
    SELECT id, 1, 2, CASE WHEN slug > 'p-100' THEN now() END
    FROM product WHERE slug < 'p-2';
INSERT INTO bulk_operation (id, kind, state, parameters, done, created, changed, repeated,
                            failed, position, line, error)
    SELECT gen_random_uuid(), 'activate', 'queued', '{}', 0, 0, 0, 0, 0, 0, 0, ''
    FROM generate_series(1, 2000);
INSERT INTO related_product (product_id, other_id, customers)
    SELECT product.id, other.id, 3
    FROM product JOIN product AS other ON other.id <> product.id
         AND other.slug IN ('p-2', 'p-3', 'p-5', 'p-7', 'p-9')
    WHERE product.slug LIKE 'p-1%';
ANALYZE;
