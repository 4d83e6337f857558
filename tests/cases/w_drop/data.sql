INSERT INTO staff (id, name, badge, room, memo, photo, hired, rate, updated) VALUES
  (1, 'Ann', 'A-1', 10, 'first\nof all', 0x00FF, '2001-01-01', 10.500, '2024-01-01 00:00:00'),
  (2, 'Bob', '', 1, NULL, NULL, NULL, NULL, '2024-01-02 00:00:00'),
  (3, 'Cyd', 'none', -3, '', '', '2003-03-03', 0.000, '2024-01-03 00:00:00'),
  (5, 'Dot', ' d ', 20, 'blank ', 0x20, '1999-12-31', 9999.999, '2024-01-04 00:00:00');
INSERT INTO gadgets (id, owner_id, label) VALUES (1, 1, 'drill'), (2, 1, 'lamp'), (3, NULL, 'saw'), (4, 5, 'lamp');
INSERT INTO applicants (id, who, badge, note) VALUES (1, 'Eve', 'E-1', 'keen'), (2, 'Fay', 'a badge too long', NULL), (3, NULL, 'N', 'no name'), (4, 'Gil', NULL, 'no badge');
