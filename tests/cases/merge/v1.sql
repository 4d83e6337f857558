-- Parts that became one column.
CREATE TABLE phones (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  owner VARCHAR(40) NOT NULL,
  prefix VARCHAR(6) NOT NULL DEFAULT '',
  number VARCHAR(20) NULL,
  KEY ix_number (number)
);
CREATE TABLE meetings (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  title VARCHAR(40) NOT NULL,
  day DATE NOT NULL,
  at TIME NOT NULL,
  room INT NULL,
  KEY ix_day (day, at)
);
CREATE TABLE boxes (
  id INT NOT NULL PRIMARY KEY,
  width INT NULL,
  height INT NULL,
  depth INT NULL,
  colour VARCHAR(10) NULL
);
