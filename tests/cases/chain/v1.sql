-- The first of three releases.
CREATE TABLE member (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  nick VARCHAR(40) NOT NULL,
  state CHAR(1) NOT NULL DEFAULT 'a',
  phone VARCHAR(20) NULL,
  UNIQUE KEY uq_nick (nick)
);
CREATE TABLE visit (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  member_id INT NOT NULL,
  minutes INT NOT NULL DEFAULT 0,
  CONSTRAINT fk_visit_member FOREIGN KEY (member_id) REFERENCES member (id)
);
