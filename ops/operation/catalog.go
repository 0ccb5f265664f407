package operation

import (
	"slices"

	"binnacle/ops"
)

// Catalog lists all operations, in the order that help shows them. Each group
// of commands lists its own.
func Catalog() ops.Catalog {
	return slices.Concat(
		ops.Catalog{Setup(), Deploy(), Redeploy(), Rollback(), Details(), Audit()},
		appCatalog(), accessoryCatalog(), proxyCatalog(), buildCatalog(), registryCatalog(), pruneCatalog(),
		lockCatalog(), backupCatalog(), serverCatalog(), migrateCatalog(), removeCatalog(),
	)
}
