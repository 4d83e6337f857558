-- What is refused needs little of a schema: a renamed column, a computed one, an invisible one.
CREATE TABLE users (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  mail VARCHAR(120) NOT NULL,
  full_name VARCHAR(120) NOT NULL DEFAULT 'Nobody',
  secret INT NULL INVISIBLE,
  bio TEXT NULL
);
CREATE TABLE products (
  id INT NOT NULL PRIMARY KEY,
  title VARCHAR(100) NOT NULL
);
