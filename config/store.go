package config

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Location is where the store is, for people: "s3://bucket/prefix",
// "ssh://user@host:port/path", a path; "" for the program's own folder.
func (s Store) Location() string {
	switch s.Type {
	case S3Store:
		return strings.TrimSuffix("s3://"+s.Bucket+"/"+s.Path, "/")
	case SSHStore:
		address := url.URL{Scheme: "ssh", Host: hostPort(s.Host, s.Port)}
		if s.User != "" {
			address.User = url.User(s.User)
		}
		return address.String() + "/" + strings.TrimPrefix(s.Path, "/")
	default:
		return s.Path
	}
}

// Private

// secretName is what a secret of .kamal/secrets may be called.
var secretName = regexp.MustCompile(`\A[A-Za-z_][A-Za-z0-9_]*\z`)

// awsKeyID is what Amazon's own access keys look like.
var awsKeyID = regexp.MustCompile(`\A(AKIA|ASIA)[A-Z0-9]{12,}\z`)

func (r *extensionReader) readStores(section Value) {
	path := join(extensionKey, "stores")
	for _, e := range section.entries {
		name := e.key.String()
		r.storeNames = append(r.storeNames, name)
		r.named(e, path)
		if r.typed(e.value, join(path, name), Map) {
			r.stores = append(r.stores, r.store(name, e.value, join(path, name)))
		}
	}
	if len(section.entries) == 0 {
		r.stores = []Store{{Name: string(LocalStore), Type: LocalStore, Path: r.config.options.BackupDir}}
		r.storeNames = []string{string(LocalStore)}
	}
}

func (r *extensionReader) store(name string, section Value, path string) Store {
	s := Store{Name: name, Type: StoreType(r.oneOf(section, "type", path, string(LocalStore), string(S3Store), string(SSHStore)))}
	if s.Type == "" {
		if !section.has("type") {
			r.fail(section.at, join(path, "type"), "is required", "write type: local, s3 or ssh")
		}
		return s
	}
	for _, e := range r.schema.section(extensionKey).sub("stores").entries {
		if e.value.sub("type").String() == string(s.Type) {
			r.unknownKeys(section, e.value, path)
		}
	}
	switch s.Type {
	case LocalStore:
		s.Path = r.config.localPath(r.required(section, "path", path, "write the folder, such as ~/backups"))
	case SSHStore:
		s.Host = r.required(section, "host", path, "write the host's name or address")
		s.Path = r.required(section, "path", path, "write the folder on that host")
		s.User, s.Port = r.text(section, "user", path), r.number(section, "port", path, 1, 65535)
	case S3Store:
		r.bucket(&s, section, path)
	}
	return s
}

func (r *extensionReader) bucket(s *Store, section Value, path string) {
	s.Bucket = r.required(section, "bucket", path, "write the bucket's name")
	if strings.Contains(s.Bucket, "/") {
		r.fail(section.sub("bucket").at, join(path, "bucket"), "should be a name", "write what comes after the / as prefix:")
	}
	s.Path = strings.Trim(r.text(section, "prefix", path), "/")
	s.Endpoint, s.Region = r.text(section, "endpoint", path), r.text(section, "region", path)
	if s.Endpoint != "" && !httpURL(s.Endpoint) {
		r.fail(section.sub("endpoint").at, join(path, "endpoint"), "should be a URL", "write https://HOST, without user and password")
	}
	s.PathStyle = r.flag(section, "path_style", path)
	s.SSE, s.KMSKey = r.oneOf(section, "sse", path, "AES256", "aws:kms"), r.text(section, "kms_key", path)
	if s.KMSKey != "" && s.SSE != "aws:kms" {
		r.fail(section.sub("kms_key").at, join(path, "kms_key"), "has no effect without aws:kms", "write sse: aws:kms")
	}
	s.Profile = r.text(section, "profile", path)
	s.AccessKey, s.SecretKey = r.secret(section, "access_key", path), r.secret(section, "secret_key", path)
	if section.has("access_key") != section.has("secret_key") {
		missing := "access_key"
		if section.has("access_key") {
			missing = "secret_key"
		}
		r.fail(section.at, join(path, missing), "is required", "access_key and secret_key belong together")
	}
}

// required is a text that must be there.
func (r *extensionReader) required(section Value, key, path, hint string) string {
	if !section.has(key) {
		r.fail(section.at, join(path, key), "is required", hint)
	}
	return r.text(section, key, path)
}

// secret is the name of a secret. What is none may be the secret itself, so the
// problem does not repeat it.
func (r *extensionReader) secret(section Value, key, path string) string {
	name := r.text(section, key, path)
	if name != "" && (!secretName.MatchString(name) || awsKeyID.MatchString(name)) {
		r.fail(section.sub(key).at, join(path, key), "should be the name of a secret", "put the value into .kamal/secrets, and its name here")
		return ""
	}
	return name
}

// named checks a name that becomes part of paths.
func (r *extensionReader) named(e entry, path string) {
	if name := e.key.String(); !entryName.MatchString(name) || strings.Contains(name, "..") {
		r.fail(e.key.at, join(path, name), "the name should be of letters, digits, ., - and _", "it becomes part of paths: choose another")
	}
}

// storeOf is the store that a section names, or the only one.
func (r *extensionReader) storeOf(section Value, path string, at Position) Store {
	name := r.text(section, "store", path)
	switch {
	case section.has("store"):
		if name != "" && !slices.Contains(r.storeNames, name) {
			r.fail(section.sub("store").at, join(path, "store"), "there is no store "+name, choices("the stores are", r.storeNames))
		}
	case len(r.storeNames) == 1:
		name = r.storeNames[0]
	default:
		r.fail(at, join(path, "store"), "has to name one of several stores", "write store: with one of "+strings.Join(r.storeNames, ", ")+`, here or below "*"`)
	}
	for _, s := range r.stores {
		if s.Name == name {
			return s
		}
	}
	return Store{}
}

// localPath is a path on this machine: relative to the project, or below ~/.
func (c *Config) localPath(path string) string {
	if path == "" {
		return ""
	}
	if below, ok := strings.CutPrefix(path, "~/"); ok {
		if home, set := c.environment.get("HOME"); set && home != "" {
			return filepath.Join(home, below)
		}
	}
	return filepath.Clean(c.options.path(path))
}

// Helpers

func hostPort(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == 0 {
		return host
	}
	return host + ":" + IntValue(int64(port)).String()
}

func httpURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}
