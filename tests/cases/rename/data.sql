INSERT INTO points (id, x, y, `label`, `order`) VALUES (1, 10, 20, 'ten-twenty', 3), (2, 20, 10, 'twenty-ten', 2), (3, 5, NULL, 'five', 1), (4, 5, NULL, 'five again', NULL);
INSERT INTO archive (id, point_id, body) VALUES (1, 1, 'old one'), (2, NULL, 'nowhere');
INSERT INTO live (id, point_id, body) VALUES (1, 2, 'one'), (2, 3, 'two'), (3, 3, NULL);
INSERT INTO `Odd Names` VALUES (1, 'one', 'c1'), (2, NULL, 'c2');
