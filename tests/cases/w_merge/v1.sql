-- Names in three parts, phone numbers in two, a size in two numbers.
CREATE TABLE contacts (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  title VARCHAR(10) NULL,
  given VARCHAR(30) NOT NULL,
  family VARCHAR(30) NOT NULL DEFAULT '',
  mail VARCHAR(60) NULL,
  UNIQUE KEY uq_mail (mail)
);
CREATE TABLE phones (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  contact_id INT NOT NULL,
  area VARCHAR(6) NOT NULL,
  number VARCHAR(12) NOT NULL,
  kind VARCHAR(10) NULL DEFAULT 'home',
  CONSTRAINT fk_phones_contact FOREIGN KEY (contact_id) REFERENCES contacts (id)
);
CREATE TABLE boxes (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  width INT NULL,
  height INT NULL DEFAULT 10,
  tag VARCHAR(10) NOT NULL DEFAULT '-'
);
CREATE TABLE imports (
  line INT NOT NULL PRIMARY KEY,
  given VARCHAR(60) NULL,
  family VARCHAR(60) NULL,
  phone VARCHAR(20) NULL
);
