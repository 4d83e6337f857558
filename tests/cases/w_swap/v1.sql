-- Three releases: columns that change places, then tables that are renamed, then values that become codes.
CREATE TABLE teams (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(30) NOT NULL,
  city VARCHAR(30) NULL,
  league ENUM('A', 'B', 'C') NOT NULL DEFAULT 'C',
  UNIQUE KEY uq_team (name)
);
CREATE TABLE games (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  home INT NOT NULL,
  away INT NOT NULL,
  home_goals TINYINT UNSIGNED NOT NULL DEFAULT 0,
  away_goals TINYINT UNSIGNED NULL,
  played DATE NULL,
  report VARCHAR(100) NULL,
  UNIQUE KEY uq_pair (home, away),
  KEY ix_away (away),
  CONSTRAINT fk_home FOREIGN KEY (home) REFERENCES teams (id),
  CONSTRAINT fk_away FOREIGN KEY (away) REFERENCES teams (id) ON DELETE CASCADE
);
CREATE TABLE goals (
  game_id INT NOT NULL,
  minute SMALLINT NOT NULL,
  scorer VARCHAR(30) NULL,
  PRIMARY KEY (game_id, minute),
  CONSTRAINT fk_goal_game FOREIGN KEY (game_id) REFERENCES games (id) ON DELETE CASCADE
);
