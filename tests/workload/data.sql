INSERT INTO users (id, tag, full_name, fax, status, street, house) VALUES
  (1, 'shared-1', 'Shared Row 1', 'fax 1', 'new', 'First Street', '1'),
  (2, 'shared-2', 'Shared Row 2', 'fax 2', 'new', 'First Street', '2'),
  (3, 'shared-3', 'Shared Row 3', 'fax 3', 'new', 'First Street', '3'),
  (4, 'shared-4', 'Shared Row 4', 'fax 4', 'new', 'First Street', '4'),
  (5, 'shared-5', 'Shared Row 5', 'fax 5', 'new', 'First Street', '5'),
  (6, 'shared-6', 'Shared Row 6', 'fax 6', 'new', 'First Street', '6');
INSERT INTO accounts (id, owner, cents) VALUES
  (1, 'one', 100000), (2, 'two', 100000), (3, 'three', 100000), (4, 'four', 100000),
  (5, 'five', 100000), (6, 'six', 100000), (7, 'seven', 100000), (8, 'eight', 100000);
