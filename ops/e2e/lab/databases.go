package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// The database servers, by repository and tag. They are Debian's, with the
// environment, the entrypoints, the users and the volumes of the images that
// these names stand for elsewhere.
const (
	PostgresImage = "postgres:15"
	MariaDBImage  = "mariadb:10.11"
	RedisImage    = "redis:7.0"
)

// ToolsImage is the repository of an app image that has clients of the databases
// and Rails's database tasks; see ToolsVersions.
const ToolsImage = "tools"

// ToolsVersions lists the tags of ToolsImage. Each is the app of lab with one
// migration more than the one before; broken is v3 with its migration failing
// halfway.
func ToolsVersions() []string { return []string{"v1", "v2", "v3", "broken"} }

// LocalDatabases makes the images of the database servers and gives them local
// names, such as binnacle-e2e/postgres:15.
func LocalDatabases(ctx context.Context, note func(string, ...any)) ([]string, error) {
	base, err := databasesImage(ctx, note)
	if err != nil {
		return nil, err
	}
	var names []string
	for image, changes := range servers() {
		name := localPrefix + image
		names = append(names, name)
		if there, err := docker(ctx, "image", "ls", "--quiet", "--filter", "label="+labelBase+"="+base, name); err != nil {
			return nil, err
		} else if there != "" {
			continue
		}
		_, _ = docker(ctx, "image", "rm", name) // absent, or in use, which is right
		if err := derive(ctx, name, base, changes, ""); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// Databases puts the images of the database servers and the versions of
// ToolsImage into the fleet's registry: databases/postgres:15 and so on, and
// tools:v1. The first time on a machine takes minutes, a fleet's first time half
// a minute.
func (f *Fleet) Databases(ctx context.Context) error {
	last := ToolsVersions()[len(ToolsVersions())-1]
	if there, err := f.published(ctx, ToolsImage, last); err != nil || there {
		return err
	}
	names, err := LocalDatabases(ctx, f.note)
	if err != nil {
		return err
	}
	base, err := databasesImage(ctx, f.note)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := f.publish(ctx, name, "databases/"+strings.TrimPrefix(name, localPrefix)); err != nil {
			return err
		}
	}
	for i, version := range ToolsVersions() {
		folder, err := f.toolsFolder(version, min(i+1, 3))
		if err != nil {
			return err
		}
		changes := []string{"LABEL service=fhirlinebot", "ENV PATH=/rails/bin:" + searchPath, "WORKDIR /rails", `CMD ["/app"]`}
		if err := derive(ctx, f.Registry()+"/"+ToolsImage+":"+version, base, changes, folder); err != nil {
			return err
		}
		if err := f.publish(ctx, "", ToolsImage+":"+version); err != nil {
			return err
		}
	}
	return nil
}

// Database is the name of an image of a database server in the fleet's registry.
func (f *Fleet) Database(image string) string { return f.Registry() + "/databases/" + image }

// Private

const (
	labelBase   = "binnacle.e2e.base"
	localPrefix = "binnacle-e2e/"
	searchPath  = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// databasesImage is what the images of all servers start from: one layer, so
// that a host keeps it once.
func databasesImage(ctx context.Context, note func(string, ...any)) (string, error) {
	return debian{
		repository: "binnacle-e2e-databases", folder: "databases", takes: "about three minutes",
		files: map[string]string{
			"postgres-entrypoint": "usr/local/bin/postgres-entrypoint",
			"mariadb-entrypoint":  "usr/local/bin/mariadb-entrypoint",
			"redis-entrypoint":    "usr/local/bin/redis-entrypoint",
			"setup":               "setup",
		},
		packages: []string{"postgresql-15", "mariadb-server", "redis-server", "sqlite3"},
	}.image(ctx, note)
}

// servers are the images of the database servers, as changes of the one below.
func servers() map[string][]string {
	return map[string][]string{
		PostgresImage: {
			"ENV LANG=C.UTF-8 PG_MAJOR=15 PGDATA=/var/lib/postgresql/data PATH=" + searchPath + ":/usr/lib/postgresql/15/bin",
			"VOLUME /var/lib/postgresql/data", "EXPOSE 5432",
			`ENTRYPOINT ["postgres-entrypoint"]`, `CMD ["postgres"]`,
		},
		MariaDBImage: {
			"ENV LANG=C.UTF-8", "VOLUME /var/lib/mysql", "EXPOSE 3306",
			`ENTRYPOINT ["mariadb-entrypoint"]`, `CMD ["mariadbd"]`,
		},
		RedisImage: {
			"VOLUME /data", "WORKDIR /data", "EXPOSE 6379",
			`ENTRYPOINT ["redis-entrypoint"]`, `CMD ["redis-server"]`,
		},
	}
}

// derive makes an image of one that is here, with the files of a folder laid
// over it; "" for none.
func derive(ctx context.Context, name, base string, changes []string, folder string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("making the image %s: %w", name, err)
		}
	}()
	args := []string{"create", "--label", labelKind + "=derived", "--label", labelBase + "=" + base}
	if strings.Contains(name, PostgresImage) {
		args = append(args, "--stop-signal", "SIGINT") // no change that a commit can make
	}
	container, err := docker(ctx, append(args, base, "true")...)
	if err != nil {
		return err
	}
	defer func() {
		_, problem := docker(context.WithoutCancel(ctx), "rm", container)
		err = errors.Join(err, problem)
	}()
	if folder != "" {
		if _, err := docker(ctx, "cp", folder+"/.", container+":/"); err != nil {
			return err
		}
	}
	args = []string{"commit"}
	for _, change := range changes {
		args = append(args, "--change", change)
	}
	_, err = docker(ctx, append(args, container, name)...)
	return err
}

// publish pushes a local image to the registry under a name there; the image
// that has the name already when local is "".
func (f *Fleet) publish(ctx context.Context, local, name string) error {
	there := f.Registry() + "/" + name
	if local != "" {
		if _, err := docker(ctx, "tag", local, there); err != nil {
			return err
		}
	}
	if _, err := docker(ctx, "push", "--quiet", there); err != nil {
		return err
	}
	_, err := docker(ctx, "image", "rm", there)
	return err
}

// published tells whether the registry has an image.
func (f *Fleet) published(ctx context.Context, repository, tag string) (bool, error) {
	_, status, err := f.manifest(ctx, http.MethodHead, repository, tag, nil)
	return status == http.StatusOK, err
}

// retag gives an image of the registry another tag there.
func (f *Fleet) retag(ctx context.Context, repository, from, to string) error {
	found, status, err := f.manifest(ctx, http.MethodGet, repository, from, nil)
	if err == nil && status == http.StatusOK {
		_, status, err = f.manifest(ctx, http.MethodPut, repository, to, found)
	}
	if err == nil && status > 299 {
		err = errors.New(http.StatusText(status))
	}
	if err != nil {
		return fmt.Errorf("giving %s:%s the tag %s: %w", repository, from, to, err)
	}
	return nil
}

func (f *Fleet) manifest(ctx context.Context, method, repository, tag string, content []byte) ([]byte, int, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+f.Registry()+"/v2/"+repository+"/manifests/"+tag, bytes.NewReader(content))
	if err != nil {
		return nil, 0, err
	}
	const form = "application/vnd.docker.distribution.manifest.v2+json"
	request.Header.Set("Accept", form)
	request.Header.Set("Content-Type", form)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, 0, err
	}
	found, err := io.ReadAll(response.Body)
	return found, response.StatusCode, errors.Join(err, response.Body.Close())
}

// toolsFolder writes what a version of ToolsImage has beside the clients.
func (f *Fleet) toolsFolder(version string, migrations int) (string, error) {
	folder := filepath.Join(f.bin(), ToolsImage, version)
	files := map[string]string{"bundle": "rails/bin/bundle", "rails": "rails/bin/rails"}
	names, err := recipes.ReadDir("tools/migrate")
	if err != nil {
		return "", err
	}
	for _, name := range names[:migrations] {
		files["migrate/"+name.Name()] = "rails/db/migrate/" + name.Name()
	}
	if version == "broken" {
		last := "migrate/" + names[migrations-1].Name()
		files["broken.sql"] = files[last]
		delete(files, last)
	}
	contents := map[string][]byte{}
	for from, to := range files {
		if contents[to], err = recipes.ReadFile("tools/" + from); err != nil {
			return "", err
		}
	}
	if contents["app"], err = os.ReadFile(filepath.Join(f.bin(), "app")); err != nil {
		return "", err
	}
	for _, file := range appFiles(version) {
		contents[strings.TrimPrefix(file.Path, "/")] = file.Content
	}
	contents["behavior"] = []byte("good\n")
	for name, content := range contents {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, content, 0o755); err != nil {
			return "", err
		}
	}
	return folder, nil
}
