RENAME TABLE users TO people;
ALTER TABLE people RENAME COLUMN mail TO email;
ALTER TABLE people ADD COLUMN first_name VARCHAR(120) NOT NULL DEFAULT '' AFTER email, ADD COLUMN last_name VARCHAR(120) NOT NULL DEFAULT '' AFTER first_name;
UPDATE people SET first_name = SUBSTRING_INDEX(full_name, ' ', 1), last_name = SUBSTRING(full_name, CHAR_LENGTH(SUBSTRING_INDEX(full_name, ' ', 1)) + 2);
ALTER TABLE people MODIFY full_name VARCHAR(120) NULL INVISIBLE;
