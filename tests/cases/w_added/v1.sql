-- The next release adds columns that are computed from the row.
CREATE TABLE customers (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(40) NOT NULL,
  mail VARCHAR(60) NULL,
  points INT NOT NULL DEFAULT 10,
  UNIQUE KEY uq_mail (mail)
);
CREATE TABLE events (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id INT NULL,
  kind VARCHAR(10) NOT NULL,
  amount DECIMAL(8,2) NOT NULL DEFAULT 1.50,
  happened DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  note VARCHAR(60) NULL DEFAULT 'none',
  UNIQUE KEY uq_event (customer_id, kind),
  CONSTRAINT fk_events_customer FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE TABLE queue (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(80) NULL,
  mail VARCHAR(60) NULL
);
