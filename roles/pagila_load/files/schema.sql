-- Pagila as of release v3.1.0: types, sequences, tables, functions and views.
--
-- The first of the files of one load: schema.sql, then the rows (generate.sql or a data dump of the release), then
-- constraints.sql. Keys, indexes and triggers come after the rows because building them once is several times cheaper
-- than keeping them up to date row by row.
--
-- Every name is qualified: the file works whatever search_path is, and so do the functions it makes.

SET client_encoding = 'UTF8';
SET client_min_messages = warning;

-- Types

-- Spelled with the two dotless letters the release has; no column uses it.
CREATE DOMAIN public."bıgınt" AS bigint;

CREATE DOMAIN public.year AS integer
    CONSTRAINT year_check CHECK (VALUE BETWEEN 1901 AND 2155);

CREATE TYPE public.mpaa_rating AS ENUM ('G', 'PG', 'PG-13', 'R', 'NC-17');

-- Sequences: on their own, not owned by the columns they serve

CREATE SEQUENCE public.actor_actor_id_seq;
CREATE SEQUENCE public.address_address_id_seq;
CREATE SEQUENCE public.category_category_id_seq;
CREATE SEQUENCE public.city_city_id_seq;
CREATE SEQUENCE public.country_country_id_seq;
CREATE SEQUENCE public.customer_customer_id_seq;
CREATE SEQUENCE public.film_film_id_seq;
CREATE SEQUENCE public.inventory_inventory_id_seq;
CREATE SEQUENCE public.language_language_id_seq;
CREATE SEQUENCE public.payment_payment_id_seq;
CREATE SEQUENCE public.rental_rental_id_seq;
CREATE SEQUENCE public.staff_staff_id_seq;
CREATE SEQUENCE public.store_store_id_seq;

-- Places

CREATE TABLE public.country (
    country_id  integer     NOT NULL DEFAULT nextval('public.country_country_id_seq'),
    country     text        NOT NULL,
    last_update timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.city (
    city_id     integer     NOT NULL DEFAULT nextval('public.city_city_id_seq'),
    city        text        NOT NULL,
    country_id  integer     NOT NULL,
    last_update timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.address (
    address_id  integer     NOT NULL DEFAULT nextval('public.address_address_id_seq'),
    address     text        NOT NULL,
    address2    text,
    district    text        NOT NULL,
    city_id     integer     NOT NULL,
    postal_code text,
    phone       text        NOT NULL,
    last_update timestamptz NOT NULL DEFAULT now()
);

-- The catalogue

CREATE TABLE public.language (
    language_id integer       NOT NULL DEFAULT nextval('public.language_language_id_seq'),
    name        character(20) NOT NULL,
    last_update timestamptz   NOT NULL DEFAULT now()
);

CREATE TABLE public.category (
    category_id integer     NOT NULL DEFAULT nextval('public.category_category_id_seq'),
    name        text        NOT NULL,
    last_update timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.actor (
    actor_id    integer     NOT NULL DEFAULT nextval('public.actor_actor_id_seq'),
    first_name  text        NOT NULL,
    last_name   text        NOT NULL,
    last_update timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.film (
    film_id              integer            NOT NULL DEFAULT nextval('public.film_film_id_seq'),
    title                text               NOT NULL,
    description          text,
    release_year         public.year,
    language_id          integer            NOT NULL,
    original_language_id integer,
    rental_duration      smallint           NOT NULL DEFAULT 3,
    rental_rate          numeric(4,2)       NOT NULL DEFAULT 4.99,
    length               smallint,
    replacement_cost     numeric(5,2)       NOT NULL DEFAULT 19.99,
    rating               public.mpaa_rating DEFAULT 'G',
    last_update          timestamptz        NOT NULL DEFAULT now(),
    special_features     text[],
    fulltext             tsvector           NOT NULL
);

CREATE TABLE public.film_actor (
    actor_id    integer     NOT NULL,
    film_id     integer     NOT NULL,
    last_update timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.film_category (
    film_id     integer     NOT NULL,
    category_id integer     NOT NULL,
    last_update timestamptz NOT NULL DEFAULT now()
);

-- The business

CREATE TABLE public.store (
    store_id         integer     NOT NULL DEFAULT nextval('public.store_store_id_seq'),
    manager_staff_id integer     NOT NULL,
    address_id       integer     NOT NULL,
    last_update      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.staff (
    staff_id    integer     NOT NULL DEFAULT nextval('public.staff_staff_id_seq'),
    first_name  text        NOT NULL,
    last_name   text        NOT NULL,
    address_id  integer     NOT NULL,
    email       text,
    store_id    integer     NOT NULL,
    active      boolean     NOT NULL DEFAULT true,
    username    text        NOT NULL,
    password    text,
    last_update timestamptz NOT NULL DEFAULT now(),
    picture     bytea
);

CREATE TABLE public.customer (
    customer_id integer     NOT NULL DEFAULT nextval('public.customer_customer_id_seq'),
    store_id    integer     NOT NULL,
    first_name  text        NOT NULL,
    last_name   text        NOT NULL,
    email       text,
    address_id  integer     NOT NULL,
    activebool  boolean     NOT NULL DEFAULT true,
    create_date date        NOT NULL DEFAULT CURRENT_DATE,
    last_update timestamptz DEFAULT now(),
    active      integer
);

CREATE TABLE public.inventory (
    inventory_id integer     NOT NULL DEFAULT nextval('public.inventory_inventory_id_seq'),
    film_id      integer     NOT NULL,
    store_id     integer     NOT NULL,
    last_update  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.rental (
    rental_id    integer     NOT NULL DEFAULT nextval('public.rental_rental_id_seq'),
    rental_date  timestamptz NOT NULL,
    inventory_id integer     NOT NULL,
    customer_id  integer     NOT NULL,
    return_date  timestamptz,
    staff_id     integer     NOT NULL,
    last_update  timestamptz NOT NULL DEFAULT now()
);

-- A partition for each month, cut at midnight UTC.
CREATE TABLE public.payment (
    payment_id   integer      NOT NULL DEFAULT nextval('public.payment_payment_id_seq'),
    customer_id  integer      NOT NULL,
    staff_id     integer      NOT NULL,
    rental_id    integer      NOT NULL,
    amount       numeric(5,2) NOT NULL,
    payment_date timestamptz  NOT NULL
) PARTITION BY RANGE (payment_date);

CREATE TABLE public.payment_p2022_01 PARTITION OF public.payment
    FOR VALUES FROM ('2022-01-01 00:00:00+00') TO ('2022-02-01 00:00:00+00');
CREATE TABLE public.payment_p2022_02 PARTITION OF public.payment
    FOR VALUES FROM ('2022-02-01 00:00:00+00') TO ('2022-03-01 00:00:00+00');
CREATE TABLE public.payment_p2022_03 PARTITION OF public.payment
    FOR VALUES FROM ('2022-03-01 00:00:00+00') TO ('2022-04-01 00:00:00+00');
CREATE TABLE public.payment_p2022_04 PARTITION OF public.payment
    FOR VALUES FROM ('2022-04-01 00:00:00+00') TO ('2022-05-01 00:00:00+00');
CREATE TABLE public.payment_p2022_05 PARTITION OF public.payment
    FOR VALUES FROM ('2022-05-01 00:00:00+00') TO ('2022-06-01 00:00:00+00');
CREATE TABLE public.payment_p2022_06 PARTITION OF public.payment
    FOR VALUES FROM ('2022-06-01 00:00:00+00') TO ('2022-07-01 00:00:00+00');
CREATE TABLE public.payment_p2022_07 PARTITION OF public.payment
    FOR VALUES FROM ('2022-07-01 00:00:00+00') TO ('2022-08-01 00:00:00+00');

-- Functions

CREATE FUNCTION public._group_concat(text, text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$ SELECT coalesce($1 || ', ' || $2, $1, $2) $$;

CREATE AGGREGATE public.group_concat(text) (SFUNC = public._group_concat, STYPE = text);

CREATE FUNCTION public.last_day(timestamp with time zone) RETURNS date
    LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT (date_trunc('month', $1) + interval '1 month' - interval '1 day')::date $$;

CREATE FUNCTION public.last_updated() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.last_update := now();
    RETURN NEW;
END
$$;

-- A copy is in stock unless one of its rentals has not come back.
CREATE FUNCTION public.inventory_in_stock(p_inventory_id integer) RETURNS boolean
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
    RETURN NOT EXISTS (
        SELECT FROM public.rental AS r
        WHERE r.inventory_id = p_inventory_id AND r.return_date IS NULL
    );
END
$$;

-- Who has the copy now; null when nobody has.
CREATE FUNCTION public.inventory_held_by_customer(p_inventory_id integer) RETURNS integer
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
    RETURN (
        SELECT r.customer_id FROM public.rental AS r
        WHERE r.inventory_id = p_inventory_id AND r.return_date IS NULL
        ORDER BY r.rental_date DESC
        LIMIT 1
    );
END
$$;

-- The copies of a film that a store can hand out, by inventory_id (the name of the result is the release's).
CREATE FUNCTION public.film_in_stock(p_film_id integer, p_store_id integer, OUT p_film_count integer)
    RETURNS SETOF integer
    LANGUAGE sql STABLE
    AS $$
    SELECT i.inventory_id FROM public.inventory AS i
    WHERE i.film_id = p_film_id AND i.store_id = p_store_id AND public.inventory_in_stock(i.inventory_id)
$$;

-- The copies of a film that a store has lent.
CREATE FUNCTION public.film_not_in_stock(p_film_id integer, p_store_id integer, OUT p_film_count integer)
    RETURNS SETOF integer
    LANGUAGE sql STABLE
    AS $$
    SELECT i.inventory_id FROM public.inventory AS i
    WHERE i.film_id = p_film_id AND i.store_id = p_store_id AND NOT public.inventory_in_stock(i.inventory_id)
$$;

-- What a customer owes at a moment: the rates of all rentals so far, one for each day begun beyond a film's rental
-- duration, less what was paid.
CREATE FUNCTION public.get_customer_balance(p_customer_id integer, p_effective_date timestamp with time zone)
    RETURNS numeric
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    charged numeric;
    paid    numeric;
BEGIN
    SELECT coalesce(sum(f.rental_rate + greatest(0, extract(day FROM r.return_date - r.rental_date) - f.rental_duration)), 0)
    INTO charged
    FROM public.rental AS r
    JOIN public.inventory AS i ON i.inventory_id = r.inventory_id
    JOIN public.film AS f ON f.film_id = i.film_id
    WHERE r.customer_id = p_customer_id AND r.rental_date <= p_effective_date;

    SELECT coalesce(sum(p.amount), 0)
    INTO paid
    FROM public.payment AS p
    WHERE p.customer_id = p_customer_id AND p.payment_date <= p_effective_date;

    RETURN charged - paid;
END
$$;

-- The customers who, in the calendar month three months back, paid more often and more in total than asked.
CREATE FUNCTION public.rewards_report(min_monthly_purchases integer, min_dollar_amount_purchased numeric)
    RETURNS SETOF public.customer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    first_day date := date_trunc('month', CURRENT_DATE - interval '3 months');
BEGIN
    IF min_monthly_purchases <= 0 THEN
        RAISE EXCEPTION 'min_monthly_purchases must be above 0, but is %', min_monthly_purchases;
    END IF;
    IF min_dollar_amount_purchased <= 0 THEN
        RAISE EXCEPTION 'min_dollar_amount_purchased must be above 0.00, but is %', min_dollar_amount_purchased;
    END IF;

    RETURN QUERY
        SELECT c.*
        FROM public.customer AS c
        JOIN (
            SELECT p.customer_id
            FROM public.payment AS p
            WHERE p.payment_date >= first_day AND p.payment_date < first_day + interval '1 month'
            GROUP BY p.customer_id
            HAVING count(*) > min_monthly_purchases AND sum(p.amount) > min_dollar_amount_purchased
        ) AS good USING (customer_id);
END
$$;

-- Views

CREATE VIEW public.actor_info AS
SELECT
    a.actor_id,
    a.first_name,
    a.last_name,
    (
        SELECT public.group_concat(part.category || ': ' || part.titles ORDER BY part.category)
        FROM (
            SELECT c.name AS category, public.group_concat(f.title ORDER BY f.title) AS titles
            FROM public.film_actor AS fa
            JOIN public.film AS f ON f.film_id = fa.film_id
            JOIN public.film_category AS fc ON fc.film_id = f.film_id
            JOIN public.category AS c ON c.category_id = fc.category_id
            WHERE fa.actor_id = a.actor_id
            GROUP BY c.name
        ) AS part
    ) AS film_info
FROM public.actor AS a;

CREATE VIEW public.customer_list AS
SELECT
    cu.customer_id AS id,
    cu.first_name || ' ' || cu.last_name AS name,
    ad.address,
    ad.postal_code AS "zip code",
    ad.phone,
    ci.city,
    co.country,
    CASE WHEN cu.activebool THEN 'active' ELSE '' END AS notes,
    cu.store_id AS sid
FROM public.customer AS cu
JOIN public.address AS ad ON ad.address_id = cu.address_id
JOIN public.city AS ci ON ci.city_id = ad.city_id
JOIN public.country AS co ON co.country_id = ci.country_id;

CREATE VIEW public.staff_list AS
SELECT
    st.staff_id AS id,
    st.first_name || ' ' || st.last_name AS name,
    ad.address,
    ad.postal_code AS "zip code",
    ad.phone,
    ci.city,
    co.country,
    st.store_id AS sid
FROM public.staff AS st
JOIN public.address AS ad ON ad.address_id = st.address_id
JOIN public.city AS ci ON ci.city_id = ad.city_id
JOIN public.country AS co ON co.country_id = ci.country_id;

CREATE VIEW public.film_list AS
SELECT
    f.film_id AS fid,
    f.title,
    f.description,
    c.name AS category,
    f.rental_rate AS price,
    f.length,
    f.rating,
    public.group_concat(a.first_name || ' ' || a.last_name) AS actors
FROM public.film AS f
JOIN public.film_category AS fc ON fc.film_id = f.film_id
JOIN public.category AS c ON c.category_id = fc.category_id
JOIN public.film_actor AS fa ON fa.film_id = f.film_id
JOIN public.actor AS a ON a.actor_id = fa.actor_id
GROUP BY f.film_id, f.title, f.description, c.name, f.rental_rate, f.length, f.rating;

-- As film_list, with the names of the actors written Like This.
CREATE VIEW public.nicer_but_slower_film_list AS
SELECT
    f.film_id AS fid,
    f.title,
    f.description,
    c.name AS category,
    f.rental_rate AS price,
    f.length,
    f.rating,
    public.group_concat(
        upper(left(a.first_name, 1)) || lower(substr(a.first_name, 2))
        || ' ' || upper(left(a.last_name, 1)) || lower(substr(a.last_name, 2))
    ) AS actors
FROM public.film AS f
JOIN public.film_category AS fc ON fc.film_id = f.film_id
JOIN public.category AS c ON c.category_id = fc.category_id
JOIN public.film_actor AS fa ON fa.film_id = f.film_id
JOIN public.actor AS a ON a.actor_id = fa.actor_id
GROUP BY f.film_id, f.title, f.description, c.name, f.rental_rate, f.length, f.rating;

CREATE VIEW public.sales_by_film_category AS
SELECT c.name AS category, sum(p.amount) AS total_sales
FROM public.payment AS p
JOIN public.rental AS r ON r.rental_id = p.rental_id
JOIN public.inventory AS i ON i.inventory_id = r.inventory_id
JOIN public.film_category AS fc ON fc.film_id = i.film_id
JOIN public.category AS c ON c.category_id = fc.category_id
GROUP BY c.name
ORDER BY total_sales DESC;

CREATE VIEW public.sales_by_store AS
SELECT
    ci.city || ',' || co.country AS store,
    m.first_name || ' ' || m.last_name AS manager,
    sum(p.amount) AS total_sales
FROM public.payment AS p
JOIN public.rental AS r ON r.rental_id = p.rental_id
JOIN public.inventory AS i ON i.inventory_id = r.inventory_id
JOIN public.store AS s ON s.store_id = i.store_id
JOIN public.staff AS m ON m.staff_id = s.manager_staff_id
JOIN public.address AS ad ON ad.address_id = s.address_id
JOIN public.city AS ci ON ci.city_id = ad.city_id
JOIN public.country AS co ON co.country_id = ci.country_id
GROUP BY s.store_id, ci.city, co.country, m.first_name, m.last_name
ORDER BY co.country, ci.city;

-- Filled once the rows are there, see finish.sql.
CREATE MATERIALIZED VIEW public.rental_by_category AS
SELECT c.name AS category, sum(p.amount) AS total_sales
FROM public.payment AS p
JOIN public.rental AS r ON r.rental_id = p.rental_id
JOIN public.inventory AS i ON i.inventory_id = r.inventory_id
JOIN public.film_category AS fc ON fc.film_id = i.film_id
JOIN public.category AS c ON c.category_id = fc.category_id
GROUP BY c.name
ORDER BY total_sales DESC
WITH NO DATA;
