package operation

import "binnacle/ops"

// buildCatalog are the operations on the image.
func buildCatalog() ops.Catalog {
	return ops.Catalog{BuildPush(), BuildPull(), BuildDeliver(), BuildCreate(), BuildRemove(), BuildDetails(), BuildDev()}
}
