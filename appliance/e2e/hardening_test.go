package e2e

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// secretsOf returns what must appear nowhere: pieces of the keys in a directory,
// as they stand in the files and as octets.
func secretsOf(t testing.TB, dir string) (secrets [][]byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil || len(files) < 2 {
		t.Fatalf("keys in %s: %v, %v", dir, files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		if block == nil {
			t.Fatalf("no key in %s", file)
		}
		// A P-256 key in PKCS #8: the secret is 32 octets from 36 on.
		secrets = append(secrets, bytes.Split(text, []byte("\n"))[1], block.Bytes[36:68])
	}
	return append(secrets, []byte("PRIVATE KEY"))
}

func hasSecret(data []byte, secrets [][]byte) bool {
	for _, s := range secrets {
		if bytes.Contains(data, s) {
			return true
		}
	}
	return false
}

// tasks returns the lines of /proc/PID/task/*/status that begin with one of the
// words, each with its count.
func tasks(t testing.TB, pid int, words ...string) map[string]int {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d threads, %v", len(files), err)
	}
	lines := make(map[string]int)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for line := range strings.Lines(string(text)) {
			for _, word := range words {
				if strings.HasPrefix(line, word+":") {
					lines[strings.Join(strings.Fields(line), " ")]++
				}
			}
		}
	}
	return lines
}

// memory reports which of the pieces are in the Go heap of a process.
func memory(t testing.TB, pid int, pieces [][]byte) []bool {
	t.Helper()
	found := make([]bool, len(pieces))
	regions, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	read := 0
	for line := range strings.Lines(string(regions)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(line, "c0") || mode[:2] != "rw" {
			continue
		}
		data := make([]byte, to-from)
		n, _ := mem.ReadAt(data, from)
		read += n
		for i, p := range pieces {
			found[i] = found[i] || bytes.Contains(data[:n], p)
		}
	}
	if read < 1<<20 {
		t.Fatalf("only %d octets of memory read", read)
	}
	return found
}

// Capabilities as /proc shows them.
const (
	noCapabilities = "0000000000000000"
	ofTProxy       = "0000000000003400" // net_bind_service net_admin net_raw
)

// TestPrivilegesDropped looks at every thread of an appliance, before and after a
// reload under traffic.
func TestPrivilegesDropped(t *testing.T) {
	const change = "{default: bump}"
	c := newScene(t, settings{policy: change})
	web := c.nginx()
	page := c.page(web, "page.bin", 10_000)
	check := func(when string) {
		t.Helper()
		for line := range tasks(t, c.appliance.Pid(), "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs") {
			switch line {
			case "CapInh: " + noCapabilities, "CapAmb: " + noCapabilities, "CapPrm: " + ofTProxy, "CapEff: " + ofTProxy, "CapBnd: " + ofTProxy, "NoNewPrivs: 1":
			default:
				t.Errorf("%s, a thread has %s", when, line)
			}
		}
	}
	check("after the start")
	fetch := func() {
		t.Helper()
		same(t, "page", c.fetch("--http1.1", "https://"+webName+"/page.bin").content, page)
	}
	fetch()
	c.reconfigure(change, "{default: bump, rules: [{name: a, host: a.test, action: tunnel}]}", "reloaded")
	fetch()
	check("after a reload")
	c.stop()
}

// TestKeysStayInside looks for keys in everything that the appliance shows:
// log, environment, audit trail, every answer of administration and publish
// page, and what an abort leaves.
func TestKeysStayInside(t *testing.T) {
	c := newRootless(t)
	c.nginx()
	config := filepath.Join(c.dir, "clearspan.yaml")
	c.write(config, []byte(`state: `+c.state+`
intake: [{name: proxy, mode: explicit, listen: 127.0.0.1:8080}]
authority: {publish: 127.0.0.1:10080}
leaf: {crl: true}
origin: {roots: ["`+c.pki.RootFile+`"]}
mirror: [{name: files, kind: pcapng, directory: pcap}]
`))
	log := &transcript{}
	run := c.command("run", "-c", config, "--log-level", "debug")
	run.Stdout, run.Stderr = log, log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ready", func() bool { status, _ := c.get("/readyz"); return status == http.StatusOK })
	secrets := secretsOf(t, filepath.Dir(c.ca))
	if r, err := lab.Curl(c.ctx, c.Box, c.ca, append(lab.Resolve(webName, lab.OriginV4), "-x", "http://127.0.0.1:8080", "https://"+webName+"/hello.html")...); err != nil {
		t.Error(err, r.Stderr)
	}

	client := http.Client{Transport: &http.Transport{DialContext: c.Box.DialContext, DisableKeepAlives: true}}
	asked := map[string]bool{}
	var ask func(url string)
	ask = func(url string) {
		if asked[url] || len(asked) > 100 {
			return
		}
		asked[url] = true
		r, err := client.Get(url)
		if err != nil {
			t.Error(err)
			return
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil || hasSecret(body, secrets) {
			t.Errorf("%s: a key, or %v", url, err)
		}
		base := regexp.MustCompile(`^http://[^/]+`).FindString(url)
		for _, l := range regexp.MustCompile(`(?:href|src)="(/[^"]*)"`).FindAllSubmatch(body, -1) {
			ask(base + string(l[1]))
		}
	}
	for _, path := range []string{"/", "/livez", "/readyz", "/metrics", "/debug/pprof/heap", "/debug/pprof/", "/debug/vars", "/ca.key", "/authority/ca.key"} {
		ask("http://127.0.0.1:8090" + path)
		ask("http://127.0.0.1:10080" + path)
	}
	if len(asked) < 20 {
		t.Errorf("only %d answers: %v", len(asked), asked)
	}

	pid := run.Pid()
	for _, name := range []string{"environ", "cmdline"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil || hasSecret(data, secrets) {
			t.Errorf("%s: a key, or %v", name, err)
		}
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil || !regexp.MustCompile(`Max core file size +0 +0 `).Match(limits) {
		t.Errorf("limits %s, %v", limits, err)
	}
	for line := range tasks(t, pid, "CapPrm", "CapEff", "NoNewPrivs") {
		if line != "NoNewPrivs: 1" && !strings.HasSuffix(line, noCapabilities) {
			t.Errorf("a thread has %s", line)
		}
	}
	// Root can look at the memory of every process: not even there does a key lie
	// about as text.
	for i, piece := range memory(t, pid, secrets) {
		if piece && i%2 == 0 && i < len(secrets)-1 {
			t.Errorf("key %d lies in memory in PEM form", i/2+1)
		}
	}
	// Nobody else of the same user can look inside either.
	peek := c.Box.Command(c.ctx, "setpriv", "--reuid", fmt.Sprint(nobody), "--regid", fmt.Sprint(nobody), "--clear-groups", "cat", fmt.Sprintf("/proc/%d/environ", pid))
	if err := peek.Run(); err == nil {
		t.Error("another process of the same user may read the process")
	}

	// An abort writes no core; where the pattern is a file, that would be here.
	if err := run.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-run.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the appliance did not end")
	}
	run.Wait()
	err = filepath.Walk(c.dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		if strings.Contains(info.Name(), "core") {
			t.Errorf("%s was left", path)
		}
		if strings.HasSuffix(path, ".key") {
			return nil
		}
		data, err := os.ReadFile(path)
		if hasSecret(data, secrets) {
			t.Errorf("%s holds a key", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if text := log.String(); hasSecret([]byte(text), secrets) || !strings.Contains(text, "SIGABRT") {
		t.Errorf("a key, or no trace of the abort, in the log:\n%.2000s", text)
	}
}
