package sim

import (
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
)

// imageConfig is the configuration that an image gives its containers.
func imageConfig(img *Image) *dockerspec.DockerOCIImageConfig {
	c := &dockerspec.DockerOCIImageConfig{}
	c.Cmd = img.Cmd
	c.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, img.Env...)
	c.Labels = img.Labels
	if len(img.Ports) > 0 {
		c.ExposedPorts = map[string]struct{}{}
		for _, p := range img.Ports {
			c.ExposedPorts[p] = struct{}{}
		}
	}
	return c
}
