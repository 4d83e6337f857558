INSERT INTO accounts (id, owner, cents, tip_cents, touched) VALUES (1, 'ann', 0, NULL, '2024-01-01 00:00:00'), (2, 'bob', 199, 20, '2024-01-02 00:00:00'), (3, 'cyd', -5001, 0, '2024-01-03 00:00:00'), (4, 'dot', 2147483647, -1, '2024-01-04 00:00:00'), (6, 'eve', 100, NULL, '2024-01-05 00:00:00');
INSERT INTO visits (id, account_id, at, left_at, body, active, code) VALUES
  (1, 1, '2024-01-01 00:00:00', '2024-01-01 10:00:00', 'short', 'Y', 'abc'),
  (2, 1, '2024-02-29 23:59:59', NULL, 'a body that is longer than the forty characters of the next release', 'N', 'ABC'),
  (3, 2, '2023-12-31 12:00:00', '2024-01-01 00:00:00', '', 'Y', NULL),
  (4, 3, '2024-06-01 06:00:00', '2024-06-02 07:08:09', 'blank at the end ', '?', ''),
  (5, 4, '1999-09-09 09:09:09', NULL, 'grüße 🎉 日本語', 'y', 'Straße ');
INSERT INTO ledger (id, owner, amount, at, memo) VALUES (1, 'fay', 12, '2024-03-03 03:03:03', 'm'), (2, 'gil', NULL, NULL, NULL), (3, 'ann', 5, '2024-03-04 00:00:00', REPEAT('memo ', 40)), (4, 'hal', 3000, '2024-03-05 05:05:05', REPEAT('x', 250));
