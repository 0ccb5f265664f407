package docker

import (
	"context"

	"github.com/moby/moby/client"

	"binnacle/ops"
)

// Facts tells which engine answers, in one cheap request.
func (e *Engine) Facts(ctx context.Context) (ops.DockerFacts, error) {
	var out ops.DockerFacts
	err := e.call(ctx, readTimeout, "docker version", func(ctx context.Context) error {
		got, err := e.api().ServerVersion(ctx, client.ServerVersionOptions{})
		if err != nil {
			return err
		}
		out = ops.DockerFacts{Version: got.Version, APIVersion: got.APIVersion, Architecture: machine(got.Arch), OS: got.Os}
		return nil
	})
	return out, err
}

// Info is what an engine tells of itself and its machine beyond its version.
type Info struct {
	Name            string // the machine's host name
	OperatingSystem string // such as "Debian GNU/Linux 12 (bookworm)"
	Kernel          string
	Architecture    string // x86_64, aarch64
	CPUs            int
	Memory          int64  // bytes
	Root            string // where Docker keeps its data
	StorageDriver   string
	LoggingDriver   string
	Mirrors         []string // registry mirrors, first one used first
	Warnings        []string
}

// Info asks the engine about itself; it costs the engine more than Facts.
func (e *Engine) Info(ctx context.Context) (Info, error) {
	var out Info
	err := e.call(ctx, readTimeout, "docker info", func(ctx context.Context) error {
		got, err := e.api().Info(ctx, client.InfoOptions{})
		if err != nil {
			return err
		}
		i := got.Info
		out = Info{
			Name: i.Name, OperatingSystem: i.OperatingSystem, Kernel: i.KernelVersion, Architecture: i.Architecture,
			CPUs: i.NCPU, Memory: i.MemTotal, Root: i.DockerRootDir,
			StorageDriver: i.Driver, LoggingDriver: i.LoggingDriver, Warnings: i.Warnings,
		}
		if i.RegistryConfig != nil {
			out.Mirrors = i.RegistryConfig.Mirrors
		}
		return nil
	})
	return out, err
}

// DiskShare is one kind of thing on Docker's disk.
type DiskShare struct {
	Count, Active     int
	Size, Reclaimable int64 // bytes
}

// DiskUsage is what `docker system df` tells.
type DiskUsage struct {
	Images, Containers, Volumes, BuildCache DiskShare
}

// DiskUsage measures what Docker keeps. The engine walks its disk for it, which
// can take many seconds: never poll it.
func (e *Engine) DiskUsage(ctx context.Context) (DiskUsage, error) {
	var out DiskUsage
	err := e.call(ctx, changeTimeout, "docker system df", func(ctx context.Context) error {
		got, err := e.api().DiskUsage(ctx, client.DiskUsageOptions{})
		if err != nil {
			return err
		}
		i, c, v, b := got.Images, got.Containers, got.Volumes, got.BuildCache
		out = DiskUsage{
			Images:     DiskShare{int(i.TotalCount), int(i.ActiveCount), i.TotalSize, i.Reclaimable},
			Containers: DiskShare{int(c.TotalCount), int(c.ActiveCount), c.TotalSize, c.Reclaimable},
			Volumes:    DiskShare{int(v.TotalCount), int(v.ActiveCount), v.TotalSize, v.Reclaimable},
			BuildCache: DiskShare{int(b.TotalCount), int(b.ActiveCount), b.TotalSize, b.Reclaimable},
		}
		return nil
	})
	return out, err
}

// Helpers

// machine gives Docker's name of a machine for Go's name of it.
func machine(arch string) string {
	switch arch {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return arch
}
