package e2e

import (
	"crypto/sha256"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// proxyAndGateway is the usual intake and an explicit proxy.
const proxyAndGateway = everyPort + "\n  - {name: proxy, mode: explicit, listen: \"" + lab.BoxLANV4 + ":8080\", from: " + labClients + "}"

// TestDrain asks the appliance to end while a download runs.
func TestDrain(t *testing.T) {
	c := newScene(t, settings{Intake: proxyAndGateway})
	web := c.Nginx()
	page := c.Page(web, "page", 18<<20)
	file := filepath.Join(c.Directory("client"), "page")
	loaded := make(chan error, 1)
	go func() {
		_, err := lab.Curl(c.Ctx, c.Client, c.CA, append(lab.Resolve(webName, lab.OriginV4),
			"--http1.1", "--limit-rate", "6M", "--output", file, "https://"+webName+"/page")...)
		loaded <- err
	}()
	c.awaitOpen(1)
	c.terminate()
	c.AwaitLog(1, "draining")

	if conn, err := c.Client.Dial("tcp", net.JoinHostPort(lab.BoxLANV4, "8080")); err == nil {
		conn.Close()
		t.Error("the proxy takes a new connection")
	}
	// What is not diverted any more is routed: the client meets the origin itself.
	r, err := lab.Curl(c.Ctx, c.Client, c.PKI.RootFile, append(lab.Resolve(webName, lab.OriginV4), "--head", "https://"+webName+"/page")...)
	if err != nil {
		t.Errorf("past the appliance: %v\n%s", err, r.Stdout)
	}
	if status := c.ready(); status != http.StatusServiceUnavailable {
		t.Errorf("ready while draining: %d", status)
	}
	select {
	case err := <-loaded:
		t.Errorf("the download was over too early to tell, %v", err)
	case <-c.Appliance.Done():
		t.Error("the appliance does not wait for the download")
	default:
		if err := <-loaded; err != nil {
			t.Error(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || sha256.Sum256(got) != sha256.Sum256(page) {
		t.Errorf("client got %d octets, %v", len(got), err)
	}
	select {
	case <-c.Appliance.Done():
	case <-time.After(5 * time.Second):
		t.Error("the last session has ended, the appliance has not")
	}
	c.Stop()
	if n := len(c.Entries()); n != 1 {
		t.Errorf("%d entries, want that of the download", n)
	}
}

// TestSecondSignal does not let it drain.
func TestSecondSignal(t *testing.T) {
	c := newScene(t, settings{Intake: proxyAndGateway})
	session := c.Chat(firstPort)
	session.Exchange(3)
	c.terminate()
	c.AwaitLog(1, "draining")
	session.Exchange(3)
	c.terminate()
	start := time.Now()
	select {
	case <-c.Appliance.Done():
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("ended after %v", took)
		}
	case <-time.After(10 * time.Second):
		t.Error("still there")
	}
	if _, err := session.TLS.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("the session must be torn down, got %v", err)
	}
	recorded := c.Stop() // exit status 0, files complete, no rule left
	port := scenetest.LocalPort(session.Conn)
	if e := c.EntryOf(c.Entries(), port); e.Outcome != "bumped" || e.Reason != "shutdown" {
		t.Errorf("entry %+v", e)
	}
	if v := c.ConversationOf(recorded, port); !v.Reset {
		t.Errorf("recorded without a RST")
	}
}

// terminate sends the appliance SIGTERM.
func (c *scene) terminate() {
	c.Helper()
	if err := c.Appliance.Signal(syscall.SIGTERM); err != nil {
		c.Fatal(err)
	}
}

// awaitOpen waits until so many sessions are open.
func (c *scene) awaitOpen(n float64) {
	c.Helper()
	for deadline := time.Now().Add(5 * time.Second); scenetest.Opened(c.Metrics()) != n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.Fatalf("%v sessions are open, want %v", scenetest.Opened(c.Metrics()), n)
		}
	}
}

// ready asks the appliance whether it takes sessions, and returns the status.
func (c *scene) ready() int {
	c.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: c.Box.DialContext, DisableKeepAlives: true}, Timeout: 5 * time.Second}
	r, err := client.Get("http://" + adminAddr + "/readyz")
	if err != nil {
		c.Fatal(err)
	}
	r.Body.Close()
	return r.StatusCode
}
