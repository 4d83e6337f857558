-- People, accounts and counters as the first release knows them.
CREATE TABLE users (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  tag VARCHAR(40) NOT NULL,
  full_name VARCHAR(120) NOT NULL,
  fax VARCHAR(40) NULL,
  status VARCHAR(10) NOT NULL DEFAULT 'new',
  street VARCHAR(60) NULL,
  house VARCHAR(20) NULL,
  stamp BIGINT NOT NULL DEFAULT 0,
  UNIQUE KEY uq_tag (tag)
);
CREATE TABLE accounts (
  id INT NOT NULL PRIMARY KEY,
  owner VARCHAR(60) NOT NULL,
  cents INT NOT NULL DEFAULT 0,
  hits BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE counters (
  name VARCHAR(20) NOT NULL PRIMARY KEY,
  n BIGINT NOT NULL DEFAULT 0
);
