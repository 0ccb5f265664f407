INSERT INTO migrated (version) VALUES ('20260103000003');
ALTER TABLE nobody ADD COLUMN email text;
-- down
SELECT 1;
