-- Codes as words, words as codes, with NULLs and with values that nobody foresaw.
CREATE TABLE tickets (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  subject VARCHAR(80) NOT NULL,
  state ENUM('open', 'held', 'done') NOT NULL DEFAULT 'open',
  priority INT NOT NULL DEFAULT 2,
  kind VARCHAR(20) NULL,
  answered TINYINT NULL,
  lang CHAR(2) NULL,
  opened DATETIME NOT NULL,
  KEY ix_state (state),
  KEY ix_priority (priority)
);
CREATE TABLE notes (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  ticket_id INT NOT NULL,
  visibility VARCHAR(10) CHARACTER SET latin1 COLLATE latin1_swedish_ci NOT NULL DEFAULT 'public',
  mood ENUM('bad', 'fair', 'good') NULL,
  body TEXT NULL,
  KEY ix_ticket (ticket_id)
);
CREATE TABLE labels (
  id INT NOT NULL PRIMARY KEY,
  name VARCHAR(20) NOT NULL
);
