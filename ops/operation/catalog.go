package operation

import "binnacle/ops"

// Catalog lists all operations, in the order that help shows them.
func Catalog() ops.Catalog {
	return ops.Catalog{
		Setup(), Deploy(), Redeploy(), Rollback(),
		AppBoot(), AppStart(), AppStop(),
		Details(), Audit(),
		LockStatus(), LockAcquire(), LockRelease(),
	}
}
