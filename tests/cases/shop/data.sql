INSERT INTO users (id, mail, full_name, fax, tier, born, credit, bio, referrer_id, created_at) VALUES
  (1, 'ann@example.com', 'Ann Lee', '+1 555 0100', 'vip', '1980-02-29', 120.50, 'Founder.\nLikes "quotes" and ''apostrophes''.', NULL, '2020-01-01 00:00:00'),
  (2, 'bob@example.com', 'Bob Stone', NULL, 'pro', '1991-12-31', 0.00, NULL, 1, '2021-05-05 12:30:00'),
  (3, 'cher@example.com', 'Cher', '', 'free', NULL, 3.10, '', 1, '2021-05-05 12:30:00'),
  (4, 'dora@example.com', 'Dora  van den Berg', '0', 'free', '2001-07-04', -2.25, 'two blanks in the name', 2, '2022-11-11 11:11:11'),
  (5, 'emil@example.com', 'Émil Ångström', NULL, 'pro', '1975-01-01', 9999999.99, 'grüße 🎉 日本語', 2, '2023-03-03 03:03:03'),
  (6, 'FOX@Example.com', ' Fox Leading', ' ', 'free', '1999-09-09', 0.01, NULL, 4, '2023-03-03 03:03:04'),
  (7, 'gus@example.com', 'Gus Trailing ', 'fax ', 'vip', NULL, 10.00, 'blank at the end ', NULL, '2023-03-03 03:03:05'),
  (9, 'zoe@example.com', '', NULL, 'free', '2010-10-10', 0.00, NULL, 7, '2024-02-29 23:59:59');
INSERT INTO products (id, sku, title, price, weight, stock, thumb) VALUES
  (1, 'PEN-1', 'Pen', 1.20, 0.02, 100, 0x00FF27),
  (2, 'PAD-1', 'Pad', 3.50, 0.25, 40, NULL),
  (3, 'MUG-9', 'Mug ☕', 9.99, 0.4, 0, ''),
  (4, 'CAR-0', 'Car', NULL, 1e3, 1, NULL);
INSERT INTO orders (id, user_id, status, total, placed_at, changed_at, note) VALUES
  (1, 1, 'shipped', 4.70, '2024-01-01 10:00:00', '2024-01-05 10:00:00', NULL),
  (2, 1, 'paid', 9.99, '2024-01-02 10:00:00', '2024-01-02 10:00:00', 'gift 🎁'),
  (3, 2, 'new', 1.20, '2024-01-02 10:00:00', '2024-01-02 10:00:00', ''),
  (4, 4, 'new', 0.00, '2024-01-03 09:00:00', '2024-01-03 09:00:00', 'call first'),
  (5, 5, 'paid', 19.98, '2024-01-04 08:00:00', '2024-01-04 08:00:00', NULL),
  (7, 7, 'shipped', 3.50, '2024-01-05 07:00:00', '2024-01-06 07:00:00', 'Leave at the door ');
INSERT INTO order_items (order_id, product_id, quantity, price) VALUES
  (1, 1, 1, 1.20), (1, 2, 1, 3.50), (2, 3, 1, 9.99), (3, 1, 1, 1.20), (5, 3, 2, 9.99), (7, 2, 1, 3.50);
