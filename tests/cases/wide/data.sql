INSERT INTO gauges VALUES
  (1, -128, 255, TRUE, -32768, 8388607, 4294967295, -9223372036854775808, 18446744073709551615, 12345678901234.567891, 1.5, 2.25e100, b'1010101010', 'abc', 'Plain text', 'Bin', 'café', 'long text', 'ab', 0x00FF00, 0xDEADBEEF, '2024-02-29', '838:59:59', '2024-01-01 10:20:30.123456', '2024-01-01 10:20:30', 2024, 'x', 'a,c', '{"k": [1, 2]}'),
  (2, 127, 0, FALSE, 32767, -8388608, 0, 9223372036854775807, 0, -0.000001, -0.25, -1e-50, b'0', '', '', '', '', '', '', '', '', '1000-01-01', '-00:00:01.5', '1000-01-01 00:00:00', '1970-01-02 00:00:01', 1901, 'z,z', '', '[]'),
  (3, NULL, NULL, FALSE, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, 0, 7, TRUE, 12, 34, 56, 78, 90, 1.500000, 3, 0.1, b'11', 'x  ', 'Größe 🎉 ', 'bin', 'x', 'grüße', 'abcd', 'varbin', 'blob', '2024-12-31', '12:34:56.78', '2024-12-31 23:59:59.999999', '2024-06-30 12:00:00', 2155, 'y', 'b', '"s"');
INSERT INTO events VALUES (1, 2022, 'start', 10.00), (2, 2022, NULL, 0.50), (3, 2023, 'middle', 7.25), (4, 2024, 'end', 100.00), (5, 2030, 'later', 0.00);
INSERT INTO vault (id, label, secret, level) VALUES (1, 'door', 'abc', 1), (2, 'safe', '12-34', 3), (3, 'shed', NULL, 2);
