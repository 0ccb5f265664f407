package command

import (
	"path"

	"binnacle/config"
)

// EnvDir holds the roles' env files on the host.
func (a App) EnvDir() string { return path.Join(a.cfg.EnvDirectory(), "roles") }

// EnsureEnvDirectory makes EnvDir.
func (a App) EnsureEnvDirectory() Line { return MakeDirectory(a.EnvDir()) }

// EnvFilePath is the role's env file on the host, mode 0600. See EnvFile for
// its text.
func (a App) EnvFilePath() string { return a.role.EnvFile() }

// SecretRefs are the variables of the env file and the secrets that fill them.
func (a App) SecretRefs() []config.SecretRef { return a.role.Env(a.host).Secrets }

// ExtractAssets copies the assets of a version's image to the host.
func (a App) ExtractAssets(version string) Line {
	extracted, container := a.role.AssetExtractedDirectory(version), a.AssetContainerName()
	return And(
		MakeDirectory(extracted),
		New("docker", "container", "rm", container, "2>", "/dev/null", "||", "true"),
		New("docker", "container", "create", "--name", container, a.cfg.AbsoluteImage(version)),
		New("docker", "container", "cp", "-L", container+":"+a.role.AssetPath()+"/.", extracted),
		New("docker", "container", "rm", container))
}

// SyncAssetVolumes gives the container of a version, and the one of the old
// version if there is one, the assets of both.
func (a App) SyncAssetVolumes(version, oldVersion string) Line {
	extracted, volume := a.role.AssetExtractedDirectory(version), a.role.AssetVolumeDirectory(version)
	sync := Chain(MakeDirectory(volume), copyMissing(extracted, volume))
	if oldVersion == "" {
		return sync
	}
	oldExtracted, oldVolume := a.role.AssetExtractedDirectory(oldVersion), a.role.AssetVolumeDirectory(oldVersion)
	return Chain(sync,
		copyMissing(extracted, oldVolume).With("||", "true"),
		copyMissing(oldExtracted, volume).With("||", "true"))
}

// CleanUpAssets removes the role's assets of all other versions.
func (a App) CleanUpAssets(version string) Line {
	return Chain(
		a.removeSiblings(a.role.AssetExtractedDirectory(version)),
		a.removeSiblings(a.role.AssetVolumeDirectory(version)))
}

// ErrorPagesDir holds the error pages on the host, one directory per version.
func (a App) ErrorPagesDir() string { return path.Join(a.cfg.ProxyAppDirectory(), "error_pages") }

// EnsureErrorPagesDirectory makes ErrorPagesDir.
func (a App) EnsureErrorPagesDirectory() Line { return MakeDirectory(a.ErrorPagesDir()) }

// CleanUpErrorPages removes the error pages of all other versions.
func (a App) CleanUpErrorPages(version string) Line {
	return New("find", a.ErrorPagesDir(), "-mindepth", "1", "-maxdepth", "1", "!", "-name", version, "-exec", "rm", "-rf", "{}", "+")
}

// TLSDir holds the role's certificate and key on the host. For their paths see
// config.Proxy.HostCertificate and HostKey.
func (a App) TLSDir() string { return path.Join(a.cfg.ProxyAppDirectory(), "tls", a.role.Name()) }

// EnsureTLSDirectory makes TLSDir.
func (a App) EnsureTLSDirectory() Line { return MakeDirectory(a.TLSDir()) }

// RemoveProxyAppDirectory removes the app's certificates and error pages.
func (a App) RemoveProxyAppDirectory() Line { return RemoveDirectory(a.cfg.ProxyAppDirectory()) }

// Private

// removeSiblings removes what lies beside a directory and is the role's.
func (a App) removeSiblings(directory string) Line {
	return New("find", path.Dir(directory), "-maxdepth", "1", "-name", "'"+a.role.Name()+"-*'",
		"!", "-name", path.Base(directory), "-exec", "rm", "-rf", `"{}"`, "+")
}

// Helpers

func copyMissing(from, to string) Line { return New("cp", "-rnT", from, to) }
