-- States, priorities and colours as words; some may be NULL, some mean the same to the next release.
CREATE TABLE tickets (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  title VARCHAR(60) NOT NULL,
  state ENUM('open', 'in progress', 'done') NOT NULL DEFAULT 'open',
  priority VARCHAR(10) NULL,
  grade INT NULL DEFAULT 0,
  hours DECIMAL(6,2) NOT NULL DEFAULT 0.00,
  changed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  UNIQUE KEY uq_title (title),
  KEY ix_state (state)
);
CREATE TABLE labels (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  ticket_id INT NOT NULL,
  color VARCHAR(20) NOT NULL DEFAULT 'red',
  size VARCHAR(8) NULL,
  CONSTRAINT fk_labels_ticket FOREIGN KEY (ticket_id) REFERENCES tickets (id) ON DELETE CASCADE
);
CREATE TABLE votes (
  ticket_id INT NOT NULL,
  kind ENUM('up', 'down') NOT NULL,
  weight INT NOT NULL DEFAULT 1,
  PRIMARY KEY (ticket_id, kind),
  CONSTRAINT fk_votes_ticket FOREIGN KEY (ticket_id) REFERENCES tickets (id)
);
CREATE TABLE inbox (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  subject VARCHAR(60) NOT NULL,
  state VARCHAR(20) NULL,
  color VARCHAR(20) NULL
);
