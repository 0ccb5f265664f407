package operation

import "binnacle/ops"

// removeCatalog are the operations on everything at once.
func removeCatalog() ops.Catalog {
	return ops.Catalog{Stop(), Remove(), Upgrade()}
}
