package secret

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// standIn is a vendor's tool played by a shell script: it writes down how it was
// called and answers as the body says.
type standIn struct {
	dir, calls string
	stdin      string
}

func newStandIn(t *testing.T, tool, body string) *standIn {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("stand-ins are shell scripts")
	}
	s := &standIn{dir: t.TempDir()}
	s.calls = filepath.Join(s.dir, "calls")
	script := "#!/bin/sh\n{ printf '%s' " + tool + "; for a; do printf '|%s' \"$a\"; done; printf '\\n'; } >>" + s.calls + "\n" +
		"cd " + s.dir + "\n" + body + "\n"
	if err := os.WriteFile(filepath.Join(s.dir, tool), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

// run finds tools in the stand-in's folder alone.
func (s *standIn) run(ctx context.Context, c Command) (string, error) {
	path := filepath.Join(s.dir, c.Args[0])
	if _, err := os.Stat(path); err != nil {
		return "", exec.ErrNotFound
	}
	cmd := exec.CommandContext(ctx, path, c.Args[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for _, v := range c.Env {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value.Reveal())
	}
	if c.Login {
		cmd.Stdin = strings.NewReader(s.stdin)
	}
	out, err := cmd.Output()
	return string(out), err
}

func (s *standIn) called(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(s.calls)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func revealed(entries []Entry) []string {
	var out []string
	for _, e := range entries {
		value := e.Value.Reveal()
		if e.Value.text == nil {
			value = "<none>"
		}
		out = append(out, e.Name+"="+value)
	}
	return out
}

// adapterCase is one fetch: how the tool answers, how it must have been called,
// and what comes out.
type adapterCase struct {
	name, adapter, tool string
	body, stdin         string
	request             Request
	env                 map[string]string
	calls               []string
	want                []string
	err                 string // a part of the error
}

func runAdapterCases(t *testing.T, cases []adapterCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tool := newStandIn(t, c.tool, c.body)
			tool.stdin = c.stdin
			redactor := new(Redactor)
			vaults := Vaults{Run: tool.run, Redactor: redactor, Env: func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }}
			entries, err := vaults.Fetch(t.Context(), c.adapter, c.request)
			if diff := cmp.Diff(c.calls, tool.called(t)); c.calls != nil && diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q in it", err, c.err)
				}
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("the error shows a secret: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, revealed(entries)); diff != "" {
				t.Errorf("secrets (-want +got):\n%s", diff)
			}
			for _, e := range entries {
				if text := e.Value.Reveal(); len(text) >= 6 && redactor.Redact(text) != Redacted {
					t.Errorf("the redactor does not know %s", e.Name)
				}
			}
		})
	}
}

// awkward is a value with all that quoting can spoil, and awkwardJSON is how a
// vault writes it.
const (
	awkward     = "pä$$ \"q\" 'x' \\n `id` $(id)\nzwei 日本 🔑"
	awkwardJSON = `"pä$$ \"q\" 'x' \\n ` + "`id`" + ` $(id)\nzwei 日本 🔑"`
)

// answer is a script line that prints a document as it is.
func answer(document string) string {
	return "cat <<'END'\n" + document + "\nEND\n"
}

func TestOnePassword(t *testing.T) {
	field := func(reference, value string) string {
		return fmt.Sprintf(`{"id":"x","type":"CONCEALED","label":"l","value":%s,"reference":"op://%s"}`, value, reference)
	}
	runAdapterCases(t, []adapterCase{
		{
			name: "fields of two items, logged in", adapter: "1password", tool: "op",
			body: `case "$*" in
--version|"account get"*) ;;
"item get Item "*) ` + answer("["+field("V/Item/section/A", awkwardJSON)+","+field("V/Item/password", `""`)+"]") + `;;
"item get Other "*) ` + answer(field("V/Other/B", `"b"`)) + `;;
esac`,
			request: Request{Names: []string{"Item/section/A", "Item", "Other/B"}, Account: "acme", From: "op://V"},
			calls: []string{
				"op|--version", "op|account|get|--account|acme",
				"op|item|get|Item|--vault|V|--format|json|--account|acme|--fields|label=section.A,label=password",
				"op|item|get|Other|--vault|V|--format|json|--account|acme|--fields|label=B",
			},
			want: []string{"V/Item/section/A=" + awkward, "V/Item=", "V/Other/B=b"},
		},
		{
			name: "signs in with the person's input", adapter: "one_password", tool: "op", stdin: "master\n",
			body: `case "$*" in
"account get"*) exit 1 ;;
signin*) read -r word; [ "$word" = master ] && echo SESSION || exit 1 ;;
item*) ` + answer(field("V/I/A", `"a"`)) + `;;
esac`,
			request: Request{Names: []string{"op://V/I/A"}, Account: "acme"},
			calls: []string{
				"op|--version", "op|account|get|--account|acme", "op|signin|--account|acme|--force|--raw",
				"op|item|get|I|--vault|V|--format|json|--account|acme|--session|SESSION|--fields|label=A",
			},
			want: []string{"V/I/A=a"},
		},
		{
			name: "all fields of an item", adapter: "1Password", tool: "op",
			body:    `case "$*" in item*) ` + answer(`{"id":"i","fields":[`+field("V/My Item/A", `"a"`)+`,{"id":"notes"},{"reference":"op://V/My Item/B"}]}`) + `;; esac`,
			request: Request{Account: "acme", From: "V/My Item"},
			calls: []string{
				"op|--version", "op|account|get|--account|acme", "op|item|get|My Item|--vault|V|--format|json|--account|acme",
			},
			want: []string{"V/My Item/A=a", "V/My Item/B=<none>"},
		},
		{
			name: "not there", adapter: "1password", tool: "op", body: `case "$*" in item*) echo hunter2; exit 1 ;; esac`,
			request: Request{Names: []string{"V/I/A"}, Account: "acme"}, err: "Could not read A from I in the V 1Password vault: op item get I",
		},
		{
			name: "the session is in no error", adapter: "1password", tool: "op",
			body:    `case "$*" in "account get"*) exit 1 ;; signin*) echo hunter2 ;; item*) exit 1 ;; esac`,
			request: Request{Names: []string{"V/I/A"}, Account: "acme"}, err: "--session [REDACTED]",
		},
		{
			name: "login refused", adapter: "1password", tool: "op", body: `case "$1" in --version) ;; *) exit 1 ;; esac`,
			request: Request{Names: []string{"V/I/A"}, Account: "acme"}, err: "Failed to login to 1Password: op signin",
		},
		{
			name: "no JSON", adapter: "1password", tool: "op", body: `echo hunter2`,
			request: Request{Names: []string{"V/I/A"}, Account: "acme"}, err: "not the JSON that was expected",
		},
		{
			name: "no vault", adapter: "1password", tool: "op", request: Request{Names: []string{"A"}, Account: "acme"},
			err: "A is no vault/item",
		},
		{name: "nothing named", adapter: "1password", tool: "op", request: Request{Account: "acme"}, err: "--from VAULT/ITEM"},
		{name: "no account", adapter: "1password", tool: "op", request: Request{Names: []string{"V/I"}}, err: "'--account'"},
		{
			name: "not installed", adapter: "1password", tool: "other", request: Request{Names: []string{"V/I"}, Account: "acme"},
			err: "1Password CLI is not installed (op --version: executable file not found in $PATH); get it from https://",
		},
	})
}

func TestLastPass(t *testing.T) {
	runAdapterCases(t, []adapterCase{
		{
			name: "logged in", adapter: "lastpass", tool: "lpass",
			body: `case "$*" in
status*) echo "Logged in as ana@example.com." ;;
show*) ` + answer(`[{"id":"1","fullname":"F/A","password":`+awkwardJSON+`},{"id":"2","fullname":"F/B C","password":""}]`) + `;;
esac`,
			request: Request{Names: []string{"A", "B C"}, Account: "ana@example.com", From: "F"},
			calls:   []string{"lpass|--version", "lpass|status|--color|never", "lpass|show|F/A|F/B C|--json"},
			want:    []string{"F/A=" + awkward, "F/B C="},
		},
		{
			name: "logs in", adapter: "last_pass", tool: "lpass", stdin: "master\n",
			body: `case "$*" in
status*) echo "Not logged in."; exit 1 ;;
login*) read -r word; [ "$word" = master ] ;;
show*) ` + answer(`[{"fullname":"A","password":"a"}]`) + `;;
esac`,
			request: Request{Names: []string{"A"}, Account: "ana"},
			calls:   []string{"lpass|--version", "lpass|status|--color|never", "lpass|login|ana", "lpass|show|A|--json"},
			want:    []string{"A=a"},
		},
		{
			name: "login refused", adapter: "lastpass", tool: "lpass", body: `case "$1" in --version) ;; *) exit 1 ;; esac`,
			request: Request{Names: []string{"A"}, Account: "ana"}, err: "Failed to login to LastPass: lpass login ana",
		},
		{
			name: "one is missing", adapter: "lastpass", tool: "lpass",
			body:    `case "$1" in status) echo "Logged in as ana." ;; show) echo '[{"fullname":"A","password":"hunter2"}]' ;; esac`,
			request: Request{Names: []string{"A", "B"}, Account: "ana"}, err: "Could not find B in LastPass",
		},
		{
			name: "fails", adapter: "lastpass", tool: "lpass",
			body:    `case "$1" in status) echo "Logged in as ana." ;; show) echo hunter2; exit 1 ;; esac`,
			request: Request{Names: []string{"A"}, Account: "ana"}, err: "Could not read A from LastPass",
		},
	})
}

func TestBitwarden(t *testing.T) {
	item := `{"login":{"password":` + awkwardJSON + `},"fields":[{"name":"F 1","value":"one"},{"name":"F2","value":null}]}`
	runAdapterCases(t, []adapterCase{
		{
			name: "logs in and unlocks; the session is in the environment", adapter: "bitwarden", tool: "bw", stdin: "master\n",
			body: `case "$*" in
status) if [ "$BW_SESSION" = S+/1 ]; then echo '{"status":"unlocked"}'; elif [ -e in ]; then echo '{"status":"locked"}'; else echo '{"status":"unauthenticated"}'; fi ;;
"login ana") touch in ;;
"unlock --raw") read -r word; [ "$word" = master ] && echo S+/1 ;;
sync) [ "$BW_SESSION" = S+/1 ] ;;
"get item "*) [ "$BW_SESSION" = S+/1 ] && ` + answer(item) + `;;
esac`,
			request: Request{Names: []string{"Item", "Item/F 1"}, Account: "ana"},
			calls: []string{
				"bw|--version", "bw|status", "bw|login|ana", "bw|status", "bw|unlock|--raw", "bw|status", "bw|sync", "bw|get|item|Item",
			},
			want: []string{"Item=" + awkward, "Item/F 1=one"},
		},
		{
			name: "unlocked already, an item without a password", adapter: "bitwarden", tool: "bw",
			body: `case "$*" in
status) [ -z "$BW_SESSION" ] && echo '{"status":"unlocked"}' ;;
"get item "*) echo '{"login":null,"fields":[{"name":"A","value":"a"},{"name":"B","value":null}]}' ;;
esac`,
			request: Request{Names: []string{"My Item"}, Account: "ana"},
			calls:   []string{"bw|--version", "bw|status", "bw|sync", "bw|get|item|My Item"},
			want:    []string{"My Item/A=a", "My Item/B=<none>"},
		},
		{
			name: "no such field", adapter: "bitwarden", tool: "bw",
			body:    `case "$*" in status) echo '{"status":"unlocked"}' ;; get*) ` + answer(item) + `;; esac`,
			request: Request{Names: []string{"Item/X"}, Account: "ana"}, err: "Could not find field X in item Item in Bitwarden",
		},
		{
			name: "stays locked", adapter: "bitwarden", tool: "bw", body: `[ "$1" != status ] || echo '{"status":"locked"}'`,
			request: Request{Names: []string{"A"}, Account: "ana"}, err: "Failed to login to and unlock Bitwarden",
		},
		{
			name: "cannot sync", adapter: "bitwarden", tool: "bw",
			body:    `case "$*" in status) echo '{"status":"unlocked"}' ;; sync) exit 1 ;; esac`,
			request: Request{Names: []string{"A"}, Account: "ana"}, err: "Failed to sync Bitwarden",
		},
		{
			name: "neither password nor fields", adapter: "bitwarden", tool: "bw",
			body:    `case "$*" in status) echo '{"status":"unlocked"}' ;; get*) echo '{"fields":[]}' ;; esac`,
			request: Request{Names: []string{"A"}, Account: "ana"}, err: "Item A is not a login type item",
		},
		{
			name: "not there", adapter: "bitwarden", tool: "bw",
			body:    `case "$*" in status) echo '{"status":"unlocked"}' ;; get*) echo hunter2; exit 1 ;; esac`,
			request: Request{Names: []string{"A"}, Account: "ana"}, err: "Could not read A from Bitwarden",
		},
	})
}

func TestBitwardenSecretsManager(t *testing.T) {
	runAdapterCases(t, []adapterCase{
		{
			name: "by identifier", adapter: "bitwarden-sm", tool: "bws",
			body: `case "$*" in
"secret get id-1") ` + answer(`{"id":"id-1","key":"A","value":`+awkwardJSON+`}`) + `;;
"secret get id-2") echo '{"key":"B","value":""}' ;;
esac`,
			request: Request{Names: []string{"id-1", "id-2"}},
			calls:   []string{"bws|--version", "bws|project|list", "bws|secret|get|id-1", "bws|secret|get|id-2"},
			want:    []string{"A=" + awkward, "B="},
		},
		{
			name: "all", adapter: "bitwarden_secrets_manager", tool: "bws", body: `[ "$1" = secret ] && echo '[{"key":"A","value":"a"},{"key":"B","value":"b"}]'; exit 0`,
			request: Request{Names: []string{"all"}},
			calls:   []string{"bws|--version", "bws|project|list", "bws|secret|list"},
			want:    []string{"A=a", "B=b"},
		},
		{
			name: "all of a project", adapter: "bitwarden-sm", tool: "bws", body: `[ "$1" = secret ] && echo '[{"key":"A","value":"a"}]'; exit 0`,
			request: Request{Names: []string{"all"}, From: "project-1"},
			calls:   []string{"bws|--version", "bws|project|list", "bws|secret|list|project-1"},
			want:    []string{"A=a"},
		},
		{name: "nothing named", adapter: "bitwarden-sm", tool: "bws", err: "You must specify what to retrieve"},
		{
			name: "no token", adapter: "bitwarden-sm", tool: "bws", body: `[ "$1" = --version ]`, request: Request{Names: []string{"all"}},
			err: "Did you set a valid access token",
		},
		{
			name: "not there", adapter: "bitwarden-sm", tool: "bws", body: `[ "$1" != secret ]`, request: Request{Names: []string{"x"}},
			err: "Could not read x from Bitwarden Secrets Manager",
		},
	})
}

func TestAwsSecretsManager(t *testing.T) {
	many := make([]string, 21)
	for i := range many {
		many[i] = fmt.Sprintf("s%d", i)
	}
	runAdapterCases(t, []adapterCase{
		{
			name: "objects, text and other JSON", adapter: "aws_secrets_manager", tool: "aws",
			body: `[ "$1" = --version ] || ` + answer(`{"SecretValues":[
{"Name":"p/db","SecretString":"{\"USER\":\"ana\",\"PORT\":5432,\"OPTIONS\":{\"a\": [1, 2]},\"NONE\":null}"},
{"Name":"p/plain","SecretString":`+awkwardJSON+`},
{"Name":"p/number","SecretString":"42"},{"Name":"p/quoted","SecretString":"\"x\""},{"Name":"p/empty","SecretString":""}],"Errors":[]}`),
			request: Request{Names: []string{"db", "plain", "number", "quoted", "empty"}, Account: "prod", From: "p"},
			calls: []string{
				"aws|--version",
				"aws|secretsmanager|batch-get-secret-value|--secret-id-list|p/db|p/plain|p/number|p/quoted|p/empty|--profile|prod|--output|json",
			},
			want: []string{
				"p/db/USER=ana", "p/db/PORT=5432", `p/db/OPTIONS={"a":[1,2]}`, "p/db/NONE=null",
				"p/plain=" + awkward, "p/number=42", "p/quoted=x", "p/empty=",
			},
		},
		{
			name: "more than one call may name", adapter: "AwsSecretsManager", tool: "aws", body: `[ "$1" = --version ] || echo '{"SecretValues":[]}'`,
			request: Request{Names: many},
			calls: []string{
				"aws|--version",
				"aws|secretsmanager|batch-get-secret-value|--secret-id-list|" + strings.Join(many[:20], "|") + "|--output|json",
				"aws|secretsmanager|batch-get-secret-value|--secret-id-list|s20|--output|json",
			},
		},
		{
			name: "errors in the answer", adapter: "aws_secrets_manager", tool: "aws",
			body: `[ "$1" = --version ] || ` + answer(`{"SecretValues":[{"Name":"a","SecretString":"hunter2"}],"Errors":[
{"SecretId":"x","ErrorCode":"E","Message":"can't find it"},{"SecretId":"y","Message":"no"}]}`),
			request: Request{Names: []string{"a", "x", "y"}}, err: "x: can't find it y: no",
		},
		{
			name: "fails", adapter: "aws_secrets_manager", tool: "aws", body: `[ "$1" = --version ] || { echo hunter2; exit 255; }`,
			request: Request{Names: []string{"x"}}, err: "Could not read x from AWS Secrets Manager",
		},
		{
			name: "binary", adapter: "aws_secrets_manager", tool: "aws", body: `[ "$1" = --version ] || echo '{"SecretValues":[{"Name":"b","SecretBinary":"AAA="}]}'`,
			request: Request{Names: []string{"b"}}, err: "b is binary",
		},
		{name: "nothing named", adapter: "aws_secrets_manager", tool: "aws", err: "no secrets given to fetch from AWS Secrets Manager"},
	})
}

func TestDoppler(t *testing.T) {
	items := answer(`{"B C":{"raw":"x","computed":` + awkwardJSON + `},"A":{"computed":""}}`)
	runAdapterCases(t, []adapterCase{
		{
			name: "project and config", adapter: "doppler", tool: "doppler", body: `[ "$1" = secrets ] && ` + items + "\nexit 0",
			request: Request{Names: []string{"B C", "A"}, From: "shop/prd"},
			calls:   []string{"doppler|--version", "doppler|me|--json", "doppler|secrets|get|B C|A|--json|-p|shop|-c|prd"},
			want:    []string{"B C=" + awkward, "A="},
		},
		{
			name: "service token", adapter: "doppler", tool: "doppler", body: `[ "$1" = secrets ] && ` + items + "\nexit 0",
			request: Request{Names: []string{"B C", "A"}}, env: map[string]string{"DOPPLER_TOKEN": "dp.st.prd.xyz"},
			calls: []string{"doppler|--version", "doppler|me|--json", "doppler|secrets|get|B C|A|--json"},
			want:  []string{"B C=" + awkward, "A="},
		},
		{
			name: "logs in", adapter: "doppler", tool: "doppler", stdin: "y\n",
			body:    `case "$1" in me) exit 1 ;; login) read -r word; [ "$word" = y ] ;; secrets) echo '{"A":{"computed":"a"}}' ;; esac`,
			request: Request{Names: []string{"shop/prd/A"}},
			calls:   []string{"doppler|--version", "doppler|me|--json", "doppler|login|-y", "doppler|secrets|get|A|--json|-p|shop|-c|prd"},
			want:    []string{"A=a"},
		},
		{
			name: "login refused", adapter: "doppler", tool: "doppler", body: `[ "$1" = --version ]`,
			request: Request{Names: []string{"A"}, From: "p/c"}, err: "Failed to login to Doppler",
		},
		{
			name: "no project", adapter: "doppler", tool: "doppler", request: Request{Names: []string{"A"}},
			err: "Missing project or config from '--from=project/config' option",
		},
		{
			name: "fails", adapter: "doppler", tool: "doppler", body: `[ "$1" != secrets ] || { echo hunter2; exit 1; }`,
			request: Request{Names: []string{"A"}, From: "p/c"}, err: "Could not read p/c/A from Doppler",
		},
		{
			name: "no JSON", adapter: "doppler", tool: "doppler", body: `echo hunter2`,
			request: Request{Names: []string{"A"}, From: "p/c"}, err: "not the JSON that was expected",
		},
	})
}

func TestEnpass(t *testing.T) {
	items := answer(`[{"title":"Foo Bar","label":"DB","password":` + awkwardJSON + `},{"title":"Foo Bar","label":"","password":"x"},
{"title":"Foo Bar","label":"BLANK","password":" "},{"title":"Other","label":"A","password":"a"},{"title":"Other","label":"B","password":"hunter2"}]`)
	show := `[ "$1" = version ] || ` + items
	runAdapterCases(t, []adapterCase{
		{
			name: "an item and one field of another", adapter: "enpass", tool: "enpass-cli", body: show,
			request: Request{Names: []string{"Foo Bar", "Other/A", "Foo Bar/DB"}, From: "/vaults/my primary"},
			calls:   []string{"enpass-cli|version", "enpass-cli|-json|-vault|/vaults/my primary|show|Foo Bar|Other"},
			want:    []string{"Foo Bar/DB=" + awkward, "Foo Bar=x", "Other/A=a"},
		},
		{
			name: "twice", adapter: "enpass", tool: "enpass-cli",
			body:    `[ "$1" = version ] || echo '[{"title":"A","label":"x","password":"hunter2"},{"title":"A","label":"x","password":"hunter2"}]'`,
			request: Request{Names: []string{"A"}, From: "v"}, err: "A/x is present more than once",
		},
		{name: "no vault", adapter: "enpass", tool: "enpass-cli", request: Request{Names: []string{"A"}}, err: "Enpass needs --from"},
		{
			name: "fails", adapter: "enpass", tool: "enpass-cli", body: `[ "$1" = version ]`,
			request: Request{Names: []string{"A"}, From: "v"}, err: "Could not read A from Enpass",
		},
	})
}

func TestGcpSecretManager(t *testing.T) {
	body := `case "$*" in
"auth list --format=json") echo '[{"account":"ana@example.com","status":"ACTIVE"}]' ;;
*--secret=plain*) echo '{"name":"n","payload":{"data":"c8OkJA=="}}' ;;
*--secret=url*) echo '{"payload":{"data":"Pz8_Pj4-"}}' ;;
*--secret=empty*) echo '{"payload":{}}' ;;
*--secret=bad*) echo '{"payload":{"data":"!hunter2"}}' ;;
*--secret=none*) echo hunter2; exit 1 ;;
esac`
	runAdapterCases(t, []adapterCase{
		{
			name: "all forms of a name", adapter: "gcp", tool: "gcloud", body: body,
			request: Request{Names: []string{"plain", "shop/url", "shop/empty/12"}, Account: "default"},
			calls: []string{
				"gcloud|--version", "gcloud|auth|list|--format=json",
				"gcloud|secrets|versions|access|latest|--secret=plain|--format=json",
				"gcloud|secrets|versions|access|latest|--secret=url|--project=shop|--format=json",
				"gcloud|secrets|versions|access|12|--secret=empty|--project=shop|--format=json",
			},
			want: []string{"default/plain=sä$", "shop/url=???>>>", "shop/empty="},
		},
		{
			name: "user and impersonation", adapter: "gcp_secret_manager", tool: "gcloud", body: body,
			request: Request{Names: []string{"plain/3"}, From: "shop", Account: "ana@example.com|sa1@x,sa2@x"},
			calls: []string{
				"gcloud|--version", "gcloud|auth|list|--format=json",
				"gcloud|secrets|versions|access|3|--secret=plain|--project=shop|--account=ana@example.com|--impersonate-service-account=sa1@x,sa2@x|--format=json",
			},
			want: []string{"shop/plain=sä$"},
		},
		{
			name: "logs in", adapter: "gcp", tool: "gcloud", stdin: "code\n",
			body: `case "$*" in
"auth list --format=json") if [ -e in ]; then echo '[{}]'; else echo '[]'; fi ;;
"auth login") read -r word; [ "$word" = code ] && touch in ;;
*) echo '{"payload":{"data":"YQ=="}}' ;;
esac`,
			request: Request{Names: []string{"x"}, Account: "default"},
			calls: []string{
				"gcloud|--version", "gcloud|auth|list|--format=json", "gcloud|auth|login", "gcloud|auth|list|--format=json",
				"gcloud|secrets|versions|access|latest|--secret=x|--format=json",
			},
			want: []string{"default/x=a"},
		},
		{
			name: "login does not help", adapter: "gcp", tool: "gcloud", body: `[ "$2" = list ] && echo '[]'; exit 0`,
			request: Request{Names: []string{"x"}, Account: "default"}, err: "could not login to gcloud",
		},
		{
			name: "not there", adapter: "gcp", tool: "gcloud", body: body, request: Request{Names: []string{"p/none"}, Account: "default"},
			err: "Could not read p/none from Google Secret Manager",
		},
		{
			name: "no base64", adapter: "gcp", tool: "gcloud", body: body, request: Request{Names: []string{"bad"}, Account: "default"},
			err: "the payload of default/bad is not base64",
		},
	})
}

func TestPassbolt(t *testing.T) {
	body := `case "$*" in
'list folders --filter Name == "Shop" --json') echo '[{"id":"f1","name":"Shop","folder_parent_id":""}]' ;;
'list folders --filter Name == "prod" && FolderParentID == "f1" --json') echo '[{"id":"f2","name":"prod","folder_parent_id":"f1"}]' ;;
'list folders'*) echo '[]' ;;
'list resources'*) ` + answer(`[{"name":"A","password":`+awkwardJSON+`},{"name":"B","password":""}]`) + `;;
esac`
	runAdapterCases(t, []adapterCase{
		{
			name: "at the top", adapter: "passbolt", tool: "passbolt", body: body, request: Request{Names: []string{"A", "B"}},
			calls: []string{
				"passbolt|--version", "passbolt|verify",
				`passbolt|list|resources|--filter|Name == "A" || Name == "B"|--column|name|--column|password|--json`,
			},
			want: []string{"A=" + awkward, "B="},
		},
		{
			name: "in folders", adapter: "passbolt", tool: "passbolt", body: body, request: Request{Names: []string{"A", "prod/B"}, From: "Shop"},
			calls: []string{
				"passbolt|--version", "passbolt|verify", `passbolt|list|folders|--filter|Name == "Shop"|--json`,
				`passbolt|list|folders|--filter|Name == "prod" && FolderParentID == "f1"|--json`,
				`passbolt|list|resources|--filter|(Name == "A" && FolderParentID == "f1") || (Name == "B" && FolderParentID == "f2")|--folder|f1|--folder|f2|--column|name|--column|password|--json`,
			},
			want: []string{"A=" + awkward, "B="},
		},
		{
			name: "quotes in a name stay in the filter's text", adapter: "passbolt", tool: "passbolt", body: body,
			request: Request{Names: []string{`x" || Name == 'y`}},
			calls: []string{
				"passbolt|--version", "passbolt|verify",
				`passbolt|list|resources|--filter|Name == "x\" || Name == 'y"|--column|name|--column|password|--json`,
			},
			err: "Could not find the following secrets in Passbolt",
		},
		{
			name: "no such folder", adapter: "passbolt", tool: "passbolt", body: body, request: Request{Names: []string{"Shop/test/A", "//A"}},
			err: "Could not find the following folders in Passbolt: Shop/test",
		},
		{
			name: "no such secret", adapter: "passbolt", tool: "passbolt", body: body, request: Request{Names: []string{"A", "C"}},
			err: "Could not find the following secrets in Passbolt: C",
		},
		{
			name: "login refused", adapter: "passbolt", tool: "passbolt", body: `[ "$1" = --version ]`, request: Request{Names: []string{"A"}},
			err: "Failed to login to Passbolt: passbolt verify",
		},
		{name: "nothing named", adapter: "passbolt", tool: "passbolt", err: "no secrets given to fetch from Passbolt"},
	})
}

func TestEveryAdapterIsFoundAndTellsWhereItsToolIs(t *testing.T) {
	for _, name := range Adapters() {
		a, err := FindAdapter(name)
		if err != nil {
			t.Fatal(err)
		}
		tool := a.Tool()
		none := &standIn{dir: t.TempDir()}
		_, err = Vaults{Run: none.run}.Fetch(t.Context(), name, Request{Names: []string{"a/b/c"}, Account: "x", From: "y"})
		if err == nil || !strings.Contains(err.Error(), tool.Name+" is not installed") || !strings.Contains(err.Error(), "https://") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := FindAdapter("keypass"); err == nil || !strings.Contains(err.Error(), "Unknown secrets adapter: keypass") {
		t.Errorf("error %v", err)
	}
}

// What a file fetches goes through quoting, splitting and parsing and comes out
// as it was in the vault.
func TestSecretsFileFetchesWithoutTheGem(t *testing.T) {
	for _, program := range []string{"kamal", "binnacle"} {
		tool := newStandIn(t, "lpass", `case "$1" in
status) echo "Logged in as ana." ;;
show) `+answer(`[{"fullname":"F/A","password":"it's \"a\" (b) \\ c#d\nzwei 日本"},{"fullname":"F/B","password":""},{"fullname":"F/C","password":"<&>"}]`)+`;;
esac`)
		redactor := new(Redactor)
		vaults := Vaults{Run: tool.run, Redactor: redactor}
		s := Open(Options{
			ReadFile: files(map[string]string{".kamal/secrets": strings.ReplaceAll(`# from the vault
ALL=$(kamal secrets fetch --adapter lastpass --account=ana --from F A B C)
A=$(kamal secrets extract A $ALL)
B=$(kamal secrets extract F/B ${ALL})
C="$(kamal  secrets  extract C $ALL)!"
`, "kamal", program)}),
			Inline: vaults.Inline, Redactor: redactor,
			Run: func(_ context.Context, command string) (string, error) { t.Errorf("ran %q", command); return "", nil },
		})
		if tool.called(t) != nil {
			t.Error("the vault was asked before anybody wanted a secret")
		}
		for name, want := range map[string]string{"A": "it's \"a\" (b) \\ c#d\nzwei 日本", "B": "", "C": "<&>!"} {
			if v, err := s.Get(t.Context(), name); err != nil || v.Reveal() != want {
				t.Errorf("%s is %q, %v, want %q", name, v.Reveal(), err, want)
			}
		}
		if got := tool.called(t); len(got) != 3 {
			t.Errorf("the vault was asked %d times: %q", len(got), got)
		}
	}
}

func TestInlineOptions(t *testing.T) {
	vaults := Vaults{Run: noProcess}
	tests := []struct{ words, want, err string }{
		{words: "fetch -a test --account x ab", want: `\{\"ab\":\"ba\"\}`},
		{words: "fetch ab --adapter=test --account=x --inline -d staging --no-verbose", want: `\{\"ab\":\"ba\"\}`},
		{words: "fetch -atest --account x --from f/g ab -- -c", want: `\{\"f/g/ab\":\"ba/g/f\",\"f/g/-c\":\"c-/g/f\"\}`},
		{words: "fetch -a test --account x", want: `\{\}`},
		{words: `extract A {"A":5}`, want: "5"},
		{words: "fetch ab --account x", err: "'--adapter'"},
		{words: "fetch ab -a test", err: "'--account'"},
		{words: "fetch ab -a", err: "No value provided for option '-a'"},
		{words: "fetch --form x -a test ab", err: "unknown option --form"},
		{words: `extract A {"A":"hunter2 and more"} B`, err: "wants NAME and the fetched JSON, and got 5 words"},
		{words: "print", err: "can stand inside"},
		{words: "", err: "can stand inside"},
	}
	for _, test := range tests {
		got, err := vaults.Inline(t.Context(), strings.Fields(test.words))
		if test.err == "" && (err != nil || got != test.want) || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%q: %q, %v", test.words, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

func TestShellEscapeComesBack(t *testing.T) {
	for _, text := range []string{"", "plain", awkward, "\n", "a\n\nb", `\`, "'", `"`, "~ * ? & ; |", "\t"} {
		words, err := SplitShell("x " + ShellEscape(text))
		if err != nil || !slices.Equal(words, []string{"x", text}) {
			t.Errorf("%q came back as %q, %v", text, words, err)
		}
	}
}

func TestFetchedJSONRefusesWhatIsNoText(t *testing.T) {
	if _, err := FetchedJSON([]Entry{{Name: "A", Value: New("\xff")}}); err == nil || !strings.Contains(err.Error(), "the value of A is not text") {
		t.Errorf("error %v", err)
	}
}
