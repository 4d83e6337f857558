INSERT INTO member (id, nick, state, phone) VALUES (1, 'ann', 'a', '1'), (2, 'bob', 'b', NULL), (3, 'cyd', 'a', ' 3 ');
INSERT INTO visit (id, member_id, minutes) VALUES (1, 1, 30), (2, 1, 90), (3, 3, 0);
