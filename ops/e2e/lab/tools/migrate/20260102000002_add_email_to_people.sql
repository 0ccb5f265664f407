ALTER TABLE people ADD COLUMN email text;
INSERT INTO migrated (version) VALUES ('20260102000002');
-- down
DELETE FROM migrated WHERE version = '20260102000002';
ALTER TABLE people DROP COLUMN email;
