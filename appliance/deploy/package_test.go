package deploy

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/clearspan/clearspan/hack/machine"
	"github.com/clearspan/clearspan/hack/needs"
)

// first and second build the packages of two versions, once.
var (
	first  = sync.OnceValues(func() (string, error) { return build("0.0.1", "deb", "rpm") })
	second = sync.OnceValues(func() (string, error) { return build("0.0.2", "deb") })
)

// build makes packages of a version from the program of these tests, and returns their
// directory.
func build(version string, formats ...string) (dir string, err error) {
	file, err := program()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(filepath.Dir(file), version)
	args := []string{"--arch", runtime.GOARCH, "--program", file, "--version", version}
	for _, format := range formats {
		args = append(args, "--only", format)
	}
	if text, err := exec.Command("../../hack/release/build.sh", append(args, dir)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build packages: %w\n%s", err, text)
	}
	return dir, nil
}

// packaged returns the file of a format, of the version that made builds.
func packaged(t *testing.T, made func() (string, error), format string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds packages: left out with -short")
	}
	dir, err := made()
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*."+format))
	if err != nil || len(found) != 1 {
		t.Fatalf("built %v, %v", found, err)
	}
	return found[0]
}

// session is an open session of the proxy: it has one echo, and after /go another one.
const session = `
import os, socket, threading, time
def serve(l):
    c, _ = l.accept()
    while True:
        b = c.recv(100)
        if not b: return
        c.sendall(b)
l = socket.create_server(("127.0.0.1", 9000))
threading.Thread(target=serve, args=(l,), daemon=True).start()
c = socket.create_connection(("127.0.0.1", 8080))
c.sendall(b"CONNECT 127.0.0.1:9000 HTTP/1.1\r\nHost: 127.0.0.1:9000\r\n\r\n")
def echo(word):
    c.sendall(word)
    got = b""
    while not got.endswith(word):
        b = c.recv(1000)
        if not b: raise SystemExit("closed after %r" % got)
        got += b
echo(b"first")
open("/first", "w").close()
while not os.path.exists("/go"): time.sleep(0.02)
echo(b"second")
open("/second", "w").close()
`

// keeperAndWorker prints the process numbers of the service's keeper and its newest worker.
const keeperAndWorker = `keeper=$(systemctl show -p MainPID --value clearspan); echo $keeper; pgrep -P $keeper -n`

func TestPackage(t *testing.T) {
	t.Parallel()
	m := machine.ForTest(t)
	m.Install(t, packaged(t, first, "deb"), "/first.deb", 0o644)
	m.Install(t, packaged(t, second, "deb"), "/second.deb", 0o644)
	m.Write(t, "/session.py", session, 0o644)

	m.Run(t, `dpkg -i /first.deb && id clearspan && ! systemctl is-active clearspan && ! systemctl is-enabled clearspan
man -w clearspan.yaml && man -w clearspan-deploy-systemd && bash -n /usr/share/bash-completion/completions/clearspan
clearspan check -c /etc/clearspan/clearspan.yaml && systemctl enable --now clearspan && systemctl is-active clearspan`)
	if got := m.Run(t, facts); !strings.Contains(got, "\nactive\nown\nclearspan\n") {
		t.Errorf("the service: %s", got)
	}
	m.Run(t, "python3 /session.py >/session.log 2>&1 &")
	m.Wait(t, "cat /session.log; [ -e /first ]")

	// A change of the configuration file stays, and the session goes on.
	before := m.Run(t, keeperAndWorker)
	m.Run(t, `echo '# ours' >>/etc/clearspan/clearspan.yaml; clearspan deploy systemd -c /etc/clearspan/clearspan.yaml && rm /etc/clearspan/clearspan.yaml.* 2>/dev/null; dpkg -i /second.deb && dpkg-query -W -f '${Version}' clearspan | grep 0.0.2 && grep '# ours' /etc/clearspan/clearspan.yaml`)
	// The keeper is the new file, in the same process. The newest worker is another one.
	m.Run(t, `[ /proc/$(systemctl show -p MainPID --value clearspan)/exe -ef /usr/bin/clearspan ] && [ $(systemctl show -p NRestarts --value clearspan) = 0 ]
journalctl -u clearspan -o cat --no-pager | grep '"msg":"upgraded"'`)
	keeperBefore, workerBefore, _ := strings.Cut(before, "\n")
	keeper, worker, _ := strings.Cut(m.Run(t, keeperAndWorker), "\n")
	if keeper != keeperBefore || worker == workerBefore {
		t.Errorf("the upgrade: keeper %s, then %s; worker %s, then %s", keeperBefore, keeper, workerBefore, worker)
	}
	m.Run(t, "[ /proc/"+strings.TrimSpace(worker)+"/exe -ef /usr/bin/clearspan ]")
	m.Run(t, "touch /go")
	m.Wait(t, "cat /session.log; [ -e /second ]")
	m.Run(t, "systemctl is-active clearspan")

	fingerprint := m.Run(t, "sha256sum </var/lib/clearspan/authority/ca.key")
	m.Run(t, `apt-get -qq --allow-change-held-packages remove clearspan 2>&1 || dpkg -r clearspan
! pgrep -x clearspan; ! test -e /usr/bin/clearspan && test -e /var/lib/clearspan/sessions.jsonl && test -e /etc/clearspan/clearspan.yaml`)
	said := m.Run(t, "dpkg -P clearspan 2>&1")
	if !strings.Contains(said, "kept in /var/lib/clearspan-authority. To delete it") {
		t.Errorf("the authority is moved silently: %s", said)
	}
	if got := m.Run(t, "sha256sum </var/lib/clearspan-authority/ca.key"); got != fingerprint {
		t.Errorf("the authority's key is %s, was %s", got, fingerprint)
	}
	if got := m.Run(t, "find / -xdev -path /proc -prune -o \\( -path '*clearspan*' -not -path '/var/lib/clearspan-*' -newer /first.deb \\) -print | grep '^/\\(etc\\|lib\\|usr/\\(bin\\|lib\\|share\\)\\|run\\|var/lib\\)/' || true"); got != "" {
		t.Errorf("the package leaves %s", got)
	}
}

// TestPackageOfWire: the removal takes a wire apart and says so; an upgrade does not.
func TestPackageOfWire(t *testing.T) {
	t.Parallel()
	m := machine.ForTest(t)
	deb := packaged(t, first, "deb")
	m.Install(t, deb, "/first.deb", 0o644)
	m.Run(t, "for i in lan0 wan0; do ip link add $i type veth peer name $i-end && ip link set $i up && ip link set $i-end up; done; dpkg -i /first.deb")
	begin(t, m, "state: /var/lib/clearspan\nintake: [{name: w, mode: wire, legs: [lan0, wan0], ports: [443], down: wire}]\n")
	m.Wait(t, "clearspan wire status | grep 'taking connections'")
	m.Run(t, "dpkg -i /first.deb && clearspan wire status | grep 'attached  true'")
	said := m.Run(t, "dpkg -r clearspan 2>&1; ip link show lan0; ip link show wan0; ! ls /run/clearspan/wire/*.json")
	if !strings.Contains(said, "taking wire w apart") || strings.Contains(said, "still there") {
		t.Errorf("the removal said: %s", said)
	}
}

func TestLintian(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("lintian"); err != nil {
		needs.Missing(t, err)
	}
	// The program of these tests is not built as that of a release.
	cmd := exec.Command("lintian", "--allow-root", "--fail-on", "warning", "--suppress-tags", "missing-dependency-on-libc,unstripped-binary-or-object", packaged(t, first, "deb"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRPM(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("rpm"); err != nil {
		needs.Missing(t, err)
	}
	file := packaged(t, first, "rpm")
	out, err := exec.Command("rpm", "-qp", "--qf", "%{NAME} %{VERSION} %{LICENSE}\n", "-l", "-c", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"clearspan 0.0.1 Apache-2.0", "/etc/clearspan/clearspan.yaml"} {
		if !strings.Contains(string(out), want+"\n") {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out, err := exec.Command("rpm", "-K", "--nosignature", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
