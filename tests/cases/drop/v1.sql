-- Columns of every type that the newer release has dropped: kept, with and without a value for new rows, or discarded.
CREATE TABLE staff (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(60) NOT NULL,
  pin CHAR(4) NOT NULL DEFAULT '0000',
  badge VARCHAR(20) NOT NULL,
  motto TEXT NULL,
  hired DATE NULL,
  shift_start TIME NOT NULL DEFAULT '08:00:00',
  salary DECIMAL(9,2) NOT NULL DEFAULT 0.00,
  rating DOUBLE NULL,
  visits BIGINT UNSIGNED NOT NULL DEFAULT 0,
  team ENUM('red', 'green', 'blue') NOT NULL DEFAULT 'green',
  photo VARBINARY(16) NULL,
  seen_at DATETIME(3) NULL,
  shoe INT NOT NULL DEFAULT 42,
  legacy VARCHAR(10) NULL,
  UNIQUE KEY uq_badge (badge)
);
CREATE TABLE tasks (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  staff_id INT NOT NULL,
  title VARCHAR(60) NOT NULL,
  weight SMALLINT NOT NULL DEFAULT 5,
  due DATE NULL,
  KEY ix_staff (staff_id),
  CONSTRAINT fk_tasks_staff FOREIGN KEY (staff_id) REFERENCES staff (id)
);
