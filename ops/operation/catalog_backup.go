package operation

import "binnacle/ops"

// backupCatalog are the operations on backups.
func backupCatalog() ops.Catalog {
	return ops.Catalog{
		BackupCreate(), BackupList(), BackupShow(), BackupVerify(), BackupDrill(), BackupPrune(), BackupPull(), BackupSchedule(), Restore(),
	}
}
