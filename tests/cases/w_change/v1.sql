-- Amounts in cents, moments, codes and texts that the next release stores in another type.
CREATE TABLE accounts (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  owner VARCHAR(40) NOT NULL,
  cents INT NOT NULL DEFAULT 0,
  tip_cents INT NULL,
  touched TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  UNIQUE KEY uq_owner (owner),
  KEY ix_cents (cents)
);
CREATE TABLE visits (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  account_id INT NOT NULL,
  at DATETIME NOT NULL,
  left_at DATETIME NULL,
  body VARCHAR(200) NOT NULL DEFAULT '',
  active CHAR(1) NOT NULL DEFAULT 'Y',
  code VARCHAR(12) NULL,
  CONSTRAINT fk_visits_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
);
CREATE TABLE ledger (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  owner VARCHAR(40) NULL,
  amount INT NULL,
  at DATETIME NULL,
  memo VARCHAR(300) NULL
);
