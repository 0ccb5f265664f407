package secret

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// gcpSecretManager reads [project/]name[/version] with gcloud. The account is
// `USER`, or `USER|SERVICE-ACCOUNT[,…]` to impersonate one; "default" is the
// configured user.
type gcpSecretManager struct{}

func (gcpSecretManager) Tool() Tool {
	return Tool{Name: "gcloud CLI", Probe: []string{"gcloud", "--version"}, Get: "https://cloud.google.com/sdk/docs/install"}
}

func (gcpSecretManager) NeedsAccount() bool { return true }

func (g gcpSecretManager) Login(ctx context.Context, run Process, _ Request) (Value, error) {
	in, err := g.loggedIn(ctx, run)
	if err != nil || in {
		return Value{}, err
	}
	login := Command{Args: []string{"gcloud", "auth", "login"}, Login: true}
	_, failure := run(ctx, login)
	in, err = g.loggedIn(ctx, run)
	if err == nil && !in {
		err = errors.Join(fmt.Errorf("could not login to gcloud: %s did not help", login), failure)
	}
	return Value{}, err
}

func (g gcpSecretManager) Fetch(ctx context.Context, run Process, r Request, _ Value) ([]Entry, error) {
	if len(r.Names) == 0 {
		return nil, noNames("Google Secret Manager")
	}
	found := &results{}
	for _, name := range r.prefixed() {
		project, secret, version := g.parts(name)
		get := g.access(project, secret, version, r.Account)
		key := project + "/" + secret
		output, err := run(ctx, get)
		if err != nil {
			return nil, failed(key, "Google Secret Manager", get, err)
		}
		var answer struct {
			Payload struct {
				Data string `json:"data"`
			} `json:"payload"`
		}
		if err := decode(get, output, &answer); err != nil {
			return nil, err
		}
		text, err := decodeBase64(answer.Payload.Data)
		if err != nil {
			return nil, fmt.Errorf("%s: the payload of %s is not base64", get, key)
		}
		found.add(key, New(string(text)))
	}
	return found.entries, nil
}

// Private

func (gcpSecretManager) loggedIn(ctx context.Context, run Process) (bool, error) {
	list := Command{Args: []string{"gcloud", "auth", "list", "--format=json"}}
	output, err := run(ctx, list)
	if err != nil {
		return false, fmt.Errorf("asking gcloud who is logged in: %s: %w", list, err)
	}
	var accounts []json.RawMessage
	err = decode(list, output, &accounts)
	return len(accounts) > 0, err
}

// parts reads a name; one without a project is of the configured one.
func (gcpSecretManager) parts(name string) (project, secret, version string) {
	parts := splitPath(name)
	if len(parts) < 2 {
		return "default", name, "latest"
	}
	if len(parts) == 2 {
		return parts[0], parts[1], "latest"
	}
	return parts[0], parts[1], parts[2]
}

func (gcpSecretManager) access(project, secret, version, account string) Command {
	args := []string{"gcloud", "secrets", "versions", "access", version, "--secret=" + secret}
	if project != "default" {
		args = append(args, "--project="+project)
	}
	user, service, impersonate := strings.Cut(account, "|")
	if user != "default" {
		args = append(args, "--account="+user)
	}
	if impersonate {
		args = append(args, "--impersonate-service-account="+service)
	}
	return Command{Args: append(args, "--format=json")}
}

// Helpers

// decodeBase64 reads both alphabets: gcloud writes the one for URLs.
func decodeBase64(text string) ([]byte, error) {
	text = strings.NewReplacer("-", "+", "_", "/", "=", "", "\n", "", "\r", "").Replace(text)
	return base64.RawStdEncoding.DecodeString(text)
}
