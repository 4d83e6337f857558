INSERT INTO users (id, mail, full_name, secret, bio) VALUES (1, 'ann@example.com', 'Ann Lee', 7, 'a word'), (2, 'bob@example.com', 'Bob Stone', NULL, NULL);
INSERT INTO products (id, title) VALUES (1, 'Pen');
