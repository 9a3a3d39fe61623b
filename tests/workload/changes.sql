\set ON_ERROR_STOP on
\set hostile '"a.b""c"."Ünï 表 %_''\\"'

INSERT INTO :hostile (id, "select", "It's ""q\", c5, by, ta) VALUES
  (1, 'null', NULL, NULL, NULL, NULL),
  (2, NULL, 'null', 'null', '', '{}'),
  (3, '', '', '', '\x00ff5c27', '{NULL,"NULL",null,"",a\\b,"q\"q"," "}'),
  (4, 'it''s \ "q" $$x$$ E''\n'' :id :''id'' {a,b} %s', '\N', 'a', '\x', '{{a,b},{c,NULL}}'),
  (5, E'line\nfeed\r\nreturn\ttab\x01\x1b', E'\\.', E'\n', decode('0a0d09', 'hex'), '[0:1]={x,y}'),
  (6, '🚢 é é 表', repeat('é', 40), 'ééééé', convert_to('表', 'UTF8'), ARRAY[E'\r\n', '🚢']);
INSERT INTO :hostile (id, b, i2, i8, n, nn, f4, f8, mon) VALUES
  (10, true, -32768, 9223372036854775807, 'NaN', 1.5, 'NaN', '-0', '-$1,234.50'),
  (11, false, 0, -9223372036854775808, 'Infinity', -0.0001, 'Infinity', '1e-307', '$0.00'),
  (12, NULL, NULL, NULL, '-Infinity', NULL, '-Infinity', '5e-324', NULL),
  (13, NULL, NULL, NULL, '1.0000', 1234.5678, '1.1', '0.1', NULL),
  (14, NULL, NULL, NULL, '12345678901234567890123456789012345678901234567890.09876543210', NULL, '3.4028235e38', '1.7976931348623157e308', NULL),
  (15, NULL, NULL, NULL, ('1' || repeat('0', 1000))::numeric, NULL, '1e-45', '2.2250738585072014e-308', NULL);
INSERT INTO :hostile (id, d, t, ttz, ts, tstz, iv) VALUES
  (20, 'infinity', '24:00:00', '24:00:00+15:59:59', 'infinity', '-infinity', '1 year -2 mons 3 days -04:05:06.789'),
  (21, '-infinity', '00:00', '00:00:00-15:59', '-infinity', 'infinity', '-1 day +00:00:01'),
  (22, '4713-01-01 BC', '23:59:59.999999', '12:00+05:30', '4713-01-01 BC', '0001-02-28 BC', '0'),
  (23, '5874897-12-31', NULL, NULL, '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '178000000 years'),
  (24, '0001-02-29 BC', NULL, NULL, '2024-02-29 12:34:56.7', '2024-03-31 02:30:00.000001+01', '1 mon -1 day');
INSERT INTO :hostile (id, u, ip, ci, mac, bi, vb, j, jb, x) VALUES
  (30, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', B'10101', B'', 'null', 'null', ''),
  (31, NULL, '::1', '::/0', NULL, NULL, B'1', ' { "a" : null, "a": 1e400, "b":"null" } ', '{"a":null,"b":12345678901234567890.10}', '<a b="c">it''s &amp; \</a>'),
  (32, NULL, NULL, NULL, NULL, NULL, NULL, '"null"', '"nu\\ll \"q\" ''"', '<?xml version="1.0"?><a/>'),
  (33, NULL, NULL, NULL, NULL, NULL, NULL, E'[\n1,\t2]', '[]', 'text only');
INSERT INTO :hostile (id, pt, ln, ls, bx, pa, po, ci2, r, nr, tv, tq, lsn) VALUES
  (40, '(1.5,-0)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,0),(1,1))', '<(0,0),1>', '[1,5)', '(,6]', '''it''''s'':1A,2 b', '''a b'' & !c:*AB', '16/B374D848'),
  (41, '(NaN,Infinity)', NULL, NULL, NULL, '((0,0),(1,1))', NULL, NULL, 'empty', '[1.0,1.00]', '', '', '0/0');
INSERT INTO :hostile (id, mood, pr, dom, ia, ba, ma, pra, reg) VALUES
  (50, 'null', ROW(1, 'null'), 999, '{1,NULL,3}', '{(1,1),(0,0);(2,2),(1,1)}', ARRAY['null', 'it''s', 'a,b', '"q"', '{}', ' ', NULL]::"a.b""c"."Mood'\"[],
    ARRAY[ROW(NULL, ''), ROW(NULL, NULL), ROW(2, 'a"b\c,(d)')]::"a.b""c".pair[], 'pg_class'),
  (51, 'back\slash', ROW(NULL, NULL), -5, '[-1:0][2:3]={{1,2},{3,4}}', '{}', '{}', '{}', '"a.b""c"."Ünï 表 %_''\"'),
  (52, ' ', ROW(NULL, ''), NULL, '{}', NULL, NULL, NULL, NULL);
UPDATE :hostile SET "select" = 'NULL', j = '{"u": 1}' WHERE id = 1;
UPDATE :hostile SET id = -id WHERE id BETWEEN 2 AND 4;
UPDATE :hostile SET "select" = NULL, c5 = ' x', f8 = -f8 WHERE id < 0 OR id = 10;
DELETE FROM :hostile WHERE id IN (5, 41);

INSERT INTO s23456789012345678901234567890123456789012345678901234567890123.t23456789012345678901234567890123456789012345678901234567890123
  VALUES ('null', 'x'), (E'\\', 'y'), ('''', NULL), ('', 'empty');
UPDATE s23456789012345678901234567890123456789012345678901234567890123.t23456789012345678901234567890123456789012345678901234567890123
  SET v = v || v;
UPDATE s23456789012345678901234567890123456789012345678901234567890123.t23456789012345678901234567890123456789012345678901234567890123
  SET c23456789012345678901234567890123456789012345678901234567890123 = 'é' WHERE v = 'yy';
DELETE FROM s23456789012345678901234567890123456789012345678901234567890123.t23456789012345678901234567890123456789012345678901234567890123
  WHERE c23456789012345678901234567890123456789012345678901234567890123 = '''';
INSERT INTO "SELECT"."TABLE" VALUES ('a', 1, 'null'), ('A', 1, NULL), ('a', 2, '');
UPDATE "SELECT"."TABLE" SET "NULL" = "NULL" || '''';
UPDATE "SELECT"."TABLE" SET "FROM" = 3, "NULL" = 'moved' WHERE "FROM" = 2;
DELETE FROM "SELECT"."TABLE" WHERE "WHERE" = 'A';

-- The identity's index, not the primary key, tells the row.
INSERT INTO by_index VALUES (1, 'one', 'null', 'a'), (2, 'two', ' ', 'b'), (3, 'it''s', 'back\slash', NULL);
UPDATE by_index SET id = id + 10;
UPDATE by_index SET code = code || '\', v = NULL WHERE id = 11;
UPDATE by_index SET mood = 'it''s' WHERE id = 12;
DELETE FROM by_index WHERE id = 13;

INSERT INTO full_with_key VALUES (1, 'a', NULL), (2, NULL, 'null'), (3, '', ' ');
UPDATE full_with_key SET v = 'b' WHERE id = 1;
UPDATE full_with_key SET v = v WHERE id = 2;
UPDATE full_with_key SET id = 30, w = NULL WHERE id = 3;
DELETE FROM full_with_key WHERE id = 2;

-- Duplicates, and rows that differ only where `=` sees no difference or isn't there.
INSERT INTO full_without_key (t, n, f, j, x, p, b, c, ip, iv, pr, jb, a, bp, r, d, u, m) VALUES
  ('same', 1.0, 0, '{"a":1}', '<a/>', '(1,1)', true, 'a', '1.2.3.4', '1 day', ROW(1, 'x'), '1.0', '{a}', 'a', 'pg_class', '2024-01-01', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '$1.00'),
  ('same', 1.00, '-0', '{"a": 1}', '<a></a>', '(1,1)', true, 'a', '1.2.3.4', '24:00', ROW(1, 'x'), '1.00', '{a}', 'a ', 'pg_class', '2024-01-01', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '$1.00'),
  ('SAME', 'NaN', 'NaN', 'null', '', '(NaN,0)', false, '', '::1', '-1 mon', ROW(NULL, NULL), 'null', '{}', '', '"SELECT"."TABLE"', 'infinity', NULL, '-$1.00'),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  ('', NULL, NULL, '""', '', NULL, NULL, '', NULL, NULL, ROW(NULL, ''), '""', '{""}', '', NULL, NULL, NULL, NULL),
  ('twin', 7, 7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  ('twin', 7, 7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  ('twin', 7, 7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
UPDATE full_without_key SET t = 'changed' WHERE n::text = '1.00';
DELETE FROM full_without_key WHERE n::text = '1.0';
UPDATE full_without_key SET j = '{"changed": true}', pr = NULL WHERE t = 'SAME';
UPDATE full_without_key SET t = 'was null' WHERE ctid = (SELECT min(ctid) FROM full_without_key WHERE t IS NULL);
UPDATE full_without_key SET n = 8 WHERE ctid = (SELECT min(ctid) FROM full_without_key WHERE t = 'twin');
DELETE FROM full_without_key WHERE ctid = (SELECT max(ctid) FROM full_without_key WHERE t = 'twin' AND n = 7);
UPDATE full_without_key SET bp = ' ', a = NULL WHERE t = '';

INSERT INTO no_identity VALUES (1, 'null'), (2, NULL);
INSERT INTO no_key VALUES ('null'), (NULL), ('twin'), ('twin');
INSERT INTO no_columns DEFAULT VALUES;
INSERT INTO no_columns DEFAULT VALUES;
INSERT INTO only_key VALUES (1, 'null'), (2, '');
UPDATE only_key SET a = a;
UPDATE only_key SET b = b || '''' WHERE a = 1;
INSERT INTO odd_key VALUES (ROW(1, 'null'), 'null', 'pg_class', 1, 'a'), (ROW(NULL, NULL), ' ', '"SELECT"."TABLE"', 2, 'b'), (ROW(2, ''), 'it''s', 'odd_key', 3, 'c');
UPDATE odd_key SET v = v || v;
UPDATE odd_key SET pr = ROW(3, 'a,b"c'), r = 'float_key' WHERE dom = 3;
DELETE FROM odd_key WHERE dom = 1;
INSERT INTO float_key VALUES ('-0', 1.0, 'a'), ('NaN', 'NaN', 'b'), (1e-300, 2.50, 'c');
UPDATE float_key SET v = v || '+';
UPDATE float_key SET f = 1e300 WHERE v = 'c+';
DELETE FROM float_key WHERE f = 'NaN';

INSERT INTO toasted SELECT i, repeat('big' || i, 1000), 'v' FROM generate_series(1, 4) i;
UPDATE toasted SET v = NULL WHERE id = 1;
UPDATE toasted SET id = 20, v = 'moved' WHERE id = 2;
UPDATE toasted SET big = NULL WHERE id = 3;
UPDATE toasted SET big = repeat('new', 1000) WHERE id = 4;
INSERT INTO toasted_full SELECT i, repeat('big' || i, 1000), 'v' FROM generate_series(1, 3) i;
UPDATE toasted_full SET v = 'null' WHERE id = 1;
UPDATE toasted_full SET big = '' WHERE id = 2;
DELETE FROM toasted_full WHERE id = 3;
INSERT INTO toasted_key SELECT repeat('key' || i, 600), 'v' FROM generate_series(1, 3) i;
UPDATE toasted_key SET v = 'w' WHERE big LIKE 'key1%';
UPDATE toasted_key SET big = repeat('other', 500) WHERE big LIKE 'key2%';
DELETE FROM toasted_key WHERE big LIKE 'key3%';

INSERT INTO always_key (big, v) SELECT repeat('big' || i, 1000), 'v' FROM generate_series(1, 3) i;
UPDATE always_key SET v = 'w' WHERE id = 1;
UPDATE always_key SET id = DEFAULT, v = 'null' WHERE id = 2;
DELETE FROM always_key WHERE id = 3;
INSERT INTO always_beside (k, v) VALUES ('a', 'null'), ('b', NULL), ('c', 'x');
UPDATE always_beside SET v = 'y' WHERE k = 'a';
UPDATE always_beside SET number = DEFAULT WHERE k = 'b';
UPDATE always_beside SET k = 'it''s', number = DEFAULT, v = 'z' WHERE k = 'c';
INSERT INTO always_full (v) VALUES ('a'), ('b');
UPDATE always_full SET v = 'c' WHERE v = 'a';
UPDATE always_full SET number = DEFAULT WHERE v = 'b';
INSERT INTO by_default VALUES (DEFAULT, 'a'), (100, 'b');
UPDATE by_default SET id = DEFAULT WHERE id = 100;
INSERT INTO computed (id, v) VALUES (1, 1), (2, NULL);
UPDATE computed SET v = 5 WHERE id = 2;

INSERT INTO shouted VALUES (1, 'hey');
UPDATE shouted SET v = 'ho' WHERE id = 1;
INSERT INTO parent VALUES (1), (2);
INSERT INTO child VALUES (1, 1), (2, 2);
DELETE FROM parent WHERE id = 1;
UPDATE parent SET id = 20 WHERE id = 2;

INSERT INTO leaves VALUES (1, 'a', 1), (101, 'b', 2), (2, 'c', 3);
UPDATE leaves SET v = 'null' WHERE id = 101;
UPDATE leaves SET id = 102 WHERE id = 1;
DELETE FROM leaves WHERE id = 2;
INSERT INTO rooted VALUES (1, 'a', 1), (101, 'a', 1), (2, 'b', NULL), (102, NULL, 2), (102, NULL, 2);
UPDATE rooted SET v = 'null' WHERE id = 101;
UPDATE rooted SET id = 103 WHERE id = 1;
DELETE FROM rooted WHERE ctid = (SELECT ctid FROM rooted WHERE id = 102 LIMIT 1) AND id = 102;
INSERT INTO ancestor VALUES (1, 'a'), (2, 'a');
INSERT INTO descendant VALUES (1, 'd'), (2, 'd');
UPDATE ONLY ancestor SET v = 'b' WHERE id = 1;
DELETE FROM ONLY ancestor WHERE id = 2;
UPDATE descendant SET v = 'e' WHERE id = 2;

-- One large transaction, beside another one, with parts that are rolled back.
BEGIN;
INSERT INTO toasted SELECT i, repeat('large ' || i, 20), 'v' FROM generate_series(1000, 1250) i;
SAVEPOINT a;
UPDATE toasted SET v = 'lost' WHERE id BETWEEN 1000 AND 1250;
ROLLBACK TO a;
UPDATE toasted SET v = 'kept' WHERE id BETWEEN 1000 AND 1100;
SAVEPOINT b;
DELETE FROM toasted WHERE id > 1200;
RELEASE b;
SELECT pg_logical_emit_message(true, 'it''s', E'trans\\actional') \g /dev/null
COMMIT;
BEGIN;
INSERT INTO toasted SELECT i, repeat('lost ' || i, 20), 'v' FROM generate_series(5000, 5250) i;
ROLLBACK;
SELECT pg_logical_emit_message(false, '', decode('00ff', 'hex')) \g /dev/null
ANALYZE;

INSERT INTO emptied (v) VALUES ('a'), ('b');
INSERT INTO emptied_too (emptied) VALUES (1);
TRUNCATE emptied, emptied_too;
INSERT INTO emptied (v) VALUES ('c');
TRUNCATE emptied RESTART IDENTITY CASCADE;
INSERT INTO emptied (v) VALUES ('d');
INSERT INTO ancestor VALUES (3, 'gone');
TRUNCATE ONLY ancestor;
