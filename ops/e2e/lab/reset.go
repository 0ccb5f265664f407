package lab

import (
	"context"
	"os"

	"golang.org/x/sync/errgroup"
)

// resetScript leaves a host as it was when the fleet came up: no container, no
// image but the proxy's, no volume, no network, an empty home.
const resetScript = `
ids=$(docker ps --all --quiet); [ -z "$ids" ] || docker rm --force --volumes $ids
docker volume ls --quiet | xargs -r docker volume rm --force
docker network ls --quiet --filter type=custom | xargs -r docker network rm
docker images --format '{{.Repository}}:{{.Tag}} {{.ID}}' | while read name id; do
  case "$name" in
    ` + ProxyImage + `) ;;
    *'<none>'*) docker rmi --force "$id" || true ;;
    *) docker rmi --force "$name" ;;
  esac
done
docker logout ` + "\"$REGISTRY\"" + `
find /root -mindepth 1 -maxdepth 1 ! -name .ssh ! -name .bashrc ! -name .profile -exec rm -rf {} +
`

// Reset makes every host empty again, all at once; the registry keeps its
// images. Hosts must be up.
func (f *Fleet) Reset(ctx context.Context) error {
	group, within := errgroup.WithContext(ctx)
	for _, host := range f.hosts {
		group.Go(func() error {
			_, err := host.Exec(within, "set -e; REGISTRY="+f.Registry()+"; exec >/dev/null;"+resetScript)
			if err != nil {
				return err
			}
			return host.ensureProxyImage(within)
		})
	}
	return group.Wait()
}

// Private

// ensureProxyImage loads the proxy's image where a removal took it.
func (h *Host) ensureProxyImage(ctx context.Context) error {
	if found, err := h.Exec(ctx, "docker images --quiet "+ProxyImage); err != nil || found != "" {
		return err
	}
	archive, err := os.ReadFile(h.fleet.proxyArchive())
	if err != nil {
		return err
	}
	return h.load(ctx, archive)
}
