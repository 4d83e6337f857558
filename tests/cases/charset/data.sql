INSERT INTO `gäste` (id, `größe`, name, zustand) VALUES (1, 170, 'Jörg', 'geöffnet'), (2, NULL, 'Ann', 'zu'), (3, 181, 'É', 'geöffnet');
INSERT INTO `商品` (id, `名`, `功能`, `形`) VALUES (1, '机', '写字', '表'), (2, '許功', NULL, '功'), (3, 'é', '能', 'plain');
INSERT INTO items (id, label) VALUES (1, 'one'), (2, NULL);
INSERT INTO users (id, mail, note, code, state, mood) VALUES (1, 'ann@x', 'it''s', 'ab', 'active', 'fröhlich'), (2, 'bob@x', 'a\\b', '', 'closed', 'sad'), (3, 'eve@x', NULL, 'abcde', 'active', NULL);
INSERT INTO plain (id, `größe`) VALUES (1, 'é'), (2, '表');
