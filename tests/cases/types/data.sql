INSERT INTO prices (id, cents, old_cents) VALUES (1, 0, NULL), (2, 199, 299), (3, 100000, 0), (4, -50, -1);
INSERT INTO events (id, title, starts_at, seats) VALUES (1, 'Midnight', '2024-01-01 00:00:00', 10), (2, 'Evening', '2024-01-01 19:30:00', 250), (3, 'Open', NULL, 0);
INSERT INTO addresses (id, street, house, city) VALUES (1, 'Main Street', '7', 'Bern'), (2, 'Straße des 17. Juni', '135', 'Berlin'), (3, NULL, NULL, 'Nowhere'), (4, 'Broadway', '', 'New York'), (5, NULL, '4', 'Odd');
