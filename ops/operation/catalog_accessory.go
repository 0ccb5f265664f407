package operation

import "binnacle/ops"

// accessoryCatalog are the operations on accessories.
func accessoryCatalog() ops.Catalog {
	return ops.Catalog{}
}
