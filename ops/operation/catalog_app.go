package operation

import "binnacle/ops"

// appCatalog are the operations on the app.
func appCatalog() ops.Catalog {
	return ops.Catalog{
		AppBoot(), AppStart(), AppStop(), AppExec(),
		AppDetails(), AppContainers(), AppImages(), AppVersion(), AppLogs(), AppStaleContainers(),
		AppMaintenance(), AppLive(), AppRemove(),
		AppRemoveContainer(), AppRemoveContainers(), AppRemoveImages(), AppRemoveDirectories(),
	}
}
