CREATE TABLE items (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  code VARCHAR(12) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL,
  weight DECIMAL(8,3) NULL,
  packed DATETIME(3) NULL,
  size CHAR(2) NOT NULL DEFAULT 'M',
  colour VARCHAR(20) NULL DEFAULT 'none',
  legacy INT NOT NULL,
  remark VARCHAR(50) NULL,
  gross INT NULL,
  area_code VARCHAR(5) NOT NULL,
  number VARCHAR(15) NOT NULL,
  doubled INT GENERATED ALWAYS AS (gross * 2) VIRTUAL,
  UNIQUE KEY code (code),
  KEY phone (area_code, number)
) DEFAULT CHARSET=utf8mb4;
