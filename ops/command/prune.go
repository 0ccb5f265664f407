package command

import (
	"strconv"

	"binnacle/config"
)

// Prune builds the commands that remove what old deploys left on a host.
type Prune struct{ cfg *config.Config }

// NewPrune removes what is left of the service, all its roles and destinations.
func NewPrune(cfg *config.Config) Prune { return Prune{cfg: cfg} }

// ListContainers lists the service's containers, stopped ones too.
func (p Prune) ListContainers() Line {
	return New("docker", "ps", "--all", "--filter", p.serviceFilter())
}

// ListImages lists the service's images.
func (p Prune) ListImages() Line { return New("docker", "image", "ls", "--filter", p.serviceFilter()) }

// Containers removes the stopped containers of the service, the newest aside;
// retain says how many those are.
func (p Prune) Containers(retain int) Line {
	stopped := New("docker", "ps", "-q", "-a", "--filter", p.serviceFilter(),
		"--filter", "status=created", "--filter", "status=exited", "--filter", "status=dead")
	return Pipe(stopped,
		New("tail", "-n", "+"+strconv.Itoa(retain+1)),
		New("while read container_id; do docker rm $container_id; done"))
}

// DanglingImages removes the service's images that have no tag.
func (p Prune) DanglingImages() Line {
	return New("docker", "image", "prune", "--force", "--filter", p.serviceFilter())
}

// TaggedImages removes the service's tagged images that no container has and
// that are not the latest.
func (p Prune) TaggedImages() Line {
	images := New("docker", "image", "ls", "--filter", p.serviceFilter(), "--format", "'{{.ID}} {{.Repository}}:{{.Tag}}'")
	used := New("docker", "container", "ls", "-a", "--format", `'{{.Image}}\|'`, "--filter", p.serviceFilter())
	active := Join(Raw(`"`), Substitute(Pipe(used, New("tr", "-d", `'\n'`))),
		Raw(p.cfg.LatestImage()+`\|`+p.cfg.ImageRepository()+`:<none>"`))
	return Pipe(images,
		New("grep", "-v", "-w").WithArgs(active),
		New("while read image tag; do docker rmi $tag; done"))
}

// Private

func (p Prune) serviceFilter() string { return "label=service=" + p.cfg.Service() }
