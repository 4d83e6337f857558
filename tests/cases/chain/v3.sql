ALTER TABLE members RENAME COLUMN handle TO login, MODIFY phone VARCHAR(20) NULL INVISIBLE;
RENAME TABLE members TO accounts;
ALTER TABLE visit ADD COLUMN seconds INT NOT NULL DEFAULT 0;
UPDATE visit SET seconds = lasted * 60;
ALTER TABLE visit DROP COLUMN lasted;
RENAME TABLE visit TO sessions;
