package lab

import "context"

// hostImage returns the name of the host image, which is made when it is not
// here. It has what a server that Kamal deploys to has, and no more: sshd (with
// scp), Docker, and for the fleet's own use socat (the way to the registry),
// docker-registry and busybox-static (for the app images).
func hostImage(ctx context.Context, note func(string, ...any)) (string, error) {
	return debian{
		repository: "binnacle-e2e-host", folder: "host", takes: "about a minute",
		files: map[string]string{
			"init":         "usr/local/sbin/host-init",
			"sshd.conf":    "etc/ssh/sshd_config.d/fleet.conf",
			"registry.yml": "etc/docker/registry/fleet.yml",
			"setup":        "setup",
		},
		packages: []string{
			"openssh-server", "docker.io", "iptables", "ca-certificates", "procps", "iproute2",
			"curl", "socat", "docker-registry", "busybox-static",
		},
	}.image(ctx, note)
}
