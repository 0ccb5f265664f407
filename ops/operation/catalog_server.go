package operation

import "binnacle/ops"

// serverCatalog are the operations on the servers themselves.
func serverCatalog() ops.Catalog {
	return ops.Catalog{ServerExec(), ServerBootstrap()}
}
