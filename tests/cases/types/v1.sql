-- Amounts in cents, one moment per event, an address in parts.
CREATE TABLE prices (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  cents INT NOT NULL DEFAULT 0,
  old_cents INT NULL,
  KEY ix_cents (cents)
);
CREATE TABLE events (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  title VARCHAR(50) NOT NULL,
  starts_at DATETIME NULL,
  seats SMALLINT UNSIGNED NOT NULL DEFAULT 0
);
CREATE TABLE addresses (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  street VARCHAR(60) NULL,
  house VARCHAR(10) NULL,
  city VARCHAR(60) NOT NULL
);
