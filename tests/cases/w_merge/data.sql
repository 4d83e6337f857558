INSERT INTO contacts (id, title, given, family, mail) VALUES
  (1, 'Dr', 'Ann', 'Lee', 'ann@example.com'), (2, NULL, 'Bob', 'Stone', 'bob@example.com'), (3, NULL, 'Cher', '', NULL),
  (4, '', 'Dora', 'van den Berg', 'dora@example.com'), (5, 'Prof', 'Émil  J.', ' Ångström ', 'emil@example.com'), (7, NULL, '', '', 'nobody@example.com');
INSERT INTO phones (id, contact_id, area, number, kind) VALUES (1, 1, '030', '555-01', 'work'), (2, 1, '', '112', NULL), (3, 2, '0-44', '7', 'home'), (4, 5, '089', '', 'home');
INSERT INTO boxes (id, width, height, tag) VALUES (1, 3, 4, 'a'), (2, NULL, 4, 'b'), (3, 0, NULL, 'c'), (4, NULL, NULL, 'd'), (5, -5, 100, 'e');
INSERT INTO imports (line, given, family, phone) VALUES (1, 'Ida', 'Noll', '1'), (2, 'Jo', NULL, '2'), (3, 'Kim', 'A family name that is longer than thirty characters', '3'), (4, 'Lu', '  two  blanks', NULL);
