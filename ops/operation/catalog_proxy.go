package operation

import "binnacle/ops"

// proxyCatalog are the operations on kamal-proxy.
func proxyCatalog() ops.Catalog {
	return ops.Catalog{
		ProxyBoot(), ProxyReboot(), ProxyStart(), ProxyStop(), ProxyRestart(), ProxyDetails(), ProxyLogs(), ProxyRemove(), ProxyBootConfig(),
		ProxyUpgrade(), ProxyRemoveContainer(), ProxyRemoveImage(), ProxyRemoveDirectory(),
	}
}
