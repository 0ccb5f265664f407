package sim

import (
	"time"

	capi "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"
)

// info is what the engine says about itself.
func (e *engine) info() system.Info {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	out := system.Info{
		ID: hash("engine", e.h.name)[:36], Containers: len(e.containers), Images: len(e.uniqueImages()), Driver: "overlay2", LoggingDriver: "json-file", CgroupDriver: "systemd", CgroupVersion: "2",
		MemoryLimit: true, PidsLimit: true, IPv4Forwarding: true, SystemTime: e.h.now().Format(time.RFC3339Nano), KernelVersion: kernelVersion, OperatingSystem: "Debian GNU/Linux 12 (bookworm)", OSVersion: "12", OSType: "linux",
		Architecture: "x86_64", IndexServerAddress: "https://index.docker.io/v1/", RegistryConfig: &registry.ServiceConfig{IndexConfigs: map[string]*registry.IndexInfo{}, Mirrors: []string{}}, NCPU: 2, MemTotal: memTotal,
		DockerRootDir: "/var/lib/docker", Name: e.h.name, ServerVersion: engineVersion, DefaultRuntime: "runc", InitBinary: "docker-init",
	}
	for _, c := range e.containers {
		switch c.status {
		case capi.StateRunning, capi.StateRestarting:
			out.ContainersRunning++
		case capi.StatePaused:
			out.ContainersPaused++
		default:
			out.ContainersStopped++
		}
	}
	return out
}

// diskUsed counts what an engine stores.
type diskUsed struct {
	images, imagesActive, containers, running, volumes                int64
	imageBytes, imageFree, containerBytes, containerFree, volumeBytes int64
}

func (e *engine) diskUse() diskUsed {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	var u diskUsed
	for _, img := range e.uniqueImages() {
		u.images++
		u.imageBytes += img.Size
		if e.usedLocked(img) {
			u.imagesActive++
		} else {
			u.imageFree += img.Size
		}
	}
	for _, c := range e.containers {
		size := writableSize(c)
		u.containers++
		u.containerBytes += size
		if c.alive() {
			u.running++
		} else {
			u.containerFree += size
		}
	}
	for range e.volumes {
		u.volumes++
		u.volumeBytes += volumeSize
	}
	return u
}

// stats is one sample of a container's use. Every counter is a function of time, so that any two samples agree.
func (e *engine) stats(c *container, now time.Time) capi.StatsResponse {
	e.h.mu.Lock()
	defer e.h.mu.Unlock()
	out := capi.StatsResponse{ID: c.id, Name: "/" + c.name, OSType: "linux", Read: now}
	if !c.alive() {
		return out
	}
	out.PreRead = now.Add(-time.Second)
	out.CPUStats, out.PreCPUStats = e.cpuAt(c, now), e.cpuAt(c, now.Add(-time.Second))
	_, mem := c.program.load(c, now)
	limit := memoryLimit(c)
	mem = min(mem, limit)
	out.MemoryStats = capi.MemoryStats{Usage: mem + 9<<20, Limit: limit, Stats: map[string]uint64{"inactive_file": 9 << 20, "anon": mem, "file": 9 << 20}}
	age := uint64(now.Sub(c.started).Milliseconds())
	rx, tx := age*(3+c.seed%40), age*(5+c.seed%70)
	out.Networks = map[string]capi.NetworkStats{"eth0": {RxBytes: rx, TxBytes: tx, RxPackets: rx / 640, TxPackets: tx / 720}}
	out.PidsStats = capi.PidsStats{Current: 9 + c.seed%14, Limit: 4915}
	out.BlkioStats.IoServiceBytesRecursive = []capi.BlkioStatEntry{{Major: 254, Op: "read", Value: 11 << 20}, {Major: 254, Op: "write", Value: age * 40}}
	return out
}

// Private

func (e *engine) cpuAt(c *container, now time.Time) capi.CPUStats {
	used := uint64(max(c.program.cpuTime(c, now), 0))
	return capi.CPUStats{
		CPUUsage:    capi.CPUUsage{TotalUsage: used, UsageInUsermode: used * 4 / 5, UsageInKernelmode: used / 5},
		SystemUsage: uint64(now.Sub(e.h.booted).Nanoseconds()) * 2, OnlineCPUs: 2,
	}
}

// Helpers

const volumeSize = 48 << 10

// writableSize is what a container wrote on top of its image.
func writableSize(c *container) int64 { return int64(2<<20 + c.seed%(6<<20)) }

func memoryLimit(c *container) uint64 {
	if c.host.Memory > 0 {
		return uint64(c.host.Memory)
	}
	return memTotal
}

func volumeView(v *engineVolume) volume.Volume {
	labels := v.labels
	if labels == nil {
		labels = map[string]string{}
	}
	return volume.Volume{CreatedAt: v.created.Format(time.RFC3339), Driver: "local", Labels: labels, Mountpoint: "/var/lib/docker/volumes/" + v.name + "/_data", Name: v.name, Options: map[string]string{}, Scope: "local"}
}
