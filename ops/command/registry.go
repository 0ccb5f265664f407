package command

import (
	"strconv"

	"binnacle/config"
	"binnacle/config/secret"
)

// localRegistryContainer is the registry on the developer's machine.
const localRegistryContainer = "kamal-docker-registry"

// Login logs Docker in to a registry, the password on standard input. A user
// name that is a secret is hidden. A local registry needs no login: the Line is
// empty.
func Login(registry config.Registry, username, password secret.Value) Line {
	if registry.Local() {
		return Line{}
	}
	user := Raw(Escape(username.Reveal()))
	if registry.Username.Secret != "" {
		user = Hidden("", secret.New(Escape(username.Reveal())))
	}
	return New("docker", "login", registry.Server, "-u").WithArgs(user, Raw("--password-stdin")).WithStdin(password)
}

// Logout forgets the login.
func Logout(registry config.Registry) Line { return New("docker", "logout", registry.Server) }

// SetupLocalRegistry starts the registry on this machine; see
// config.Registry.LocalPort.
func SetupLocalRegistry(port int) Line {
	return Or(
		New("docker", "start", localRegistryContainer),
		New("docker", "run", "--detach", "-p", "127.0.0.1:"+strconv.Itoa(port)+":5000", "--name", localRegistryContainer, "registry:3"))
}

// RemoveLocalRegistry stops the registry on this machine and removes it.
func RemoveLocalRegistry() Line {
	return And(New("docker", "stop", localRegistryContainer), New("docker", "rm", localRegistryContainer))
}
