ALTER TABLE people ADD CONSTRAINT named CHECK (name <> '');
INSERT INTO migrated (version) VALUES ('20260103000003');
-- down
DELETE FROM migrated WHERE version = '20260103000003';
ALTER TABLE people DROP CONSTRAINT named;
