package secret

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// awsSecretsManager reads secrets by name with aws; the account is a profile.
type awsSecretsManager struct{}

// awsBatch is how many secrets one call may name.
const awsBatch = 20

func (awsSecretsManager) Tool() Tool {
	return Tool{
		Name: "AWS CLI", Probe: []string{"aws", "--version"},
		Get: "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
	}
}

func (awsSecretsManager) NeedsAccount() bool { return false }

func (awsSecretsManager) Login(context.Context, Process, Request) (Value, error) { return Value{}, nil }

func (a awsSecretsManager) Fetch(ctx context.Context, run Process, r Request, _ Value) ([]Entry, error) {
	names := r.prefixed()
	if len(names) == 0 {
		return nil, noNames("AWS Secrets Manager")
	}
	found := &results{}
	for batch := range slices.Chunk(names, awsBatch) {
		if err := a.batch(ctx, run, batch, r.Account, found); err != nil {
			return nil, err
		}
	}
	return found.entries, nil
}

// Private

func (a awsSecretsManager) batch(ctx context.Context, run Process, names []string, profile string, found *results) error {
	args := append([]string{"aws", "secretsmanager", "batch-get-secret-value", "--secret-id-list"}, names...)
	if profile != "" {
		args = append(args, "--profile", profile)
	}
	get := Command{Args: append(args, "--output", "json")}
	output, err := run(ctx, get)
	if err != nil {
		return failed(strings.Join(names, ", "), "AWS Secrets Manager", get, err)
	}
	var answer struct {
		SecretValues []struct {
			Name         string
			SecretString *string
		}
		Errors []struct{ SecretID, Message string }
	}
	if err := decode(get, output, &answer); err != nil {
		return err
	}
	if len(answer.Errors) > 0 {
		var texts []string
		for _, e := range answer.Errors {
			texts = append(texts, e.SecretID+": "+e.Message)
		}
		return fmt.Errorf("AWS Secrets Manager: %s", strings.Join(texts, " "))
	}
	for _, s := range answer.SecretValues {
		if s.SecretString == nil {
			return fmt.Errorf("AWS Secrets Manager: %s is binary, and only text can be fetched", s.Name)
		}
		a.add(found, s.Name, *s.SecretString)
	}
	return nil
}

// add takes a secret apart when it is a JSON object: its keys become secrets.
func (awsSecretsManager) add(found *results, name, text string) {
	if object, ok := members(text); ok {
		for _, m := range object {
			found.add(name+"/"+m.key, New(awsText(m.raw)))
		}
		return
	}
	if json.Valid([]byte(text)) {
		text = awsText(json.RawMessage(text))
	}
	found.add(name, New(text))
}

// Helpers

// awsText is a string as it is, and everything else as compact JSON.
func awsText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && !bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return text
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return string(raw)
	}
	return compact.String()
}
