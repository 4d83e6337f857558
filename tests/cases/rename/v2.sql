ALTER TABLE points RENAME COLUMN x TO y, RENAME COLUMN y TO x;
ALTER TABLE points RENAME COLUMN `label` TO caption, RENAME COLUMN `order` TO `rank_no`;
RENAME TABLE archive TO archive_2023, live TO archive;
ALTER TABLE archive RENAME COLUMN body TO content;
RENAME TABLE `Odd Names` TO odd_names;
ALTER TABLE odd_names RENAME COLUMN `a b` TO a_b, RENAME COLUMN `select` TO selected, RENAME COLUMN `b``c` TO `from`;
CREATE TABLE audit (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, what VARCHAR(100) NOT NULL);
INSERT INTO audit (what) VALUES ('migrated');
