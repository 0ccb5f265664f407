package operation

import "binnacle/ops"

// migrateCatalog are the operations on the schema of the app's database, and the
// checklist before a deploy.
func migrateCatalog() ops.Catalog {
	return ops.Catalog{Migrate(), MigrateStatus(), MigrateRollback(), Predeploy(), PredeployWatch()}
}
