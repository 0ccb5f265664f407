package command

import "binnacle/config"

// PullImage fetches the app's image of a version.
func PullImage(cfg *config.Config, version string) Line {
	return New("docker", "pull", cfg.AbsoluteImage(version))
}

// RemoveImage removes the image of a version, so that a moved tag is fetched
// anew; it may be absent.
func RemoveImage(cfg *config.Config, version string) Line {
	return New("docker", "image", "rm", "--force", cfg.AbsoluteImage(version))
}

// ValidateImage fails unless the image carries the service's label, without
// which pruning would never find it.
func ValidateImage(cfg *config.Config, version string) Line {
	image := cfg.AbsoluteImage(version)
	return Pipe(
		New("docker", "inspect", "-f", "'{{ .Config.Labels.service }}'", image),
		Or(New("grep", "-x", cfg.Service()),
			New(`(echo "Image `+image+` is missing the 'service' label" && exit 1)`)))
}
