RENAME TABLE member TO members;
ALTER TABLE members RENAME COLUMN nick TO handle;
ALTER TABLE members ADD COLUMN active TINYINT NOT NULL DEFAULT 1;
UPDATE members SET active = CASE state WHEN 'a' THEN 1 WHEN 'b' THEN 0 END;
ALTER TABLE members DROP COLUMN state;
ALTER TABLE visit RENAME COLUMN minutes TO lasted;
