package lab

import (
	"context"

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
			return err
		})
	}
	return group.Wait()
}
