-- Other names for all tables, names in two parts, addresses in one line, a status code, a channel, amounts in euros.
RENAME TABLE users TO people, accounts TO wallets, counters TO tallies;
ALTER TABLE people RENAME COLUMN tag TO label, RENAME INDEX uq_tag TO uq_label;
ALTER TABLE people ADD COLUMN first_name VARCHAR(120) NOT NULL DEFAULT '' AFTER label, ADD COLUMN last_name VARCHAR(120) NOT NULL DEFAULT '' AFTER first_name, ADD COLUMN status_id TINYINT NOT NULL DEFAULT 1, ADD COLUMN line VARCHAR(90) NULL, ADD COLUMN channel VARCHAR(10) NOT NULL DEFAULT 'app';
UPDATE people SET first_name = SUBSTRING_INDEX(full_name, ' ', 1), last_name = SUBSTRING(full_name, CHAR_LENGTH(SUBSTRING_INDEX(full_name, ' ', 1)) + 2), line = CONCAT_WS(' ', street, house);
ALTER TABLE people MODIFY full_name VARCHAR(120) NULL INVISIBLE, MODIFY fax VARCHAR(40) NULL INVISIBLE, MODIFY street VARCHAR(60) NULL INVISIBLE, MODIFY house VARCHAR(20) NULL INVISIBLE, DROP COLUMN status;
ALTER TABLE wallets RENAME COLUMN owner TO holder, ADD COLUMN euros DECIMAL(12,2) NOT NULL DEFAULT 0.00;
UPDATE wallets SET euros = cents / 100;
ALTER TABLE wallets DROP COLUMN cents;
ALTER TABLE tallies RENAME COLUMN name TO label, RENAME COLUMN n TO total;
