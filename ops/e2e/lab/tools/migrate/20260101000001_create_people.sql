CREATE TABLE people (id bigserial PRIMARY KEY, name text NOT NULL);
CREATE TABLE migrated (id bigserial PRIMARY KEY, version text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
INSERT INTO migrated (version) VALUES ('20260101000001');
-- down
DROP TABLE migrated;
DROP TABLE people;
