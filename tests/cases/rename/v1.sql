-- Names that change places, and names that are used again.
CREATE TABLE points (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  x INT NOT NULL,
  y INT NULL DEFAULT 7,
  `label` VARCHAR(40) NOT NULL DEFAULT '',
  `order` INT NULL,
  UNIQUE KEY uq_xy (x, y)
);
CREATE TABLE archive (
  id INT NOT NULL PRIMARY KEY,
  point_id INT NULL,
  body VARCHAR(100) NULL,
  KEY ix_point (point_id),
  CONSTRAINT fk_archive_point FOREIGN KEY (point_id) REFERENCES points (id)
);
CREATE TABLE live (
  id INT NOT NULL PRIMARY KEY,
  point_id INT NOT NULL,
  body VARCHAR(100) NULL,
  CHECK (id > 0)
);
CREATE TABLE `Odd Names` (
  `a b` INT NOT NULL PRIMARY KEY,
  `select` VARCHAR(20) NULL,
  `b``c` VARCHAR(20) NULL
);
