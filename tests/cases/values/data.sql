INSERT INTO tickets (id, subject, state, priority, kind, answered, lang, opened) VALUES
  (1, 'Printer on fire', 'open', 3, 'bug', 0, 'en', '2024-02-01 08:00:00'),
  (2, 'More colours', 'held', 1, 'wish', 1, 'de', '2024-02-02 09:30:00'),
  (3, 'Lost password', 'done', 2, NULL, 1, NULL, '2024-02-02 09:30:00'),
  (4, 'Strange noise', 'open', 2, 'oddity', NULL, 'fr', '2024-02-03 10:00:00'),
  (5, 'Typo', 'done', 1, 'bug', 0, 'en', '2024-02-04 11:00:00'),
  (6, 'Empty kind', 'held', 3, '', NULL, 'de', '2024-02-05 12:00:00');
INSERT INTO notes (id, ticket_id, visibility, mood, body) VALUES
  (1, 1, 'public', 'bad', 'smoke'), (2, 1, 'staff', NULL, 'call the fire brigade'), (3, 2, 'public', 'good', NULL),
  (4, 4, 'staff', 'fair', 'hmm'), (5, 5, 'hidden', 'good', 'fixed'), (6, 3, 'public', 'bad', '');
INSERT INTO labels (id, name) VALUES (1, 'open'), (2, 'bug'), (3, 'Lost');
