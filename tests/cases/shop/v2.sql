-- users became people: mail is email, the name is in two parts; orders have a status code and a channel.
RENAME TABLE users TO people;
ALTER TABLE people RENAME COLUMN mail TO email;
ALTER TABLE people ADD COLUMN first_name VARCHAR(120) NOT NULL DEFAULT '' AFTER email, ADD COLUMN last_name VARCHAR(120) NOT NULL DEFAULT '' AFTER first_name;
UPDATE people SET first_name = SUBSTRING_INDEX(full_name, ' ', 1), last_name = SUBSTRING(full_name, CHAR_LENGTH(SUBSTRING_INDEX(full_name, ' ', 1)) + 2);
ALTER TABLE people MODIFY full_name VARCHAR(120) NULL INVISIBLE, MODIFY fax VARCHAR(40) NULL INVISIBLE;
ALTER TABLE orders ADD COLUMN status_id TINYINT NOT NULL DEFAULT 1 AFTER user_id, ADD COLUMN channel VARCHAR(10) NOT NULL DEFAULT 'app';
UPDATE orders SET status_id = CASE status WHEN 'new' THEN 1 WHEN 'paid' THEN 2 WHEN 'shipped' THEN 3 END, channel = 'web', changed_at = changed_at;
ALTER TABLE orders DROP KEY ix_status, DROP COLUMN status, ADD KEY ix_status (status_id, placed_at);
