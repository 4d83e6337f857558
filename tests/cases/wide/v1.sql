-- A column of every type, all renamed or computed; a table in partitions; an invisible column.
CREATE TABLE gauges (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  c_tiny TINYINT NULL,
  c_utiny TINYINT UNSIGNED NULL,
  c_bool BOOLEAN NOT NULL DEFAULT FALSE,
  c_small SMALLINT NULL,
  c_medium MEDIUMINT NULL,
  c_int INT UNSIGNED NULL,
  c_big BIGINT NULL,
  c_ubig BIGINT UNSIGNED NULL,
  c_dec DECIMAL(20,6) NULL,
  c_float FLOAT NULL,
  c_double DOUBLE NULL,
  c_bit BIT(10) NULL,
  c_char CHAR(5) NULL,
  c_varchar VARCHAR(50) NULL,
  c_bin VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  c_latin VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci NULL,
  c_text TEXT NULL,
  c_fixed BINARY(4) NULL,
  c_varbin VARBINARY(20) NULL,
  c_blob BLOB NULL,
  c_date DATE NULL,
  c_time TIME(2) NULL,
  c_datetime DATETIME(6) NULL,
  c_stamp TIMESTAMP NULL,
  c_year YEAR NULL,
  c_enum ENUM('x', 'y', 'z,z') NULL,
  c_set SET('a', 'b', 'c') NULL,
  c_json JSON NULL,
  KEY ix_big (c_big),
  KEY ix_varchar (c_varchar)
);
CREATE TABLE events (
  id INT NOT NULL,
  year_of INT NOT NULL,
  what VARCHAR(40) NULL,
  cost DECIMAL(8,2) NOT NULL DEFAULT 0.00,
  PRIMARY KEY (id, year_of),
  KEY ix_what (what)
) PARTITION BY RANGE (year_of) (PARTITION p2022 VALUES LESS THAN (2023), PARTITION p2023 VALUES LESS THAN (2024), PARTITION pmax VALUES LESS THAN MAXVALUE);
CREATE TABLE vault (
  id INT NOT NULL PRIMARY KEY,
  label VARCHAR(20) NOT NULL,
  secret VARCHAR(20) NULL INVISIBLE,
  level INT NOT NULL DEFAULT 1
);
