ALTER TABLE games RENAME COLUMN home TO away, RENAME COLUMN away TO home, RENAME COLUMN home_goals TO away_goals, RENAME COLUMN away_goals TO home_goals;
ALTER TABLE games RENAME KEY uq_pair TO uq_match;
ALTER TABLE teams ADD COLUMN level TINYINT NOT NULL DEFAULT 3;
UPDATE teams SET level = CASE league WHEN 'A' THEN 1 WHEN 'B' THEN 2 WHEN 'C' THEN 3 END;
ALTER TABLE teams DROP COLUMN league;
ALTER TABLE goals RENAME COLUMN minute TO at_minute;
