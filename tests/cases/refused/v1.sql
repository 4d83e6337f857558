-- What is refused needs little of a schema: a rename, an added column, a computed one, and an invisible one.
CREATE TABLE users (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  mail VARCHAR(120) NOT NULL,
  full_name VARCHAR(120) NOT NULL DEFAULT 'Nobody',
  secret INT NULL INVISIBLE,
  bio TEXT NULL,
  FULLTEXT KEY ft_bio (bio)
);
CREATE TABLE orders (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  user_id INT NOT NULL,
  total DECIMAL(10,2) NOT NULL
);
CREATE TABLE products (
  id INT NOT NULL PRIMARY KEY,
  title VARCHAR(100) NOT NULL
);
