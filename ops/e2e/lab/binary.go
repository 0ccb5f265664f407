package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The commands of this module that run inside the fleet.
const (
	appPackage   = "binnacle/ops/e2e/app"
	proxyPackage = "binnacle/ops/e2e/kamalproxy"
	argvPackage  = "binnacle/ops/e2e/argv"
)

// buildBinaries builds what runs on hosts, statically, into dir. The Go build
// cache makes it quick after the first time.
func buildBinaries(ctx context.Context, dir, arch string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	_, err := output(ctx, command{
		name: "go",
		args: []string{"build", "-trimpath", "-ldflags=-s -w", "-o", dir + string(filepath.Separator), appPackage, proxyPackage, argvPackage},
		env:  []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch},
	})
	if err != nil {
		return fmt.Errorf("building what runs on the hosts (run this inside the module): %w", err)
	}
	return nil
}

// engineArch is the engine's architecture as GOARCH names it.
func engineArch(ctx context.Context) (string, error) {
	name, err := docker(ctx, "version", "--format", "{{.Server.Arch}}")
	return strings.TrimSpace(name), err
}
