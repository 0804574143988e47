package e2e

import (
	"crypto/tls"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/google/go-cmp/cmp"
)

// ca runs clearspan ca on a state directory. It must end with code.
func ca(t *testing.T, code int, state string, args ...string) (stdout, stderr string) {
	t.Helper()
	stdout, stderr, got := clearspan(t, state, append(append([]string{"ca"}, args...), "--state", state)...)
	if got != code {
		t.Fatalf("ca %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, stdout, stderr)
	}
	return stdout, stderr
}

// field returns the values of a line of ca show, in order.
func field(text, name string) (values []string) {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

// ready runs an appliance on a state directory until it is ready, then stops it.
// It returns the log and whether it came so far.
func ready(t *testing.T, dir string, more ...string) (log string, ok bool) {
	t.Helper()
	config := filepath.Join(dir, "clearspan.yaml")
	text := "state: " + dir + "\nintake: [{name: fixed, mode: static, listen: \"127.0.0.1:0\", origin: \"192.0.2.1:443\"}]\nadmin: {listen: \"off\"}\n" + strings.Join(more, "\n")
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	said := &transcript{}
	cmd := exec.CommandContext(t.Context(), quick(t), "run", "-c", config)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, said, said
	cmd.Env = []string{"HOME=" + dir, "GORACE=atexit_sleep_ms=0"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	// A passphrase takes its time, many times that with the race detector.
	for end := time.Now().Add(2 * time.Minute); !strings.Contains(said.String(), `"msg":"ready"`); {
		select {
		case <-done:
			return said.String(), false
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(end) {
			cmd.Process.Kill()
			<-done
			t.Fatalf("neither ready nor ended:\n%s", said)
		}
	}
	cmd.Process.Signal(os.Interrupt)
	if err := <-done; err != nil {
		t.Errorf("end: %v\n%s", err, said)
	}
	return said.String(), true
}

// TestAuthorityCommands goes through the life of an authority by the command line.
func TestAuthorityCommands(t *testing.T) {
	scenetest.Together(t)
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	authority := filepath.Join(state, "authority")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	_, bundle := intermediate(t, dir)
	// The layout of SSLsplit: two files.
	text, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	key, rest := pem.Decode(text)
	crt := filepath.Join(dir, "ca.crt")
	keyFile := filepath.Join(dir, "ca.key")
	for file, data := range map[string][]byte{crt: rest, keyFile: pem.EncodeToMemory(key)} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ca(t, 0, state, "import", crt, keyFile)
	if _, stderr := ca(t, 2, state, "import", bundle); !strings.Contains(stderr, "--force") {
		t.Errorf("second import: %s", stderr)
	}
	if _, stderr := ca(t, 2, state, "import", crt); !strings.Contains(stderr, "there is no private key") {
		t.Errorf("import without a key: %s", stderr)
	}
	log, ok := ready(t, state)
	if !ok {
		t.Fatalf("does not start:\n%s", log)
	}
	show, _ := ca(t, 0, state, "show")
	first := field(show, "sha256")[0]
	if !strings.Contains(log, first) || !strings.Contains(show, "in clear") {
		t.Errorf("show:\n%s\nlog:\n%s", show, log)
	}

	passphrase := filepath.Join(dir, "passphrase")
	if err := os.WriteFile(passphrase, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ca(t, 2, state, "encrypt") // nobody to ask
	ca(t, 0, state, "encrypt", "--passphrase-file", passphrase)
	if show, _ := ca(t, 0, state, "show"); !strings.Contains(show, "encrypted with a passphrase") {
		t.Errorf("show:\n%s", show)
	}
	secret := strings.Split(string(pem.EncodeToMemory(key)), "\n")[1]
	if out, err := exec.Command("grep", "-rl", secret, state).Output(); err == nil {
		t.Errorf("the key is in clear in %s", out)
	}
	if log, ok := ready(t, state); ok || !strings.Contains(log, "authority.passphrase_file") || !strings.Contains(log, "passphrase") {
		t.Errorf("without a passphrase:\n%s", log)
	}
	if log, ok := ready(t, state, "authority: {passphrase_file: "+passphrase+"}"); !ok {
		t.Errorf("with a passphrase:\n%s", log)
	}
	config := []string{"-c", filepath.Join(state, "clearspan.yaml")}

	rotate := func(args ...string) string {
		t.Helper()
		stdout, stderr, code := clearspan(t, state, append(append([]string{"ca", "rotate"}, args...), config...)...)
		if code != 0 {
			t.Fatalf("rotate: %s", stderr)
		}
		return stdout
	}
	rotate("--in", "1h")
	show, _ = ca(t, 0, state, "show")
	if prints := field(show, "sha256"); len(prints) != 3 || prints[0] != first || !strings.Contains(show, "next: signs from") || strings.Count(show, "encrypted with a passphrase") != 2 {
		t.Errorf("during a rotation:\n%s", show)
	}
	for _, format := range []string{"pem", "p12", "mobileconfig", "der"} {
		out, _ := ca(t, 0, state, "export", "--format", format)
		if out == "" || strings.Contains(out, "PRIVATE") || format == "pem" && strings.Count(out, "BEGIN CERTIFICATE") != 2 {
			t.Errorf("export --format %s: %d octets", format, len(out))
		}
	}
	if _, stderr := ca(t, 1, state, "export", "--format", "jks"); !strings.Contains(stderr, "mobileconfig") {
		t.Errorf("unknown format: %s", stderr)
	}
	rotate("--cancel")
	rotate("--now", "--key", "ecdsa-p384")
	show, _ = ca(t, 0, state, "show")
	if prints := field(show, "sha256"); len(prints) != 4 || prints[0] == first || strings.Count(show, "replaced") != 2 || !strings.Contains(show, first) {
		t.Errorf("after a rotation:\n%s", show)
	}
	log, ok = ready(t, state, "authority: {passphrase_file: "+passphrase+"}")
	if !ok || !strings.Contains(log, field(show, "sha256")[0]) {
		t.Errorf("after a rotation:\n%s", log)
	}

	// Whoever has the state directory of another sees nothing in clear, and modes
	// are as they should be.
	modes := map[string]int{}
	filepath.Walk(authority, func(path string, info os.FileInfo, err error) error {
		if err == nil && strings.HasSuffix(path, ".key") {
			modes[info.Mode().String()]++
		}
		return err
	})
	if diff := cmp.Diff(map[string]int{"-rw-------": 3}, modes); diff != "" {
		t.Errorf("modes of keys (-want +got):\n%s", diff)
	}
}

// TestTokenNeedsItsBuild names a key in a token to a program that knows none.
func TestTokenNeedsItsBuild(t *testing.T) {
	scenetest.Together(t)
	dir := t.TempDir()
	_, bundle := intermediate(t, dir)
	log, ok := ready(t, dir, `authority: {certificate: "`+bundle+`", key: "pkcs11:token=a;object=b"}`)
	if ok || !strings.Contains(log, "build-pkcs11") {
		t.Errorf("log:\n%s", log)
	}
}

// TestTrust installs the authority into Debian's store, of which the test has a
// copy of its own in a mount namespace, and lets curl use it.
func TestTrust(t *testing.T) {
	scenetest.Together(t)
	dir := t.TempDir()
	if log, ok := ready(t, dir); !ok {
		t.Fatal(log)
	}
	script := `set -eu
for d in /usr/local/share/ca-certificates /etc/ssl/certs; do
	mkdir -p $d "$1/copy$d"; cp -a $d/. "$1/copy$d"; mount --bind "$1/copy$d" $d
done
mark=$(sed -n 2p "$1/authority/ca.crt")
"$2" ca trust --state "$1"
grep -qF "$mark" /etc/ssl/certs/ca-certificates.crt
openssl verify -CApath /etc/ssl/certs "$1/authority/ca.crt"
"$2" ca trust --state "$1" | grep -q "nothing to change"
"$2" ca trust --remove
! grep -qF "$mark" /etc/ssl/certs/ca-certificates.crt
! ls /usr/local/share/ca-certificates/clearspan-ca-* 2>/dev/null
PATH=/nonexistent; export PATH
"$2" ca trust --state "$1"
`
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", dir, scenetest.Binary)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + dir, "GORACE=atexit_sleep_ms=0"}
	out, err := cmd.CombinedOutput()
	text := string(out)
	if err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(text, "only Debian's store is known here") {
		t.Errorf("without Debian's program: %v\n%s", err, text)
	}
	for _, want := range []string{"installed /usr/local/share/ca-certificates/clearspan-ca-", "ca.crt: OK", "removed /usr/local/share/ca-certificates/clearspan-ca-"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestInstallations: each installation makes keys of its own, and starts with none
// that others may read.
func TestInstallations(t *testing.T) {
	scenetest.Together(t)
	seen := make(map[string]string)
	var dirs []string
	for range 2 {
		dir := t.TempDir()
		dirs = append(dirs, dir)
		if log, ok := ready(t, dir); !ok {
			t.Fatal(log)
		}
		for _, name := range []string{"ca", "untrusted"} {
			pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "authority", name+".crt"), filepath.Join(dir, "authority", name+".key"))
			if err != nil {
				t.Fatal(err)
			}
			for kind, octets := range map[string][]byte{"key": pair.Leaf.RawSubjectPublicKeyInfo, "serial number": pair.Leaf.SerialNumber.Bytes()} {
				if before, ok := seen[kind+string(octets)]; ok {
					t.Errorf("%s in %s has the %s of %s", name, dir, kind, before)
				}
				seen[kind+string(octets)] = name + " in " + dir
			}
		}
	}
	key := filepath.Join(dirs[0], "authority", "ca.key")
	for _, mode := range []os.FileMode{0o604, 0o640, 0o620} {
		if err := os.Chmod(key, mode); err != nil {
			t.Fatal(err)
		}
		if log, ok := ready(t, dirs[0]); ok || !strings.Contains(log, key) || !strings.Contains(log, "0600") {
			t.Errorf("starts with a key of mode %v:\n%s", mode, log)
		}
	}
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	if log, ok := ready(t, dirs[0]); !ok {
		t.Error(log)
	}
}
