SELECT SQL_CALC_FOUND_ROWS * FROM users LIMIT 5, 10
SELECT DISTINCTROW a FROM users ORDER BY a DESC LIMIT 10 OFFSET 5
SELECT STRAIGHT_JOIN * FROM users u STRAIGHT_JOIN orders o ON o.user_id = u.id
SELECT * FROM users u, orders o WHERE u.id = o.user_id
SELECT * FROM (users u, orders o) LEFT JOIN products p ON p.id = o.id
SELECT * FROM users u LEFT OUTER JOIN (orders o INNER JOIN products p ON p.id = o.id) ON o.user_id = u.id
SELECT * FROM users NATURAL LEFT JOIN orders
SELECT * FROM users JOIN orders USING (id, a)
SELECT * FROM users CROSS JOIN orders
SELECT u.*, o.id FROM users AS u JOIN orders AS o
SELECT `u`.`mail` FROM `users` AS `u`
SELECT u.mail AS 'm x' FROM users u
SELECT u.mail "m x" FROM users u
SELECT COUNT(*), COUNT(DISTINCT mail), MAX(id) FROM users GROUP BY mail WITH ROLLUP HAVING COUNT(*) > 1
SELECT GROUP_CONCAT(DISTINCT mail ORDER BY mail DESC SEPARATOR ';') FROM users
SELECT mail, ROW_NUMBER() OVER (PARTITION BY a ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM users
SELECT mail, SUM(id) OVER w FROM users WINDOW w AS (ORDER BY id)
WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT * FROM t JOIN users ON users.id = t.n
WITH x AS (SELECT * FROM users), y AS (SELECT * FROM x) SELECT * FROM y
(SELECT mail FROM users) UNION ALL (SELECT note FROM orders) ORDER BY 1 LIMIT 3
SELECT mail FROM users UNION SELECT note FROM orders
SELECT mail FROM users EXCEPT SELECT note FROM orders
SELECT * FROM users WHERE id IN (SELECT user_id FROM orders)
SELECT * FROM users WHERE EXISTS (SELECT 1 FROM orders WHERE orders.user_id = users.id)
SELECT * FROM users WHERE (id, mail) IN ((1, 'a'), (2, 'b'))
SELECT * FROM users WHERE id > ALL (SELECT id FROM orders)
SELECT (SELECT MAX(id) FROM orders) AS m FROM users
SELECT * FROM users WHERE mail LIKE 'a\\_%' ESCAPE '|' AND NOT id <=> NULL
SELECT * FROM users WHERE mail REGEXP '^a' OR mail RLIKE 'b' XOR id = 1
SELECT * FROM users WHERE mail SOUNDS LIKE 'x'
SELECT id DIV 2, id MOD 2, id % 2, -id, ~id, !id, id << 1, id | 2 FROM users
SELECT CASE WHEN id = 1 THEN 'a' ELSE 'b' END, CASE id WHEN 1 THEN 2 END, IF(id, 1, 2), IFNULL(mail, '') FROM users
SELECT CAST(id AS CHAR), CAST(id AS UNSIGNED), CAST(id AS DECIMAL(10,2)), CONVERT(mail USING utf8mb4), CAST(mail AS CHAR(3) CHARACTER SET latin1) FROM users
SELECT BINARY mail, mail COLLATE utf8mb4_bin FROM users WHERE BINARY mail = 'a'
SELECT _utf8mb4'abc', N'abc', x'41', 0x41, b'01', 1e5, .5, 1. FROM users
SELECT 'a' 'b' FROM users
SELECT DATE_ADD(NOW(), INTERVAL 1 DAY), NOW() + INTERVAL 2 HOUR, NOW() - INTERVAL '1:1' MINUTE_SECOND FROM users
SELECT EXTRACT(YEAR FROM NOW()), TRIM(LEADING 'x' FROM mail), SUBSTRING(mail FROM 2 FOR 3), POSITION('a' IN mail) FROM users
SELECT TIMESTAMPDIFF(MINUTE, NOW(), NOW()), TIMESTAMPADD(DAY, 1, NOW()) FROM users
SELECT mail->'$.a', mail->>'$.b', JSON_EXTRACT(mail, '$.c') FROM users
SELECT @a, @@sql_mode, @a := 1 FROM users
SELECT mail INTO @m FROM users WHERE id = 1
SELECT mail FROM users WHERE id = 1 INTO @m, @n
SELECT * FROM users FOR UPDATE
SELECT * FROM users FOR UPDATE NOWAIT
SELECT * FROM users FOR SHARE SKIP LOCKED
SELECT * FROM users LOCK IN SHARE MODE
SELECT * FROM users u JOIN orders o ON u.id = o.id FOR UPDATE OF u, o
SELECT * FROM users USE INDEX (PRIMARY) IGNORE KEY FOR ORDER BY (a, b) WHERE id = 1
SELECT * FROM users u FORCE INDEX (a) JOIN orders o IGNORE INDEX (x) ON 1
SELECT * FROM users PARTITION (p0, p1) AS u
SELECT /*+ NO_MERGE(u) */ * FROM users u
SELECT * FROM users -- comment
SELECT * FROM users # comment
SELECT /*! STRAIGHT_JOIN */ * FROM users
SELECT * FROM shop.users WHERE shop.users.id = 1
SELECT users.* FROM users
SELECT shop.users.* FROM shop.users
SELECT * FROM users WHERE id BETWEEN 1 AND 5 AND mail IS NOT NULL
SELECT * FROM users WHERE id IS TRUE OR id IS NOT FALSE OR id IS UNKNOWN
SELECT ALL mail FROM users
SELECT * FROM users ORDER BY FIELD(id, 3, 2, 1), mail COLLATE utf8mb4_bin ASC
SELECT * FROM users GROUP BY id DESC
SELECT * FROM users, LATERAL (SELECT * FROM orders WHERE orders.user_id = users.id) AS l
SELECT * FROM users, JSON_TABLE('[1]', '$[*]' COLUMNS (x INT PATH '$')) AS j
SELECT COALESCE(NULL, mail), GREATEST(1, 2), CONCAT_WS(',', 'a', mail), CHAR(65 USING utf8mb4) FROM users
SELECT CURRENT_TIMESTAMP, CURRENT_DATE(), UTC_TIMESTAMP(), LOCALTIME FROM users
SELECT VALUES(a) FROM users
SELECT EXISTS(SELECT 1 FROM users) AS e
SELECT 1 FROM DUAL WHERE NOT EXISTS (SELECT * FROM users)
SELECT CHARACTER_LENGTH(mail), CHARSET(mail), COLLATION(mail) FROM users
INSERT users VALUES (1, 'a')
INSERT INTO users () VALUES ()
INSERT LOW_PRIORITY IGNORE INTO users (a) VALUE (1)
INSERT INTO users (a, b) VALUES (1, DEFAULT), (?, DEFAULT(b))
INSERT INTO users SET a = 1, b = DEFAULT
INSERT INTO users (a) SELECT a FROM orders ON DUPLICATE KEY UPDATE a = VALUES(a) + 1
INSERT INTO users (a) VALUES (1) AS new ON DUPLICATE KEY UPDATE a = new.a
INSERT INTO users (a) WITH x AS (SELECT 1) SELECT * FROM x
INSERT INTO users (a) (SELECT a FROM orders)
INSERT INTO users (a) VALUES (1) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), a = a + 1
REPLACE INTO users (a) VALUES (1)
REPLACE users SET a = 1
UPDATE users SET a = 1
UPDATE LOW_PRIORITY IGNORE users u SET u.a = u.a + 1 WHERE u.id = ? ORDER BY id DESC LIMIT 2
UPDATE users, orders SET users.a = orders.a WHERE users.id = orders.id
UPDATE users u JOIN orders o ON u.id = o.id SET u.a = o.a, o.b = 2
UPDATE users SET a = DEFAULT, b = (SELECT MAX(id) FROM orders)
UPDATE users SET a = CASE WHEN id = 1 THEN 2 ELSE a END
DELETE FROM users
DELETE LOW_PRIORITY QUICK IGNORE FROM users WHERE id = 1 ORDER BY id LIMIT 1
DELETE u FROM users u JOIN orders o ON o.id = u.id
DELETE u, o FROM users AS u, orders AS o WHERE u.id = o.id
DELETE FROM u USING users u JOIN orders o ON o.id = u.id
DELETE FROM shop.users WHERE id = 1
DELETE users.* FROM users WHERE id = 1
