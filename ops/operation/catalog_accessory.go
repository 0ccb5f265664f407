package operation

import "binnacle/ops"

// accessoryCatalog are the operations on accessories.
func accessoryCatalog() ops.Catalog {
	return ops.Catalog{
		AccessoryBoot(), AccessoryReboot(), AccessoryStart(), AccessoryStop(), AccessoryRestart(),
		AccessoryDetails(), AccessoryLogs(), AccessoryExec(), AccessoryRemove(), AccessoryUpgrade(),
		AccessoryDirectories(), AccessoryUpload(), AccessoryPullImage(),
		AccessoryRemoveContainer(), AccessoryRemoveImage(), AccessoryRemoveServiceDirectory(),
	}
}
