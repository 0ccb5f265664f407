package operation

import "binnacle/ops"

// proxyCatalog are the operations on kamal-proxy.
func proxyCatalog() ops.Catalog {
	return ops.Catalog{}
}
