package command

import (
	"strconv"

	"binnacle/config"
)

// ProxyDeploy sends the role's traffic to a container by its short id. It
// returns when the container is healthy and the one before is drained. The
// version names the error pages to serve.
func (a App) ProxyDeploy(version, containerID string) Line {
	return proxyDeploy(a.ContainerPrefix(), a.role.Proxy(), version, containerID)
}

// ProxyRemove takes the role out of the proxy.
func (a App) ProxyRemove() Line { return proxyExec("remove", a.ContainerPrefix()) }

// ProxyResume ends a ProxyStop: the app is live again.
func (a App) ProxyResume() Line { return proxyExec("resume", a.ContainerPrefix()) }

// ProxyStop lets the proxy answer with a maintenance page, after requests had
// the given seconds to end. The message may be empty.
func (a App) ProxyStop(drainSeconds int, message string) Line {
	options := config.Pairs{{Name: "drain-timeout", Value: config.StringValue(strconv.Itoa(drainSeconds) + "s")}}
	if message != "" {
		options = append(options, config.Pair{Name: "message", Value: config.StringValue(message)})
	}
	return proxyExec("stop", a.ContainerPrefix()).WithArgs(Optionize(options, true)...)
}

// Helpers

func proxyExec(words ...string) Line {
	return New("docker", "exec", config.ProxyContainer, "kamal-proxy").With(words...)
}

func proxyDeploy(service string, proxy *config.Proxy, version, containerID string) Line {
	target := config.StringValue(containerID + ":" + strconv.Itoa(proxy.AppPort))
	options := append(config.Pairs{{Name: "target", Value: target}}, proxy.DeployOptions(version)...)
	return proxyExec("deploy", service).WithArgs(Optionize(options, true)...)
}
