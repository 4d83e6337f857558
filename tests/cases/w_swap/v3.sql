RENAME TABLE goals TO hits, games TO goals;
ALTER TABLE hits RENAME COLUMN game_id TO goal_id, RENAME COLUMN scorer TO game_id;
ALTER TABLE teams RENAME COLUMN name TO city, RENAME COLUMN city TO name, RENAME KEY uq_team TO uq_city;
ALTER TABLE goals MODIFY report VARCHAR(100) NULL INVISIBLE, ADD COLUMN season SMALLINT NOT NULL DEFAULT 0;
UPDATE goals SET season = COALESCE(YEAR(played), 0);
ALTER TABLE hits ADD COLUMN seconds INT NOT NULL DEFAULT 0;
UPDATE hits SET seconds = at_minute * 60;
ALTER TABLE hits ADD KEY hold (goal_id), DROP PRIMARY KEY, DROP COLUMN at_minute, ADD PRIMARY KEY (goal_id, seconds);
ALTER TABLE hits DROP KEY hold;
