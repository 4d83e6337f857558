INSERT INTO tickets (id, title, state, priority, grade, hours, changed_at) VALUES
  (1, 'Printer on fire', 'open', 'high', 2, 1.50, '2024-01-01 08:00:00'),
  (2, 'Coffee is cold', 'in progress', 'low', 0, 0.25, '2024-01-02 08:00:00'),
  (3, 'Door squeaks', 'done', NULL, NULL, 12.00, '2024-01-03 08:00:00'),
  (4, 'Café ☕ closed', 'open', 'mid', 1, 0.00, '2024-01-04 08:00:00'),
  (6, '', 'done', 'low', 0, 3.75, '2024-01-05 08:00:00');
INSERT INTO labels (id, ticket_id, color, size) VALUES
  (1, 1, 'red', 'small'), (2, 1, 'crimson', NULL), (3, 2, 'navy', 'big'), (4, 3, 'blue', 'huge'), (5, 4, 'mauve', ''), (6, 6, 'Red', 'SMALL');
INSERT INTO votes (ticket_id, kind, weight) VALUES (1, 'up', 3), (1, 'down', 1), (2, 'up', 1), (4, 'down', 10);
INSERT INTO inbox (id, subject, state, color) VALUES (1, 'Window stuck', 'open', 'crimson'), (2, 'Light out', 'done', 'red'), (3, 'Lift slow', 'in progress', NULL), (4, 'Door squeaks', 'open', 'navy');
