package cli

// reading is how command lines are read, as Kamal does and otherwise.
const reading = `
## How command lines are read

As with Kamal: flags stand before or behind the words, their names have dashes or underscores, ` + "`--no-x` and `--skip-x`" + ` turn x off,
a command may be shortened as long as one of Kamal's is meant, and the aliases of deploy.yml work, also in one another.
Different on purpose:

- Flags before the command count: ` + "`binnacle -d staging deploy`" + ` deploys, where Kamal prints help.
- A flag that wants a value and has none is an error; it does not take its own name for the value.
- Behind ` + "`--`" + ` all is words, also for ` + "`exec`" + `. Letters in a bunch of which one is unknown stay the command's own: ` + "`app exec ls -lp`" + `.
- A file as standard input goes to the command of ` + "`exec`" + ` where it runs in one place (` + "`-p`" + `); a pipe only with ` + "`-i`" + ` or ` + "`--shell`" + `, since a script may come through it.
- Binnacle's own flags count before the first word of ` + "`exec`" + ` only: ` + "`app exec apt-get install -y`" + ` runs just that.
- An alias goes before a command of the same name that only Binnacle has.
- Where nobody is there to answer a question, it is an error, exit 1. A declined question exits 0, as with Kamal.
- What fails exits 1; interactive commands exit as the remote command does.
`

// differences says, by command or by command and flag, what is not as in Kamal.
func differences() map[string]string {
	unknownAccessory := "an unknown accessory is an error, exit 1"
	return map[string]string{ //nolint:gosec // words about secrets, none of them one
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
		"remove":        "a person types the service's name; accessories behind the proxy go before it, where Kamal fails; `--keep-data`, `--all`",
		"secrets help":  "`secrets` alone lists names and origins",

		"lock release":         "frees a lock without details as well",
		"prune containers":     "keeps as many of every role and destination",
		"proxy remove":         "exits 1 while other apps are installed, and names them",
		"proxy reboot":         "fetches the image first and waits until the new proxy answers",
		"app remove_container": "a version that is not there leaves no audit line",
		"secrets fetch":        "a missing `--account` is an error, exit 1",

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
