package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// clearspan runs the program, which needs no network for this.
func clearspan(t *testing.T, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	cmd.Env = []string{"HOME=" + dir, "GORACE=atexit_sleep_ms=0"} // the race detector would wait a second at the end
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

const wellFormed = `state: state
intake:
  - {name: proxy, mode: explicit, listen: "127.0.0.1:8080"}
policy:
  default: bump
  rules:
    - {name: banks, host: ["*.bank.test"], action: tunnel}
    - {name: mail, port: [25, 465], protocol: [smtp], action: bump}
    - {name: guests, client: [10.9.0.0/16], action: terminate}
`

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good.yaml": wellFormed,
		"bad.yaml":  strings.NewReplacer("listen:", "listn:", "bump}", "bumb}", "10.9.0.0/16", "10.9.0.0/61").Replace(wellFormed),
		"torn.yaml": wellFormed + "mirror: [\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name, file string
		code       int
		places     []string // FILE:LINE:COL of each line of error
	}{
		{"good", "good.yaml", 0, nil},
		{"a key, an action and a network", "bad.yaml", 1, []string{"bad.yaml:3:5", "bad.yaml:3:35", "bad.yaml:8:63", "bad.yaml:9:31"}},
		{"no YAML", "torn.yaml", 1, []string{"torn.yaml:10:9"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			stdout, stderr, code := clearspan(t, dir, "check", "-c", row.file)
			if code != row.code || (code == 0) != strings.Contains(stdout, "ok") {
				t.Errorf("exit code %d, output %q", code, stdout)
			}
			var places []string
			for line := range strings.Lines(stderr) {
				place, message, _ := strings.Cut(line, ": ")
				if strings.TrimSpace(message) == "" {
					t.Errorf("line without message: %q", line)
				}
				places = append(places, place)
			}
			if diff := cmp.Diff(row.places, places); diff != "" {
				t.Errorf("places (-want +got):\n%s\nof\n%s", diff, stderr)
			}
		})
	}
	t.Run("run refuses it too", func(t *testing.T) {
		_, stderr, code := clearspan(t, dir, "run", "-c", "bad.yaml")
		if code != 1 || !strings.Contains(stderr, "bad.yaml:3:35: ") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
	t.Run("key in a token", func(t *testing.T) {
		text := wellFormed + "authority: {certificate: good.yaml, key: \"pkcs11:object=a?pin-value=1\"}\n"
		if err := os.WriteFile(filepath.Join(dir, "token.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, stderr, code := clearspan(t, dir, "check", "-c", "token.yaml"); code != 1 || !strings.Contains(stderr, "pin-source") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
	t.Run("no file", func(t *testing.T) {
		if _, stderr, code := clearspan(t, dir, "check", "-c", "absent.yaml"); code != 1 || !strings.Contains(stderr, "absent.yaml") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
}

func TestExplain(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "c.yaml"), []byte(wellFormed), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		args []string
		want string // last line
	}{
		{"first rule", []string{"--client", "10.9.0.1", "--origin", "192.0.2.1:443", "--sni", "www.Bank.test."}, "rule banks: tunnel"},
		{"by address", []string{"--client", "10.9.0.1", "--origin", "192.0.2.1:443", "--sni", "bank.test"}, "rule guests: terminate"},
		{"by protocol and port", []string{"--client", "10.8.0.1", "--origin", "[2001:db8::1]:25", "--protocol", "smtp"}, "rule mail: bump"},
		{"no rule", []string{"--client", "10.8.0.1", "--origin", "192.0.2.1:443", "--alpn", "h2,http/1.1"}, "rule default: bump"},
	} {
		t.Run(row.name, func(t *testing.T) {
			stdout, stderr, code := clearspan(t, dir, append([]string{"policy", "explain", "-c", "c.yaml"}, row.args...)...)
			lines := strings.Split(strings.TrimSpace(stdout), "\n")
			if code != 0 || stderr != "" || lines[len(lines)-1] != row.want {
				t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
			}
		})
	}
	t.Run("bad address", func(t *testing.T) {
		_, stderr, code := clearspan(t, dir, "policy", "explain", "-c", "c.yaml", "--client", "nobody", "--origin", "192.0.2.1:443")
		if code != 1 || !strings.Contains(stderr, "--client") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
}

// TestNoAuthority asks for an authority before the first start has made one.
func TestNoAuthority(t *testing.T) {
	dir := t.TempDir()
	for _, command := range []string{"show", "export"} {
		stdout, stderr, code := clearspan(t, dir, "ca", command, "--state", dir)
		if code != 2 || stdout != "" || !strings.Contains(stderr, "first start") {
			t.Errorf("ca %s: exit code %d, %q, %q", command, code, stdout, stderr)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("made %v, %v", left, err)
	}
}
