INSERT INTO teams (id, name, city, league) VALUES (1, 'Reds', 'Bern', 'A'), (2, 'Blues', NULL, 'A'), (3, 'Greens', 'Basel', 'B'), (4, 'Golds', '', 'C');
INSERT INTO games (id, home, away, home_goals, away_goals, played, report) VALUES (1, 1, 2, 3, 0, '2024-01-01', 'clear'), (2, 2, 1, 1, 1, '2024-02-01', NULL), (3, 3, 1, 0, 2, NULL, ''), (4, 2, 3, 0, NULL, NULL, 'to come');
INSERT INTO goals (game_id, minute, scorer) VALUES (1, 5, 'Ann'), (1, 50, 'Bea'), (1, 90, NULL), (2, 1, 'Cleo'), (2, 80, 'Ann'), (3, 30, 'Ann'), (3, 31, 'Ann');
