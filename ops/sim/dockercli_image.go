package sim

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/jsonstream"
)

// imageRow is a line of `docker image ls`.
type imageRow struct {
	Containers, CreatedAt, CreatedSince, Digest, ID, Repository, SharedSize, Size, Tag, UniqueSize, VirtualSize string
}

func (d dockerCommand) findImage() func() int {
	switch d.name {
	case "ls", "list":
		return d.imageLs
	case "rm", "remove":
		return d.imageRm
	case "prune":
		return d.imagePrune
	case "pull":
		return d.pull
	case "tag":
		return d.tag
	case "inspect":
		return d.inspectAny
	}
	return nil
}

func (d dockerCommand) imageLs() int {
	f, err := d.flags(flagSpec{short: "a=all q=quiet f=filter", valued: "filter format", plain: "all quiet no-trunc digests"})
	if err != nil {
		return d.flagError(err)
	}
	want := filters{}
	for _, pair := range f.values["filter"] {
		if err := want.add(pair); err != nil {
			return d.complain(125, "%v", err)
		}
	}
	if len(f.words) > 0 {
		want["reference"] = append(want["reference"], f.words[0])
	}
	rows, err := d.imageRows(want, f.has("no-trunc"))
	if err != nil {
		return d.refuse(err)
	}
	switch text := f.last("format"); {
	case f.has("quiet"):
		for _, r := range rows {
			d.print(r.ID + "\n")
		}
	case text != "" && text != "table":
		list := make([]any, len(rows))
		for i, r := range rows {
			list[i] = r
		}
		return d.format(text, imageRow{ID: "IMAGE ID", Repository: "REPOSITORY", Tag: "TAG", CreatedSince: "CREATED", Size: "SIZE", Digest: "DIGEST"}, list)
	default:
		var lines [][]string
		for _, r := range rows {
			lines = append(lines, []string{r.Repository, r.Tag, r.ID, r.CreatedSince, r.Size})
		}
		d.table([]string{"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"}, lines)
	}
	return 0
}

func (d dockerCommand) imageRm() int {
	f, err := d.flags(flagSpec{short: "f=force", plain: "force no-prune"})
	if err != nil {
		return d.flagError(err)
	}
	if len(f.words) == 0 {
		return d.usage(1)
	}
	code := 0
	for _, ref := range f.words {
		gone, err := d.e.removeImage(ref, f.has("force"))
		if err != nil {
			_, _ = fmt.Fprintln(d.errOut, daemonText(err))
			if !f.has("force") || !strings.HasPrefix(err.Error(), "No such image") {
				code = 1
			}
			continue
		}
		for _, g := range gone {
			if g.Untagged != "" {
				d.print("Untagged: " + g.Untagged + "\n")
			} else {
				d.print("Deleted: " + g.Deleted + "\n")
			}
		}
	}
	return code
}

func (d dockerCommand) imagePrune() int {
	f, err := d.flags(flagSpec{short: "a=all f=force", valued: "filter", plain: "all force"})
	if err != nil {
		return d.flagError(err)
	}
	want := filters{}
	for _, pair := range f.values["filter"] {
		if err := want.add(pair); err != nil {
			return d.complain(125, "%v", err)
		}
	}
	report := d.e.pruneImages(f.has("all"), want)
	if len(report.ImagesDeleted) > 0 {
		d.print("Deleted Images:\n")
		for _, g := range report.ImagesDeleted {
			if g.Untagged != "" {
				d.print("untagged: " + g.Untagged + "\n")
			} else {
				d.print("deleted: " + g.Deleted + "\n")
			}
		}
		d.print("\n")
	}
	d.print("Total reclaimed space: " + units.HumanSizeWithPrecision(float64(report.SpaceReclaimed), 4) + "\n")
	return 0
}

func (d dockerCommand) pull() int {
	f, err := d.flags(flagSpec{short: "a=all-tags q=quiet", valued: "platform", plain: "all-tags quiet disable-content-trust"})
	if err != nil {
		return d.flagError(err)
	}
	if len(f.words) != 1 {
		return d.complain(1, "\"docker pull\" requires exactly 1 argument.\nSee 'docker pull --help'.\n\nUsage:  docker pull [OPTIONS] NAME[:TAG|@DIGEST]\n\nDownload an image from a registry")
	}
	to := d.out
	if f.has("quiet") {
		to = io.Discard
	}
	if err := d.pullTo(to, f.words[0]); err != nil {
		if d.ctx.Err() != nil {
			return 130
		}
		return d.refuse(err)
	}
	d.print(normalRef(f.words[0]) + "\n")
	return 0
}

func (d dockerCommand) tag() int {
	if len(d.args) != 2 {
		return d.complain(1, "\"docker tag\" requires exactly 2 arguments.\nSee 'docker tag --help'.")
	}
	if err := d.e.tag(d.args[0], d.args[1]); err != nil {
		return d.refuse(err)
	}
	return 0
}

// Private

// pullTo pulls and prints what the client prints where it has no terminal: one line per change of state.
func (d dockerCommand) pullTo(to io.Writer, ref string) error {
	d.h.mu.Lock()
	who := d.e.logins[serverOf(normalRef(ref))]
	d.h.mu.Unlock()
	last := map[string]string{}
	return d.e.pull(d.ctx, ref, who, func(m jsonstream.Message) error {
		if m.Status == "Downloading" || m.Status == "Extracting" || m.ID != "" && last[m.ID] == m.Status {
			return d.ctx.Err()
		}
		last[m.ID] = m.Status
		line := m.Status
		if m.ID != "" {
			line = m.ID + ": " + m.Status
		}
		_, err := fmt.Fprintln(to, line)
		return err
	})
}

func (d dockerCommand) imageRows(want filters, long bool) ([]imageRow, error) {
	if err := want.only("before", "dangling", "label", "reference", "since", "until"); err != nil {
		return nil, err
	}
	d.h.mu.Lock()
	defer d.h.mu.Unlock()
	var rows []imageRow
	for _, img := range d.e.uniqueImages() {
		if !want.all("label", func(v string) bool { return hasLabel(img.Labels, v) }) {
			continue
		}
		for _, ref := range d.e.tagsOf(img) {
			if !want.any("reference", func(v string) bool { return refMatches(v, ref) }) {
				continue
			}
			repo, tag := splitRef(ref)
			id := shortID(img.id)
			if long {
				id = img.id
			}
			size := units.HumanSizeWithPrecision(float64(img.Size), 3)
			rows = append(rows, imageRow{
				Containers: "N/A", CreatedAt: img.built.Format("2006-01-02 15:04:05 -0700 MST"), CreatedSince: units.HumanDuration(d.h.now().Sub(img.built)) + " ago", Digest: img.digest(),
				ID: id, Repository: repo, SharedSize: "N/A", Size: size, Tag: tag, UniqueSize: "N/A", VirtualSize: size,
			})
		}
	}
	return rows, nil
}

// Helpers

// refMatches tells whether a pattern names a reference: with or without its tag, with wildcards.
func refMatches(pattern, ref string) bool {
	repo, _ := splitRef(ref)
	for _, name := range []string{ref, repo} {
		if ok, err := path.Match(pattern, name); err == nil && ok {
			return true
		}
	}
	return false
}
