package e2e

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// clearspan runs the program, which needs no network for this.
func clearspan(t *testing.T, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), quick(t), args...)
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
    - {name: staff, host: [hr.test], action: bump, mirror: [files], content: decrypted, alpn_offer: [http/1.1]}
    - {name: nobody, host: [no.test], action: bump, mirror: none}
    - {name: guests, client: [10.9.0.0/16], action: terminate}
mirror:
  - {name: files, kind: pcapng}
`

func TestCheck(t *testing.T) {
	scenetest.Together(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good.yaml": wellFormed,
		"bad.yaml":  strings.NewReplacer("listen:", "listn:", "bump}", "bumb}", "10.9.0.0/16", "10.9.0.0/61").Replace(wellFormed),
		"torn.yaml": wellFormed + "audit: [\n",
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
		{"a key, an action and a network", "bad.yaml", 1, []string{"bad.yaml:3:5", "bad.yaml:3:35", "bad.yaml:8:63", "bad.yaml:11:31"}},
		{"no YAML", "torn.yaml", 1, []string{"torn.yaml:14:8"}},
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
	scenetest.Together(t)
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
		{"treated", []string{"--client", "10.8.0.1", "--origin", "192.0.2.1:443", "--sni", "hr.test"},
			"rule staff: bump; mirror files; content decrypted; alpn_offer http/1.1"},
		{"shown nowhere", []string{"--client", "10.8.0.1", "--origin", "192.0.2.1:443", "--sni", "no.test"}, "rule nobody: bump; mirror none"},
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
	scenetest.Together(t)
	dir := t.TempDir()
	stdout, stderr, code := clearspan(t, dir, "ca", "export", "--state", dir)
	if code != 2 || stdout != "" || !strings.Contains(stderr, "first start") {
		t.Errorf("ca export: exit code %d, %q, %q", code, stdout, stderr)
	}
	stdout, stderr, code = clearspan(t, dir, "ca", "show", "--state", dir)
	if code != 0 || !strings.HasPrefix(stdout, "trusted: not there yet, the first start of clearspan run creates it\n") || stderr != "" {
		t.Errorf("ca show: exit code %d, %q, %q", code, stdout, stderr)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("made %v, %v", left, err)
	}
}

func TestFeedCheck(t *testing.T) {
	scenetest.Together(t)
	dir := t.TempDir()
	recorder := &mirrortest.Recorder{}
	conversation := mirror.Open(recorder, mirror.Flow{
		Client: netip.MustParseAddrPort("192.0.2.1:50000"), Origin: netip.MustParseAddrPort("198.51.100.2:80")}, mirror.Options{})
	conversation.Data(mirror.ClientToOrigin, []byte("GET / HTTP/1.1\r\n\r\n"))
	conversation.Close()
	frames := recorder.Frames()
	good, half := mirrortest.WritePcap(t, frames), mirrortest.WritePcap(t, frames[:4])
	for _, row := range []struct {
		name   string
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{"ready", []string{good}, 0, "\nREADY: ", ""},
		{"not ready", []string{half}, 1, "\nNOT READY: 1 of ", "the feed is not ready for recorders\n"},
		{"of running traffic", []string{half, "--cut"}, 0, "\nREADY: ", ""},
		{"JSON", []string{"--json", half}, 1, `"rule":"end","status":"FAIL"`, "not ready"},
		{"MTU", []string{"--mtu", "100", good}, 0, "note      syn-options", ""},
		{"no capture", []string{filepath.Join("..", filepath.Base(os.Args[0]))}, 2, "", "neither a file nor an interface"},
		{"nothing", nil, 2, "", "requires at least 1 arg"},
		{"help", []string{"--help"}, 0, "Exit status: 0 ready, 1 not ready, 2 ", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			stdout, stderr, code := clearspan(t, dir, append([]string{"feed", "check"}, row.args...)...)
			if code != row.code || !strings.Contains(stdout, row.stdout) || !strings.Contains(stderr, row.stderr) || code == 0 && stderr != "" {
				t.Errorf("status %d, want %d\nstdout %s\nstderr %s", code, row.code, stdout, stderr)
			}
		})
	}
}

// quick is the appliance without the race detector, for commands that encrypt keys:
// scrypt takes minutes with it.
func quick(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the appliance: left out with -short")
	}
	program, err := scenetest.PlainBinary()
	if err != nil {
		t.Fatal(err)
	}
	return program
}
