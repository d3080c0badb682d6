-- A database in a file, with both kinds of journal, a rollback, sorting beyond memory and a check
-- of the whole. What is printed is the same in each run.
PRAGMA cache_size = 50;
PRAGMA temp_store = 1;
CREATE TABLE numbers (id INTEGER PRIMARY KEY, text TEXT, number INTEGER);
BEGIN;
INSERT INTO numbers (text, number)
  WITH RECURSIVE count(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM count WHERE i < 8000)
  SELECT printf('%08x-%d', i * 2654435761 % 4294967296, i), i * 7919 % 10007 FROM count;
COMMIT;
CREATE INDEX by_number ON numbers (number, text);
SELECT count(*), sum(number), min(text), max(text) FROM numbers;
BEGIN;
DELETE FROM numbers WHERE number % 3 = 0;
SELECT count(*) FROM numbers;
ROLLBACK;
SELECT count(*) FROM numbers;
PRAGMA journal_mode = WAL;
UPDATE numbers SET text = text || '-' || number WHERE id % 5 = 0;
DELETE FROM numbers WHERE id % 11 = 0;
SELECT count(*), sum(length(text)) FROM numbers;
SELECT text FROM numbers ORDER BY text LIMIT 3;
SELECT count(*) FROM (SELECT a.text FROM numbers a ORDER BY a.text || a.number);
PRAGMA wal_checkpoint(TRUNCATE);
PRAGMA journal_mode = DELETE;
VACUUM;
PRAGMA integrity_check;
SELECT date(0, 'unixepoch'), length(randomblob(16)), strftime('%s', 'now') > 1700000000;
