package operation

import "binnacle/ops"

// registryCatalog are the operations on registries.
func registryCatalog() ops.Catalog {
	return ops.Catalog{RegistrySetup(), RegistryLogin(), RegistryRemove(), RegistryLogout()}
}
