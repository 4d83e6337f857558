INSERT INTO staff (id, name, pin, badge, motto, hired, shift_start, salary, rating, visits, team, photo, seen_at) VALUES
  (1, 'Ada', '1234', 'A-1', 'Think twice', '2019-05-01', '07:30:00', 5200.00, 4.5, 12, 'red', 0x00FFAB, '2024-01-01 12:00:00.123'),
  (2, 'Ben', '0000', 'B-2', NULL, NULL, '08:00:00', 3999.99, NULL, 0, 'blue', NULL, NULL),
  (3, 'Cem', 'ab ', 'C-3', '', '2022-12-31', '22:15:30', 0.00, 0, 18446744073709551615, 'green', '', '2024-06-30 23:59:59.999'),
  (4, 'Dee', '9', 'D-4', 'Größe zählt 🎯', '2000-02-29', '00:00:00', -1.50, -1.5e10, 7, 'red', 0x41, '2024-01-01 00:00:00');
INSERT INTO tasks (id, staff_id, title, weight, due) VALUES (1, 1, 'Sweep', 3, '2024-03-01'), (2, 1, 'Mop', 5, NULL), (3, 2, 'Dust', 9, '2024-02-01'), (4, 4, 'Rest', 5, '2024-03-01');
