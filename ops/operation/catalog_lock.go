package operation

import "binnacle/ops"

// lockCatalog are the operations on the deploy lock.
func lockCatalog() ops.Catalog {
	return ops.Catalog{LockStatus(), LockAcquire(), LockRelease()}
}
