package docker

import (
	"context"
	"encoding/json"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// Sample is a container's use of the machine, counted since it started.
type Sample struct {
	At     time.Time     // when the engine read the counters, by its clock
	CPU    time.Duration // processor time used so far, over all cores
	Memory int64         // bytes, without file cache that can be dropped
	Limit  int64         // bytes; the machine's memory when none is set
}

// Stats reads a running container's counters once. Two Samples give a rate.
func (e *Engine) Stats(ctx context.Context, name string) (Sample, error) {
	var out Sample
	err := e.call(ctx, readTimeout, "docker stats --no-stream "+name, func(ctx context.Context) error {
		got, err := e.api().ContainerStats(ctx, name, client.ContainerStatsOptions{})
		if err != nil {
			return err
		}
		defer got.Body.Close()
		var stats container.StatsResponse
		if err := json.NewDecoder(got.Body).Decode(&stats); err != nil {
			return err
		}
		out = sampled(&stats)
		return nil
	})
	return out, err
}

// CPUSince is the share of one core used between two samples, in percent: 250
// is two and a half cores. false when they do not compare, as when the
// container was restarted in between.
func (s Sample) CPUSince(earlier Sample) (float64, bool) {
	elapsed, used := s.At.Sub(earlier.At), s.CPU-earlier.CPU
	if earlier.At.IsZero() || elapsed <= 0 || used < 0 {
		return 0, false
	}
	return 100 * float64(used) / float64(elapsed), true
}

// Helpers

func sampled(s *container.StatsResponse) Sample {
	used := s.MemoryStats.Usage
	// cgroup v1 names the cache of the whole tree, v2 has but one figure.
	for _, name := range []string{"total_inactive_file", "inactive_file"} {
		if cache, found := s.MemoryStats.Stats[name]; found && cache < used {
			used -= cache
			break
		}
	}
	return Sample{
		At: s.Read, CPU: time.Duration(s.CPUStats.CPUUsage.TotalUsage),
		Memory: int64(used), Limit: int64(s.MemoryStats.Limit),
	}
}
