package cli

// differences says, by command or by command and flag, what is not as in Kamal.
func differences() map[string]string {
	unknownAccessory := "an unknown accessory is an error, exit 1"
	return map[string]string{
		"--hosts":     "a lone `-h` before a command shows help",
		"--primary":   "the configured primary host's lock is respected as well",
		"--verbose":   "prints every command with its output line by line",
		"--lock-wait": "a lock whose holder has died on this machine is told apart",

		"rollback":      "without VERSION the newest one that every host still has; a version that is not there is an error, exit 1",
		"config":        "registry passwords and keys are redacted; `--fix` mends old spellings",
		"docs":          "own words; an unknown section is an error, exit 1; `docs commands` prints this page",
		"init":          "own words; `.kamal/secrets` is readable by its owner only",
		"init --bundle": "says that there is nothing to bundle",
		"version":       "prints Binnacle's version and Kamal's",
		"details":       "one table per host",

		"lock release": "frees a lock without details as well",

		"accessory boot": unknownAccessory, "accessory reboot": unknownAccessory, "accessory start": unknownAccessory,
		"accessory stop": unknownAccessory, "accessory restart": unknownAccessory, "accessory details": unknownAccessory,
		"accessory exec": unknownAccessory, "accessory logs": unknownAccessory, "accessory remove": unknownAccessory,
		"accessory upgrade": unknownAccessory, "accessory upload": unknownAccessory, "accessory directories": unknownAccessory,
		"accessory pull_image": unknownAccessory, "accessory remove_container": unknownAccessory,
		"accessory remove_image": unknownAccessory, "accessory remove_service_directory": unknownAccessory,

		"app exec --env":          "may be given several times",
		"app logs --follow":       "a switch: it takes no word",
		"accessory logs --follow": "a switch: it takes no word",
		"proxy logs --follow":     "a switch: it takes no word",
	}
}
