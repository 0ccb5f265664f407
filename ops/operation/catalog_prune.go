package operation

import "binnacle/ops"

// pruneCatalog are the operations on what is old.
func pruneCatalog() ops.Catalog {
	return ops.Catalog{PruneAll(), PruneContainers(), PruneImages()}
}
