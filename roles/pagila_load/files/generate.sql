-- Made-up rows for the tables of schema.sql: as many in each table, and in each partition of payment, as the release has,
-- every reference valid, sequences set as after a load of the release. The same rows on every server: all that looks
-- random comes out of pgfleet_pick() below.
--
-- psql variable: scale (default 1) multiplies customers, rentals and payments.

\if :{?scale}
\else
    \set scale 1
\endif

-- A number from 0 to size - 1 that n and salt decide: the product of two straight lines modulo a prime, so that neither
-- neighbours nor two salts of one n go together. Written to be inlined; dropped again below.
CREATE FUNCTION public.pgfleet_pick(n bigint, salt bigint, size bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT ((n * 740267 + salt * 15485863) % 2147483647) * ((n * 48271 + salt * 104729 + 99991) % 2147483647)
        % 2147483647 % size
$$;

-- Places. The letter before a country says in which sounds its cities are named. The first 109 cities go round the
-- countries once, of the others some countries have many.

WITH entry AS (
    SELECT nth AS country_id, left(text, 1) AS sounds, substr(text, 3) AS country
    FROM unnest(string_to_array(
        's:Albania|m:Algeria|l:Andorra|l:Angola|l:Argentina|s:Armenia|n:Australia|n:Austria|m:Azerbaijan|n:Bahamas|'
        'm:Bahrain|a:Bangladesh|n:Barbados|s:Belarus|n:Belgium|n:Belize|l:Bolivia|n:Botswana|l:Brazil|s:Bulgaria|'
        'a:Cambodia|m:Cameroon|n:Canada|m:Chad|l:Chile|a:China|l:Colombia|l:Costa Rica|s:Croatia|l:Cuba|s:Czechia|'
        'n:Denmark|l:Ecuador|m:Egypt|s:Estonia|m:Ethiopia|a:Fiji|n:Finland|n:France|s:Georgia|n:Germany|m:Ghana|s:Greece|'
        'l:Guatemala|n:Guyana|l:Honduras|s:Hungary|n:Iceland|a:India|a:Indonesia|m:Iran|m:Iraq|n:Ireland|m:Israel|'
        'l:Italy|n:Jamaica|a:Japan|m:Jordan|m:Kazakhstan|m:Kenya|m:Kuwait|a:Laos|s:Latvia|m:Lebanon|s:Lithuania|'
        'n:Luxembourg|m:Madagascar|a:Malaysia|l:Malta|l:Mexico|s:Moldova|s:Mongolia|m:Morocco|l:Mozambique|a:Myanmar|'
        'n:Namibia|a:Nepal|n:Netherlands|n:New Zealand|m:Nigeria|n:Norway|m:Oman|a:Pakistan|l:Panama|l:Paraguay|l:Peru|'
        'a:Philippines|s:Poland|l:Portugal|s:Romania|m:Rwanda|m:Senegal|s:Serbia|a:Singapore|s:Slovakia|s:Slovenia|'
        'n:South Africa|a:South Korea|l:Spain|a:Sri Lanka|n:Sweden|n:Switzerland|a:Thailand|m:Tunisia|m:Turkey|s:Ukraine|'
        'l:Uruguay|a:Vietnam|m:Zambia', '|')) WITH ORDINALITY AS list (text, nth)
),
countries AS (
    INSERT INTO public.country (country_id, country, last_update)
    SELECT country_id, country, '2022-01-03 08:00:00+00' FROM entry
),
sounds (sounds, stems, endings) AS (
    VALUES
        ('n', 'Ash Birk Calder Dun East Fair Glen Hazel Ivers Kirk Lang Marl Nor Oster Quin Rad Stone Thorn Weather Yar',
              'bridge by dale field ford ham haven mouth stead ton wick worth'),
        ('l', 'Alta Bella Casta Dora Esta Flora Gala Herra Isla Luna Mira Nova Oro Palma Quinta Rosa Serra Terra Valle Zara',
              'bona cruz dor guera luz mar mora nera rena rica vega vista'),
        ('s', 'Bel Brez Cher Dobr Gor Hrad Jasen Kam Kras Lip Mir Nov Ostr Podl Radom Sloven Star Top Vel Zelen',
              'ava een ets evka grad ice insk itsa nik ov ovo usk'),
        ('a', 'An Bao Chang Dai Fu Hana Jin Kuan Lan Mei Nam Pei Qing Rang Saka Tai Ujo Wei Yama Zhen',
              'bing dao gawa hai jiang kun ling moto pur shan tan zhou'),
        ('m', 'Abu Bani Dar Fara Ghaz Hama Jaz Kass Laban Maz Naq Ouar Qas Rab Saf Tabr Umm Wad Yaz Zahr',
              'abad ala dan era han ima kesh mout oun rah sala zour')
),
place AS (
    SELECT n AS city_id, CASE WHEN n <= 109 THEN n ELSE 1 + (25 + skewed * skewed / 109 * 37) % 109 END AS country_id
    FROM generate_series(1, 600) AS n, LATERAL (SELECT public.pgfleet_pick(n, 11, 109)) AS pick (skewed)
),
ranked AS (
    SELECT p.city_id, p.country_id, s.stems, s.endings,
        (row_number() OVER (PARTITION BY s.sounds ORDER BY p.city_id) - 1)::integer AS nth
    FROM place AS p
    JOIN entry AS e USING (country_id)
    JOIN sounds AS s USING (sounds)
)
INSERT INTO public.city (city_id, city, country_id, last_update)
SELECT city_id,
    split_part(stems, ' ', 1 + nth % 20) || split_part(endings, ' ', 1 + (nth / 20 + nth % 20) % 12),
    country_id,
    '2022-01-03 08:05:00+00'
FROM ranked
ORDER BY city_id;

-- 603 addresses under the numbers 1 to 605: the first four for stores and staff.

INSERT INTO public.address (address_id, address, address2, district, city_id, postal_code, phone, last_update)
SELECT id,
    1 + public.pgfleet_pick(id, 21, 1900) || ' '
        || split_part('Acacia Bakery Canal Dockside Elm Foundry Garden Harbour Iron Juniper King Lantern Market Mill North '
                      'Orchard Palace Quarry River Station Tannery Upper Vineyard Weaver', ' ',
                      1 + public.pgfleet_pick(id, 22, 24)::integer)
        || split_part(' Street, Road, Lane, Avenue, Way, Square, Parkway, Boulevard', ',', 1 + public.pgfleet_pick(id, 23, 8)::integer),
    CASE WHEN public.pgfleet_pick(id, 24, 9) = 0 THEN 'Flat ' || 1 + public.pgfleet_pick(id, 25, 40) END,
    split_part('Central,Eastern,Harbour,Highland,Lakeside,Lowland,Northern,Old Town,Riverside,Southern,Upper Valley,Western', ',',
               1 + public.pgfleet_pick(id, 26, 12)::integer),
    1 + public.pgfleet_pick(id, 27, 600),
    lpad(public.pgfleet_pick(id, 28, 100000)::text, 5, '0'),
    (100000000000 + public.pgfleet_pick(id, 29, 899999) * 1000000 + public.pgfleet_pick(id, 30, 1000000))::text,
    '2022-01-03 08:10:00+00'
FROM generate_series(1, 605) AS id
WHERE id NOT IN (205, 406);

-- The catalogue

INSERT INTO public.language (language_id, name, last_update)
SELECT id, name, '2022-01-03 08:15:00+00'
FROM unnest(ARRAY['English', 'Italian', 'Japanese', 'Mandarin', 'French', 'German']) WITH ORDINALITY AS list (name, id);

INSERT INTO public.category (category_id, name, last_update)
SELECT id, name, '2022-01-03 08:15:00+00'
FROM unnest(ARRAY['Action', 'Animation', 'Children', 'Classics', 'Comedy', 'Documentary', 'Drama', 'Family', 'Foreign',
                  'Games', 'Horror', 'Music', 'New', 'Sci-Fi', 'Sports', 'Travel']) WITH ORDINALITY AS list (name, id);

INSERT INTO public.actor (actor_id, first_name, last_name, last_update)
SELECT i + 1,
    split_part('ADA ALBERT AMINA ANTON BEATRICE BRAM CARLA CASPAR CLARA DARIUS DELIA EDGAR ELENA EMIL FATIMA FELIX GRETA HUGO '
               'INES IVAN JOSEPHINE KENJI LEILA LEON MARGIT MATTEO NADIA NILS OLGA OSCAR PAULA RASHID ROSA RUPERT SELMA SIMON '
               'TAMAR VICTOR WANDA YUSUF', ' ', 1 + i % 40),
    split_part('ABERNATHY ALMEIDA BARTOK BERGSTROM CALLOWAY CASTELLAN DRAKE DUVALIER ELLERY FAIRCHILD FERRANTE GALLAGHER '
               'GRUNWALD HALLORAN HASEGAWA IBSEN JANSSON KESTREL KOVAC LANGFORD LINDQVIST MARCHETTI MERRICK NAKAMURA NORTHCOTE '
               'OKONKWO ORLOV PEMBERTON PETROVA QUILL RADCLIFFE ROSSELLI SAINTCLAIR SORENSEN TALBOT UNDERHILL VALENCIA WHITLOCK '
               'YARROW ZIELINSKI', ' ', 1 + (i / 40 + i * 3) % 40),
    '2022-01-03 08:20:00+00'
FROM generate_series(0, 199) AS i;

INSERT INTO public.film (film_id, title, description, release_year, language_id, original_language_id, rental_duration,
    rental_rate, length, replacement_cost, rating, last_update, special_features, fulltext)
SELECT i + 1, title, description,
    1995 + public.pgfleet_pick(i, 31, 27),
    CASE WHEN public.pgfleet_pick(i, 32, 5) > 0 THEN 1 ELSE 1 + public.pgfleet_pick(i, 33, 6) END,
    CASE WHEN public.pgfleet_pick(i, 34, 8) = 0 THEN 2 + public.pgfleet_pick(i, 35, 5) END,
    3 + public.pgfleet_pick(i, 36, 5),
    0.99 + 2 * public.pgfleet_pick(i, 37, 3),
    46 + public.pgfleet_pick(i, 38, 140),
    9.99 + public.pgfleet_pick(i, 39, 21),
    (ARRAY['G', 'PG', 'PG-13', 'R', 'NC-17']::public.mpaa_rating[])[1 + public.pgfleet_pick(i, 40, 5)],
    '2022-01-03 08:25:00+00',
    array_remove(ARRAY[
        CASE WHEN features & 1 > 0 THEN 'Trailers' END,
        CASE WHEN features & 2 > 0 THEN 'Commentaries' END,
        CASE WHEN features & 4 > 0 THEN 'Deleted Scenes' END,
        CASE WHEN features & 8 > 0 THEN 'Behind the Scenes' END], NULL),
    to_tsvector('pg_catalog.english', title || ' ' || description)
FROM generate_series(0, 999) AS i,
LATERAL (SELECT
    split_part('AMBER ANCIENT ARCTIC BORROWED BRASS BROKEN CARELESS CINNAMON CLOCKWORK COPPER CRIMSON CROOKED DISTANT DOUBLE '
               'ELECTRIC EMPTY FALLING FORGOTTEN FROZEN GENTLE GILDED GOLDEN HIDDEN HOLLOW HONEST IVORY LONELY LUCKY MARBLE '
               'MIDNIGHT MISPLACED NAMELESS NOISY PAPER PATIENT PERFECT QUIET RESTLESS ROYAL SCARLET SECOND SILENT SILVER '
               'STOLEN STUBBORN THIRSTY VELVET WANDERING WICKED WINTER', ' ', 1 + i % 50) || ' '
    || split_part('ALIBI ANCHOR BALLOON BARGAIN CARAVAN CARNIVAL CATHEDRAL COMET COMPASS DETECTIVE DUEL ECHO ELEPHANT EMPIRE '
                  'FERRY FESTIVAL FIDDLER GARDEN GIANT HARVEST HORIZON ISLAND JURY KINGDOM LANTERN LIBRARY MERMAID MIRROR '
                  'ORCHESTRA PASSENGER PIANO PROMISE RIDDLE SPARROW TELEGRAM TRAVELLER UMBRELLA VIOLIN WAGON WHISPER', ' ',
                  1 + (i / 50 + i % 50 * 7) % 40),
    split_part('Brisk,Charming,Daring,Droll,Eerie,Fateful,Lavish,Moving,Poetic,Rousing,Sober,Strange,Sunlit,Tense,Unlikely,Wry', ',',
               1 + public.pgfleet_pick(i, 41, 16)::integer) || ' '
    || split_part('chronicle,confession,fable,farce,legend,mystery,portrait,romance,saga,satire,thriller,travelogue', ',',
                  1 + public.pgfleet_pick(i, 42, 12)::integer) || ' in which '
    || split_part('a beekeeper,a cartographer,a chess champion,a clockmaker,a forger,a ghostwriter,a glassblower,a harbour pilot,'
                  'a lighthouse keeper,a locksmith,a night porter,a puppeteer,a retired spy,a sculptor,a stunt rider,a tax inspector',
                  ',', 1 + public.pgfleet_pick(i, 43, 16)::integer) || ' must '
    || split_part('befriend,deceive,find,follow,forgive,hire,marry,outrun,outwit,rescue,teach,unmask', ',',
                  1 + public.pgfleet_pick(i, 44, 12)::integer) || ' '
    || split_part('an acrobat,an archivist,an astronomer,a baker,a botanist,a composer,a countess,a dentist,a falconer,a goalkeeper,'
                  'a monk,a pickpocket,a robot,a sailor,a surgeon,a weather forecaster',
                  ',', 1 + public.pgfleet_pick(i, 45, 16)::integer) || ' '
    || split_part('aboard a night train,among the dunes,at the bottom of a lake,behind the opera,below the glacier,during a strike,'
                  'in a flooded town,in an empty hotel,in old Samarkand,in the monsoon,on a ferry to nowhere,on the last day of summer,'
                  'on the roofs of Lisbon,under a circus tent,under the northern lights,without a map',
                  ',', 1 + public.pgfleet_pick(i, 46, 16)::integer),
    1 + public.pgfleet_pick(i, 47, 15)
) AS words (title, description, features);

-- One to ten actors a film. They lie a step apart that has no divisor in common with 200, so nobody plays twice.
INSERT INTO public.film_actor (actor_id, film_id, last_update)
SELECT 1 + (public.pgfleet_pick(i, 51, 200) + nth * (ARRAY[3, 7, 11, 13, 17, 19, 23, 27])[1 + public.pgfleet_pick(i, 52, 8)]) % 200,
    i + 1,
    '2022-01-03 08:30:00+00'
FROM generate_series(0, 999) AS i,
LATERAL (SELECT (i * 7 + i / 10 * 3) % 10) AS cast_of (size),
generate_series(0, size - CASE WHEN size = 9 AND i < 380 THEN 1 ELSE 0 END) AS nth;

INSERT INTO public.film_category (film_id, category_id, last_update)
SELECT i + 1, 1 + public.pgfleet_pick(i, 53, 16), '2022-01-03 08:30:00+00'
FROM generate_series(0, 999) AS i;

-- The business. Staff member 1 manages store 1, staff member 2 store 2.

INSERT INTO public.store (store_id, manager_staff_id, address_id, last_update)
VALUES (1, 1, 1, '2022-01-03 08:35:00+00'), (2, 2, 2, '2022-01-03 08:35:00+00');

INSERT INTO public.staff (staff_id, first_name, last_name, address_id, email, store_id, active, username, password, last_update, picture)
VALUES
    (1, 'Ottilie', 'Brandt', 3, 'ottilie.brandt@staff.example', 1, true, 'ottilie', NULL, '2022-01-03 08:35:00+00', NULL),
    (2, 'Teodor', 'Vance', 4, 'teodor.vance@staff.example', 2, true, 'teodor', NULL, '2022-01-03 08:35:00+00', NULL);

-- One to eight copies of each film, of the first 81 films one more.
INSERT INTO public.inventory (inventory_id, film_id, store_id, last_update)
SELECT row_number() OVER (ORDER BY i, nth), i + 1, 1 + (i + nth) % 2, '2022-01-03 08:40:00+00'
FROM generate_series(0, 999) AS i,
generate_series(CASE WHEN i < 81 THEN 0 ELSE 1 END, 1 + (i * 3 + i / 8 * 5) % 8) AS nth;

INSERT INTO public.customer (customer_id, store_id, first_name, last_name, email, address_id, activebool, create_date, last_update, active)
SELECT i + 1,
    1 + public.pgfleet_pick(i, 61, 2),
    first_name,
    last_name,
    lower(first_name || '.' || last_name) || '.' || i + 1 || '@customers.example',
    5 + home + CASE WHEN home >= 400 THEN 2 WHEN home >= 200 THEN 1 ELSE 0 END,
    active,
    date '2019-06-01' + public.pgfleet_pick(i, 62, 900)::integer,
    '2022-01-03 08:45:00+00',
    active::integer
FROM generate_series(0, 599 * :scale - 1) AS i,
LATERAL (SELECT
    split_part('AGATHA ALAN AMELIE ANDRE ANNIKA ARJUN AURORA BASIL BRIGID BRUNO CECILY CLEMENT DAGNY DANILO DAPHNE DOMINIC EDITH '
               'ELIAS ESME FABIAN FLORENCE FRANK GEMMA GORDON HANNAH HENDRIK IMOGEN ISAAC IVY JASPER JUNO KAROL KEZIA LARS LILIAN '
               'LUCAS MABEL MALIK MIRIAM MORITZ NAOMI NATHAN NELL OMAR OPHELIA OTTO PETRA PIERRE PRIYA QUENTIN RAMONA REMI ROWAN '
               'RUTH SANJAY SASKIA SEBASTIAN SIGRID STEFAN SUNITA TABITHA TARIQ THEA TOBIAS URSULA VALERIE VERA VINCENT WALTER '
               'WILMA XENIA YARA YOLANDA YVES ZACHARY ZELDA ZORAN ZUZANA ALOIS BIANCA', ' ', 1 + i % 80),
    split_part('ABBOTT AINSLEY ANDERSEN ARKWRIGHT BANERJEE BAXTER BECKER BLACKWOOD BOUCHARD BRENNAN CARVALHO CHANDRA COPPERFIELD '
               'CORNISH DALGAARD DANVERS DELACROIX DOYLE EASTWICK EKLUND ESPINOZA FARROW FIELDING FONTAINE FUJIMOTO GARDINER '
               'GOLDMAN GREENE HAMMOND HARGREAVES HOLLOWAY HUDSON INGRAM IVERSEN JARVIS JENSEN KAPOOR KEMP KIRKPATRICK KOWALSKI '
               'LAMBERT LARKIN LAURENT LOCKHART MACKENZIE MALONE MENDOZA MOREAU MORTIMER NAYAR NEVILLE NOVAK OAKLEY OSBORNE PALMER '
               'PAVLOV PICKERING PRESCOTT QUINCY RAMSEY REDFERN RIVERA ROSENTHAL SALAZAR SCHREIBER SHELTON STANHOPE SUTHERLAND '
               'TANAKA THACKERAY TREVINO UPTON VANCE VERMEER WAINWRIGHT WESTBROOK WOLFF YAMADA YORK ZIMMERMANN', ' ',
               1 + (i / 80 + i % 80 * 7) % 80),
    i % 599,
    public.pgfleet_pick(i, 63, 40) > 0
) AS words (first_name, last_name, home, active);

-- Rentals and their payments lie on one line of slots, numbered from 0, of which each month has as many as its partition
-- has payments, spread evenly over the opening hours (9 to 21 o'clock, UTC). A slot is a rental and, minutes later, its
-- payment, both numbered after it; but five slots of each scale are a second payment for an older rental instead.
-- Copies are lent in turn and kept for less than a turn takes, so none is out twice at a time.

INSERT INTO public.rental (rental_id, rental_date, inventory_id, customer_id, return_date, staff_id, last_update)
SELECT slot + 1,
    rental_date,
    i.inventory_id,
    1 + public.pgfleet_pick(slot, 71, 599 * :scale),
    CASE WHEN back <= '2022-07-30 12:00:00+00' THEN back END,
    i.store_id,
    coalesce(CASE WHEN back <= '2022-07-30 12:00:00+00' THEN back END, rental_date)
FROM (
    VALUES
        (timestamptz '2022-01-23 09:00:00+00', 9::bigint, 0::bigint, 723::bigint),
        ('2022-02-01 09:00:00+00', 28, 723, 2401),
        ('2022-03-01 09:00:00+00', 31, 3124, 2713),
        ('2022-04-01 09:00:00+00', 30, 5837, 2547),
        ('2022-05-01 09:00:00+00', 31, 8384, 2677),
        ('2022-06-01 09:00:00+00', 30, 11061, 2654),
        ('2022-07-01 09:00:00+00', 27, 13715, 2334)
) AS month (opening, days, before, slots)
CROSS JOIN generate_series(0, slots * :scale - 1) AS nth
CROSS JOIN LATERAL (SELECT before * :scale + nth) AS line (slot)
CROSS JOIN LATERAL (
    SELECT (nth * 1000 + public.pgfleet_pick(slot, 72, 1000)) * days * 43200 / (slots * :scale * 1000)
) AS hours (open_seconds)
CROSS JOIN LATERAL (
    SELECT opening + (open_seconds / 43200 * 86400 + open_seconds % 43200) * interval '1 second'
) AS lent (rental_date)
CROSS JOIN LATERAL (
    SELECT rental_date + least(1440 + public.pgfleet_pick(slot, 73, 12960), 36000 / :scale) * interval '1 minute'
) AS kept (back)
JOIN public.inventory AS i ON i.inventory_id = 1 + slot % 4581 * 1021 % 4581
WHERE slot / :scale % 3210 <> 3000;

-- What a rental costs: the rate, and one for each day beyond the film's rental duration.
INSERT INTO public.payment (payment_id, customer_id, staff_id, rental_id, amount, payment_date)
SELECT 16049 * :scale + r.rental_id,
    r.customer_id,
    r.staff_id,
    r.rental_id,
    f.rental_rate + greatest(0, extract(day FROM r.return_date - r.rental_date) - f.rental_duration),
    r.rental_date + (1 + public.pgfleet_pick(r.rental_id, 74, 9)) * interval '1 minute'
FROM public.rental AS r
JOIN public.inventory AS i ON i.inventory_id = r.inventory_id
JOIN public.film AS f ON f.film_id = i.film_id;

-- The second payments: each for the rental a hundred slots before, at the time of the rental one slot before.
INSERT INTO public.payment (payment_id, customer_id, staff_id, rental_id, amount, payment_date)
SELECT 16049 * :scale + slot + 1,
    older.customer_id,
    older.staff_id,
    older.rental_id,
    1 + public.pgfleet_pick(slot, 75, 5),
    latest.rental_date + interval '10 minutes'
FROM generate_series(0, 5 * :scale - 1) AS nth
CROSS JOIN LATERAL (SELECT (nth / :scale * 3210 + 3000) * :scale + nth % :scale) AS line (slot)
JOIN public.rental AS older ON older.rental_id = slot + 1 - 100 * :scale
JOIN public.rental AS latest ON latest.rental_id = slot + 1 - :scale;

DROP FUNCTION public.pgfleet_pick(bigint, bigint, bigint);

SELECT pg_catalog.setval('public.actor_actor_id_seq', 200),
    pg_catalog.setval('public.address_address_id_seq', 605),
    pg_catalog.setval('public.category_category_id_seq', 16),
    pg_catalog.setval('public.city_city_id_seq', 600),
    pg_catalog.setval('public.country_country_id_seq', 109),
    pg_catalog.setval('public.customer_customer_id_seq', 599 * :scale),
    pg_catalog.setval('public.film_film_id_seq', 1000),
    pg_catalog.setval('public.inventory_inventory_id_seq', 4581),
    pg_catalog.setval('public.language_language_id_seq', 6),
    pg_catalog.setval('public.payment_payment_id_seq', 32098 * :scale),
    pg_catalog.setval('public.rental_rental_id_seq', 16049 * :scale),
    pg_catalog.setval('public.staff_staff_id_seq', 2),
    pg_catalog.setval('public.store_store_id_seq', 2)
\g /dev/null
