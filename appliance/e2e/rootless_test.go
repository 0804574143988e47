package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// nobody is the user and group without any rights.
const nobody = 65534

// rootless is a scene without configuration, recorder and privileges: the
// built-in defaults for an ordinary user. Client and appliance share the box.
type rootless struct {
	*scene
	state string
	env   []string
}

func newRootless(t *testing.T) *rootless {
	t.Helper()
	scenetest.Together(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	c := &rootless{scene: &scene{Scene: &scenetest.Scene{T: t, Ctx: ctx}}}
	var err error
	if c.Gateway, err = lab.NewGateway(netlab.ForTest(t)); err != nil {
		t.Fatal(err)
	}
	if c.PKI, err = lab.NewPKI(c.Directory("pki")); err != nil {
		t.Fatal(err)
	}
	if c.Cert, err = c.PKI.Issue(webName, lab.OriginV4); err != nil {
		t.Fatal(err)
	}
	c.Client = c.Box
	c.Dir = c.Directory("home")
	if err := os.Chown(c.Dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	c.state = filepath.Join(c.Dir, ".local", "state", "clearspan")
	c.CA = filepath.Join(c.state, "authority", "ca.crt")
	c.env = []string{"HOME=" + c.Dir, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SSL_CERT_FILE=" + c.PKI.RootFile, "GORACE=atexit_sleep_ms=0"}
	return c
}

// command prepares a run of the appliance's program by nobody.
func (c *rootless) command(args ...string) *netlab.Cmd {
	cmd := c.Box.Command(c.Ctx, "setpriv", append([]string{
		"--reuid", fmt.Sprint(nobody), "--regid", fmt.Sprint(nobody), "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", scenetest.Binary,
	}, args...)...)
	cmd.Env, cmd.Dir = c.env, c.Dir
	return cmd
}

// output runs the program; it must succeed.
func (c *rootless) output(args ...string) string {
	c.Helper()
	var said, errs transcript
	cmd := c.command(args...)
	cmd.Stdout, cmd.Stderr = &said, &errs
	if err := cmd.Run(); err != nil {
		c.Fatalf("clearspan %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return said.String()
}

// get asks the console and returns the status and the answer.
func (c *rootless) get(path string) (int, string) {
	web := http.Client{Transport: &http.Transport{DialContext: c.Box.DialContext, DisableKeepAlives: true}}
	r, err := web.Get("http://127.0.0.1:8090" + path)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(text)
}

// TestRunWithoutConfiguration is the first minute of a new user: run, trust the
// authority, send a request through the proxy, and watch it live.
func TestRunWithoutConfiguration(t *testing.T) {
	c := newRootless(t)
	web := c.Nginx()
	c.Page(web, "page.bin", 100_000)
	log := &transcript{}
	run := c.command("run")
	run.Stdout, run.Stderr = log, log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	scenetest.Eventually(t, "ready", func() bool { status, _ := c.get("/readyz"); return status == http.StatusOK })
	scenetest.Eventually(t, "a line that says ready", func() bool { return strings.Contains(log.String(), `"msg":"ready"`) })
	c.authority()

	live := &transcript{}
	watch := c.Box.Command(c.Ctx, "sh", "-c", "nc 127.0.0.1 57012 | tcpdump -nlA -r -")
	watch.Env, watch.Stdout, watch.Stderr = c.env, live, live
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	scenetest.Eventually(t, "tcpdump reads", func() bool { return strings.Contains(live.String(), "reading from file -") })
	client := &http.Transport{
		DialContext:     c.Box.DialContext,
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:8080"}),
		TLSClientConfig: &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName},
	}
	request, err := http.NewRequestWithContext(c.Ctx, http.MethodGet, "https://"+lab.OriginV4+"/page.bin?open", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	// The session stays open for as long as the client keeps the connection.
	scenetest.Eventually(t, "the request is seen live", func() bool {
		seen := live.String()
		return strings.Contains(seen, "GET /page.bin?open HTTP/1.1") && strings.Contains(seen, "HTTP/1.1 200 OK") &&
			strings.Contains(seen, "127.0.0.1.") && strings.Contains(seen, "> "+lab.OriginV4+".443: Flags [S]")
	})
	plain := c.Fetch("-x", "http://127.0.0.1:8080", "http://"+lab.OriginV4+"/page.bin")
	if n, err := io.Copy(io.Discard, answer.Body); n != 100_000 || err != nil {
		t.Errorf("%d octets of the page, %v", n, err)
	}
	answer.Body.Close()
	client.CloseIdleConnections()
	scenetest.Eventually(t, "the end is seen", func() bool { return strings.Count(live.String(), "Flags [F.]") >= 2 })

	scenetest.Eventually(t, "the session is counted", func() bool {
		status, text := c.get("/metrics")
		return status == http.StatusOK && strings.Contains(text, `clearspan_sessions_total{action="bump",outcome="bumped"} 1`)
	})
	if err := run.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, log)
	}
	watch.Stop(time.Second)
	if strings.Contains(log.String(), "DATA RACE") || strings.Contains(log.String(), `"level":"ERROR"`) {
		t.Errorf("log:\n%s", log)
	}
	c.judge(plain.Ends)
}

// authority looks at the keys' files and at what the ca commands say.
func (c *rootless) authority() {
	c.Helper()
	for name, mode := range map[string]fs.FileMode{
		"": 0o700, "authority": 0o700, "authority/ca.key": 0o600, "authority/untrusted.key": 0o600,
	} {
		info, err := os.Stat(filepath.Join(c.state, name))
		if err != nil {
			c.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; info.Mode().Perm() != mode || owner != nobody {
			c.Errorf("STATE/%s: mode %v, owner %d", name, info.Mode(), owner)
		}
	}
	block, _ := pem.Decode(c.ReadFile(c.CA))
	if block == nil {
		c.Fatal("no PEM in ca.crt")
	}
	scenetest.Same(c, "ca export --format der", []byte(c.output("ca", "export", "--format", "der")), block.Bytes)
	exported, rest := pem.Decode([]byte(c.output("ca", "export")))
	if exported == nil || exported.Type != "CERTIFICATE" || len(rest) != 0 {
		c.Fatal("ca export writes something else than one certificate")
	}
	scenetest.Same(c, "ca export", exported.Bytes, block.Bytes)
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !ca.IsCA {
		c.Fatalf("ca.crt: %v", err)
	}
	shown := c.output("ca", "show")
	for _, part := range []string{ca.Subject.CommonName, c.CA, filepath.Join(c.state, "authority", "untrusted.crt"), ca.NotAfter.Format(time.DateOnly)} {
		if !strings.Contains(shown, part) {
			c.Errorf("%q is not in\n%s", part, shown)
		}
	}
	if strings.Contains(shown, "PRIVATE") {
		c.Errorf("a key in\n%s", shown)
	}
}

// judge holds captures and audit trail against each other, as [scene.stop] does.
func (c *rootless) judge(plain ends) {
	c.Helper()
	// Where a scene expects the state directory.
	if err := os.Symlink(c.state, filepath.Join(c.Dir, "state")); err != nil {
		c.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(c.state, "pcap", "*"))
	if err != nil || len(files) != 1 || filepath.Ext(files[0]) != ".pcapng" {
		c.Fatalf("captures %v, %v", files, err)
	}
	problems, err := lab.Problems(c.Ctx, files[0])
	if err != nil || len(problems) > 0 {
		c.Errorf("tshark objects: %q, %v", problems, err)
	}
	written := c.ReadCapture(files[0])
	c.Account("files", written)
	if len(written) != 2 || len(c.Entries()) != 2 {
		c.Errorf("%d conversations, entries %+v", len(written), c.Entries())
	}
	for _, e := range c.Entries() {
		if e.Mirror["files"].Lost != 0 || e.Mirror["live"].Lost != 0 || e.Reason != "" {
			c.Errorf("%+v", e)
		}
	}
	if e := c.EntryOf(c.Entries(), plain); e.Outcome != "plain" {
		c.Errorf("plain request: %+v", e)
	}
}
