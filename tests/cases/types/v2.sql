ALTER TABLE prices ADD COLUMN euros DECIMAL(12,2) NOT NULL DEFAULT 0.00 AFTER id;
UPDATE prices SET euros = cents / 100;
ALTER TABLE prices DROP KEY ix_cents, DROP COLUMN cents, ADD KEY ix_euros (euros);
ALTER TABLE events ADD COLUMN start_day DATE NULL AFTER title;
UPDATE events SET start_day = DATE(starts_at);
ALTER TABLE events MODIFY starts_at DATETIME NULL INVISIBLE;
ALTER TABLE addresses ADD COLUMN line VARCHAR(80) NULL AFTER id;
UPDATE addresses SET line = CONCAT_WS(' ', street, house);
ALTER TABLE addresses MODIFY street VARCHAR(60) NULL INVISIBLE, MODIFY house VARCHAR(10) NULL INVISIBLE;
