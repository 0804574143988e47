package e2e

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// secrets are octets that must appear nowhere, each with a name.
type secrets map[string][]byte

// add puts in a secret as it is, as text, and as the words of a big integer in
// memory, which are little-endian here.
func (s secrets) add(name string, octets []byte) {
	turned := slices.Clone(octets)
	slices.Reverse(turned)
	s[name] = octets
	s[name+", turned"] = turned
	s[name+", hexadecimal"] = []byte(hex.EncodeToString(octets))
	s[name+", HEXADECIMAL"] = bytes.ToUpper(s[name+", hexadecimal"])
	for skip := range 3 { // whatever stands before it
		middle := octets[skip : skip+(len(octets)-skip)/3*3]
		s[fmt.Sprintf("%s, base64 from %d", name, skip)] = []byte(base64.RawStdEncoding.EncodeToString(middle))
	}
	s[name+", decimals"] = []byte(strings.Trim(fmt.Sprint(octets), "[]"))
}

// addFiles puts in the keys of a directory: the PEM, and the scalar.
func (s secrets) addFiles(t testing.TB, dir string) {
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
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		scalar, err := key.(*ecdsa.PrivateKey).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		s.add(name, scalar)
		s[name+", line"] = bytes.Split(text, []byte("\n"))[1]
	}
	s["the words"] = []byte("PRIVATE KEY")
}

// in returns the name of a secret that data holds, or "".
func (s secrets) in(data []byte) string {
	for name, octets := range s {
		if bytes.Contains(data, octets) {
			return name
		}
	}
	return ""
}

// heap calls visit with each piece of the Go heap of a process. Root may do that.
func heap(t testing.TB, pid int, visit func([]byte)) {
	t.Helper()
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
		visit(data[:n])
	}
	if read < 1<<20 {
		t.Fatalf("only %d octets of memory read", read)
	}
}

// findScalar looks in memory for the private key that belongs to a public one.
func findScalar(t testing.TB, pid int, public *ecdsa.PublicKey) (scalar []byte) {
	t.Helper()
	point, err := public.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	heap(t, pid, func(data []byte) {
		var window [32]byte
		for i := 0; i+32 <= len(data) && scalar == nil; i += 8 {
			if !random(data[i : i+32]) {
				continue
			}
			copy(window[:], data[i:])
			for range 2 {
				tried++
				if key, err := ecdh.P256().NewPrivateKey(window[:]); err == nil && bytes.Equal(key.PublicKey().Bytes(), point) {
					scalar = slices.Clone(window[:])
					return
				}
				slices.Reverse(window[:])
			}
		}
	})
	t.Logf("%d candidates for a key tried", tried)
	return scalar
}

// random reports whether octets look like those of a key: most of them different.
func random(octets []byte) bool {
	var seen [256]bool
	different := 0
	for _, c := range octets {
		if !seen[c] {
			seen[c] = true
			different++
		}
	}
	return different >= 24 // of 32; one in a million keys has fewer
}

// keptSecrets are lines of a key log, of which the last word is a secret.
type keptSecrets struct{ transcript }

func (k *keptSecrets) addTo(t testing.TB, s secrets, leg string) {
	t.Helper()
	lines := strings.Fields(k.String())
	if len(lines) < 3 || len(lines)%3 != 0 {
		t.Fatalf("secrets of the %s leg: %q", leg, lines)
	}
	for i := 0; i < len(lines); i += 3 {
		octets, err := hex.DecodeString(lines[i+2])
		if err != nil {
			t.Fatal(err)
		}
		s.add(fmt.Sprintf("%s leg, %s %d", leg, lines[i], i), octets)
	}
}

// coreable prepares a run of a program by nobody that may leave core dumps of any
// size, and asks Go for them.
func (c *rootless) coreable(args ...string) *netlab.Cmd {
	cmd := c.Box.Command(c.Ctx, "prlimit", append([]string{"--core=unlimited:unlimited",
		"setpriv", "--reuid", fmt.Sprint(nobody), "--regid", fmt.Sprint(nobody), "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"}, args...)...)
	cmd.Env, cmd.Dir = append(slices.Clone(c.env), "GOTRACEBACK=crash"), c.Dir
	return cmd
}

// cores returns what dumps there are below the home, and takes them away.
func (c *rootless) cores() (found []string) {
	filepath.WalkDir(c.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasPrefix(d.Name(), "core") {
			found = append(found, path)
			os.Remove(path)
		}
		return nil
	})
	return found
}

// through makes a session by CONNECT through the appliance, which returns the leaf
// that it showed.
func (c *rootless) through(target, name string, log io.Writer) *x509.Certificate {
	c.Helper()
	proxy := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:8080"}),
		DialContext:     c.Box.DialContext,
		TLSClientConfig: &tls.Config{RootCAs: c.Pool(c.CA), ServerName: name, KeyLogWriter: log},
	}
	defer proxy.CloseIdleConnections()
	r, err := (&http.Client{Transport: proxy}).Get("https://" + target + "/")
	if err != nil {
		c.Fatal(err)
	}
	defer r.Body.Close()
	if text, err := io.ReadAll(r.Body); err != nil || string(text) != "hello" {
		c.Errorf("got %q, %v", text, err)
	}
	return r.TLS.PeerCertificates[0]
}

// TestKeysStayInside looks for keys in everything that the appliance shows: log,
// environment, audit trail, captures, every answer of administration and publish
// page, and what an abort leaves. The keys are those of the authorities, those of
// the leaves, which are found in its memory first, and the secrets of its sessions.
func TestKeysStayInside(t *testing.T) {
	c := newRootless(t)
	if err := c.coreable("sh", "-c", "kill -ABRT $$").Run(); err == nil {
		t.Error("a program that aborts itself succeeded")
	}
	if left := c.cores(); len(left) == 0 {
		t.Log("this machine writes no core dumps into files: that none is left says little")
	}
	config := filepath.Join(c.Dir, "clearspan.yaml")
	c.Write(config, []byte(`state: `+c.state+`
intake: [{name: proxy, mode: explicit, listen: 127.0.0.1:8080}]
authority: {publish: 127.0.0.1:8091}
leaf: {crl: true}
origin: {roots: ["`+c.PKI.RootFile+`"]}
mirror: [{name: files, kind: pcapng, directory: pcap}]
policy: {default: bump, learn: {pinned: {action: tunnel, after: 1}}}
`))
	originLeg, clientLeg := new(keptSecrets), new(keptSecrets)
	l, err := c.Origin.Listen("tcp", ":443")
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}, KeyLogWriter: originLeg},
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // a client that goes is expected
	}
	go web.ServeTLS(l, "", "")
	t.Cleanup(func() { web.Close() })

	hidden := secrets{}
	log := &transcript{}
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGABRT} {
		// The lesson of the run before would have the host tunneled, if it was written.
		if err := os.Remove(filepath.Join(c.state, "learned.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		run := c.coreable(scenetest.Binary, "run", "-c", config, "--log-level", "debug")
		run.Stdout, run.Stderr = log, log
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
		scenetest.Eventually(t, "ready", func() bool { status, _ := c.get("/readyz"); return status == http.StatusOK })
		hidden.addFiles(t, filepath.Dir(c.CA))
		leaf := c.through(lab.OriginV4, webName, clientLeg)
		clientLeg.addTo(t, hidden, "client")
		originLeg.addTo(t, hidden, "origin")
		scalar := findScalar(t, lab.WorkerOf(run.Pid()), leaf.PublicKey.(*ecdsa.PublicKey))
		if scalar == nil {
			t.Fatal("the key of the leaf is not found in memory: the search does not work")
		}
		hidden.add("leaf of "+sig.String(), scalar)
		if _, err := lab.Curl(c.Ctx, c.Box, c.PKI.RootFile, append(lab.Resolve(webName, lab.OriginV4), "-x", "http://127.0.0.1:8080", "https://"+webName+"/")...); err == nil {
			t.Error("a client that does not trust the authority accepted it") // something to learn
		}
		c.wantNoKeys(hidden, lab.WorkerOf(run.Pid()))
		c.abort(run, sig)
	}
	text := log.String()
	if name := hidden.in([]byte(text)); name != "" || !strings.Contains(text, "SIGABRT") || !strings.Contains(text, "SIGQUIT") {
		t.Errorf("%s, or no trace of the aborts, in the log:\n%.2000s", name, text)
	}
	searched := 0
	err = filepath.WalkDir(c.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, ".key") {
			return err
		}
		data, err := os.ReadFile(path)
		if name := hidden.in(data); name != "" {
			t.Errorf("%s holds %s", path, name)
		}
		searched++
		return err
	})
	if err != nil || searched < 5 || len(hidden) < 100 {
		t.Errorf("%d files searched for %d secrets, %v", searched, len(hidden), err)
	}
	t.Logf("%d files and %d octets of log searched for %d secrets", searched, len(text), len(hidden))
}

// wantNoKeys asks administration and publish page for everything, known or linked,
// by every method, and looks at what /proc tells of the process.
func (c *rootless) wantNoKeys(hidden secrets, pid int) {
	c.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: c.Box.DialContext, DisableKeepAlives: true}}
	asked := map[string]bool{}
	var ask func(method, url string)
	ask = func(method, url string) {
		if asked[method+url] || len(asked) > 300 {
			return
		}
		asked[method+url] = true
		request, err := http.NewRequestWithContext(c.Ctx, method, url, nil)
		if err != nil {
			c.Fatal(err)
		}
		r, err := client.Do(request)
		if err != nil {
			c.Error(err)
			return
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if name := hidden.in(fmt.Appendf(body, "%v", r.Header)); err != nil || name != "" {
			c.Errorf("%s %s: %s, or %v", method, url, name, err)
		}
		base := regexp.MustCompile(`^http://[^/]+`).FindString(url)
		for _, l := range regexp.MustCompile(`(?:href|src)="(/[^"]*)"`).FindAllSubmatch(body, -1) {
			ask("GET", base+string(l[1]))
		}
	}
	for _, path := range []string{"/", "/livez", "/readyz", "/metrics", "/api/learned", "/api/learned/1", "/api/", "/ca.key", "/authority/ca.key", "/../authority/ca.key",
		"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline", "/debug/pprof/profile?seconds=1", "/debug/pprof/trace?seconds=1", "/debug/vars"} {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS"} {
			ask(method, "http://127.0.0.1:8090"+path)
			ask(method, "http://127.0.0.1:8091"+path)
		}
	}
	if len(asked) < 100 {
		c.Errorf("only %d answers", len(asked))
	}
	if _, learned := c.get("/api/learned"); !strings.Contains(learned, webName) {
		c.Errorf("nothing was learned that could be looked at: %s", learned)
	}
	for _, name := range []string{"environ", "cmdline"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if held := hidden.in(data); err != nil || held != "" {
			c.Errorf("%s: %s, or %v", name, held, err)
		}
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil || !regexp.MustCompile(`Max core file size +0 +0 `).Match(limits) {
		c.Errorf("limits %s, %v", limits, err)
	}
	for line := range tasks(c, pid, "CapPrm", "CapEff", "NoNewPrivs") {
		if line != "NoNewPrivs: 1" && !strings.HasSuffix(line, noCapabilities) {
			c.Errorf("a thread has %s", line)
		}
	}
	// Root can look at the memory of every process: not even there does a key lie
	// about as text.
	heap(c, pid, func(data []byte) {
		for name, octets := range hidden {
			if strings.HasSuffix(name, ".key, line") && bytes.Contains(data, octets) {
				c.Errorf("%s lies in memory in PEM form", name)
			}
		}
	})
	// Nobody else of the same user can look inside either.
	for _, file := range []string{"environ", "mem", "maps"} {
		peek := c.Box.Command(c.Ctx, "setpriv", "--reuid", fmt.Sprint(nobody), "--regid", fmt.Sprint(nobody), "--clear-groups", "head", "-c1", fmt.Sprintf("/proc/%d/%s", pid, file))
		if err := peek.Run(); err == nil {
			c.Errorf("another process of the same user may read %s", file)
		}
	}
}

// abort has the kernel, or Go, end the worker and then the keeper. No core must be left.
func (c *rootless) abort(run *netlab.Cmd, sig syscall.Signal) {
	c.Helper()
	worker := lab.WorkerOf(run.Pid())
	if err := syscall.Kill(worker, sig); err != nil {
		c.Fatal(err)
	}
	scenetest.Eventually(c, "end of the worker", func() bool { return syscall.Kill(worker, 0) != nil })
	if err := run.Signal(sig); err != nil {
		c.Fatal(err)
	}
	select {
	case <-run.Done():
	case <-time.After(20 * time.Second):
		c.Fatal("the appliance did not end")
	}
	run.Wait()
	if left := c.cores(); len(left) > 0 {
		c.Errorf("%v was left", left)
	}
}
