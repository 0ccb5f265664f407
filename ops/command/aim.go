package command

import (
	"path/filepath"
	"strings"

	"binnacle/config"
)

// ByHand is a command of this program as a person types it in the project's folder:
// with the destination and the configuration file, without which it would be about
// another app.
func ByHand(cfg *config.Config, words string) string {
	typed := []string{"binnacle"}
	for _, flag := range Aim(cfg, ShownFile(cfg)) {
		typed = append(typed, Quote(flag))
	}
	return strings.Join(append(typed, words), " ")
}

// Aim are the flags that name the destination and, where it is not the usual one,
// the configuration file.
func Aim(cfg *config.Config, file string) []string {
	var flags []string
	if d := cfg.Destination(); d != "" {
		flags = append(flags, "-d", d)
	}
	if cfg.Files()[0] != filepath.Join(cfg.Dir(), "config", "deploy.yml") {
		flags = append(flags, "-c", file)
	}
	return flags
}

// ShownFile is the configuration file as it is named in the project's folder.
func ShownFile(cfg *config.Config) string {
	file := cfg.Files()[0]
	if rel, err := filepath.Rel(cfg.Dir(), file); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return file
}
