package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

const (
	pieces   = 15                    // of a body that goes on
	pace     = 30 * time.Millisecond // between them: longer than a pause
	slowest  = 5 * time.Second       // added to a piece on a machine that is busy; it is told what it was
	pieceEnd = "\n"
)

// piece is a part of a body that tells when it was sent.
func piece() string { return fmt.Sprintf(`{"sent":%d}`, time.Now().UnixNano()) + pieceEnd }

// delay tells how long a piece took.
func delay(line string) (time.Duration, error) {
	n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), `{"sent":`), "}"), 10, 64)
	return time.Since(time.Unix(0, n)), err
}

// delays reads pieces to their end, and returns what each took and the hash of all.
func delays(r io.Reader) (list []time.Duration, sum string, err error) {
	h := sha256.New()
	lines := bufio.NewReader(io.TeeReader(r, h))
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF && line == "" {
			return list, hex.EncodeToString(h.Sum(nil)), nil
		}
		d, bad := delay(line)
		if err != nil || bad != nil {
			return list, "", fmt.Errorf("piece %q: %v, %v", line, err, bad)
		}
		list = append(list, d)
	}
}

// slowOrigin serves, on port 7443, bodies that go on, and a git repository.
func (c *scene) slowOrigin(repositories string) {
	c.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/watch", func(w http.ResponseWriter, r *http.Request) { // as that of Kubernetes
		w.Header().Set("Content-Type", "application/json")
		h := sha256.New()
		w.Header().Set("Trailer", "X-Sum")
		for range pieces {
			io.WriteString(io.MultiWriter(w, h), piece())
			w.(http.Flusher).Flush()
			time.Sleep(pace) // the pause that is tested
		}
		w.Header().Set("X-Sum", hex.EncodeToString(h.Sum(nil)))
	})
	mux.HandleFunc("/push", func(w http.ResponseWriter, r *http.Request) { // as of docker
		list, sum, err := delays(r.Body)
		fmt.Fprintln(w, len(list), sum, int64(slices.Max(append(list, 0))), err)
	})
	mux.HandleFunc("/sum", func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		fmt.Fprint(w, n, " ", hex.EncodeToString(h.Sum(nil)))
		if err != nil {
			fmt.Fprint(w, " ", err)
		}
	})
	mux.HandleFunc("/lab.Echo/Say", answerRPC)
	mux.Handle("/git/", &cgi.Handler{
		Path: "/usr/lib/git-core/git-http-backend", Root: "/git", Dir: repositories,
		Stderr: io.Discard, // not ours, which go test would wait for
		Env:    []string{"GIT_PROJECT_ROOT=" + repositories, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=lab", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	})
	l, err := c.Origin.Listen("tcp", ":7443")
	if err != nil {
		c.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	c.Cleanup(func() { server.Close() })
	go server.ServeTLS(l, c.Cert.CertFile, c.Cert.KeyFile)
}

// slowClient is a client of slowOrigin by one version of HTTP.
func (c *scene) slowClient(two bool) *http.Client {
	p := new(http.Protocols)
	p.SetHTTP1(!two)
	p.SetHTTP2(two)
	tr := &http.Transport{
		Protocols: p, TLSClientConfig: &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName},
		DialContext: func(context.Context, string, string) (net.Conn, error) { return c.Dial(7443), nil },
	}
	c.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// TestICAPPieces has bodies that go on in small pieces pass a service that fails closed
// and returns what it gets: octets are equal, and pieces are not held.
func TestICAPPieces(t *testing.T) {
	c := newScene(t, settings{
		Policy:  "{default: bump, services: [echo]}",
		More:    "services:\n  - {name: echo, kind: icap, url: \"icap://127.0.0.1:1344/echo\", timeout: 20s, on_failure: closed, upgrade: pass}",
		Prepare: prepared(func(c *scene) { c.icap() }),
	})
	repositories := c.Directory("git")
	c.slowOrigin(repositories)
	const site = "https://" + webName + ":7443"
	quick := func(t *testing.T, list []time.Duration) {
		t.Helper()
		t.Logf("the slowest of %d pieces took %v", len(list), slices.Max(append(list, 0)).Round(100*time.Microsecond))
		if len(list) != pieces || slices.Max(list) > slowest {
			t.Errorf("pieces took %v", list)
		}
	}
	for _, two := range []bool{false, true} {
		client := c.slowClient(two)
		t.Run(fmt.Sprintf("watch, HTTP/2 %v", two), func(t *testing.T) {
			r, err := client.Get(site + "/watch")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			list, sum, err := delays(r.Body)
			if err != nil || two && sum != r.Trailer.Get("X-Sum") {
				t.Errorf("hash %s of %s, %v", sum, r.Trailer, err)
			}
			quick(t, list)
		})
		t.Run(fmt.Sprintf("push, HTTP/2 %v", two), func(t *testing.T) {
			body, w := io.Pipe()
			h := sha256.New()
			go func() {
				for range pieces {
					p := piece()
					io.WriteString(h, p)
					io.WriteString(w, p)
					time.Sleep(pace) // the pause that is tested
				}
				w.Close()
			}()
			request, err := http.NewRequestWithContext(c.Ctx, http.MethodPatch, site+"/push", body)
			if err != nil {
				t.Fatal(err)
			}
			r, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			var n, most int64
			var sum string
			if _, err := fmt.Fscan(r.Body, &n, &sum, &most); err != nil || n != pieces || sum != hex.EncodeToString(h.Sum(nil)) {
				t.Errorf("origin got %d pieces, hash %s, %v", n, sum, err)
			}
			t.Logf("the slowest of %d pieces took %v", n, time.Duration(most).Round(100*time.Microsecond))
			if time.Duration(most) > slowest {
				t.Error("a piece was held")
			}
		})
	}
	t.Run("gRPC", func(t *testing.T) { c.In(t).talk(site) })
	t.Run("curl, chunked", func(t *testing.T) {
		content := bytes.Repeat([]byte("layer"), 100_000)
		file := filepath.Join(c.Dir, "layer")
		c.Write(file, content)
		x := c.In(t).Fetch("--http1.1", "-X", "PATCH", "-H", "Transfer-Encoding: chunked", "--upload-file", file, site+"/push")
		if x.Status != "200" {
			t.Errorf("status %s: %.200q", x.Status, x.Content)
		}
	})
	t.Run("git", func(t *testing.T) { c.In(t).git(repositories, site+"/git/lab.git") })
	t.Run("Chromium", func(t *testing.T) {
		page, err := c.In(t).chromium(c.CA, site+"/watch")
		if n := strings.Count(page, "sent"); err != nil || n != pieces {
			t.Errorf("%d of %d pieces, %v", n, pieces, err)
		}
	})
	c.Stop()
	for _, e := range c.Entries() {
		if e.Octets["client_to_origin"] > 0 && e.Service["echo"] == "" {
			t.Errorf("session %s does not tell what the service did", e.Session)
		}
	}
}

// talk has gRPC messages go both ways in turn.
func (c *scene) talk(site string) {
	c.Helper()
	body, up := io.Pipe()
	request, err := http.NewRequestWithContext(c.Ctx, http.MethodPost, site+"/lab.Echo/Say", body)
	if err != nil {
		c.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("Te", "trailers")
	go up.Write(message("first"))
	r, err := c.slowClient(true).Do(request)
	if err != nil {
		c.Fatal(err)
	}
	defer r.Body.Close()
	var most time.Duration
	for i := range pieces {
		text := "first"
		if i > 0 {
			text = fmt.Sprint("message ", i)
		}
		start := time.Now()
		if i > 0 {
			if _, err := up.Write(message(text)); err != nil {
				c.Fatal(err)
			}
		}
		want := message("answer to " + text)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r.Body, got); err != nil || !bytes.Equal(got, want) {
			c.Fatalf("answer %d: %q, %v", i, got, err)
		}
		if i > 0 {
			most = max(most, time.Since(start))
		}
	}
	up.Close()
	if rest, err := io.ReadAll(r.Body); len(rest) > 0 || err != nil || r.Trailer.Get("Grpc-Status") != "0" {
		c.Errorf("%d octets behind the answers, trailers %v, %v", len(rest), r.Trailer, err)
	}
	c.Logf("the slowest of %d messages and answers took %v", pieces, most.Round(100*time.Microsecond))
	if most > slowest {
		c.Error("a message was held")
	}
}

// git pushes a commit to a repository, and clones it, by HTTP/1.1: in HTTP/2, git 2.39 with
// libcurl 7.88 now and then sends 64 KiB of a body twice, and thus more than the
// content-length that it has declared. That is PROTOCOL_ERROR (RFC 9113, Section 8.1.1).
func (c *scene) git(repositories, url string) {
	c.Helper()
	run := func(args ...string) {
		c.Helper()
		settings := []string{
			"-c", "user.name=lab", "-c", "user.email=lab@example.test", "-c", "safe.directory=*", "-c", "http.receivepack=true", "-c", "init.defaultBranch=main",
			"-c", "http.sslCAInfo=" + c.CA, "-c", "http.curloptResolve=" + webName + ":7443:" + lab.OriginV4, "-c", "http.version=HTTP/1.1",
		}
		if r, err := lab.Run(c.Ctx, c.Client, "", "git", append(settings, args...)...); err != nil {
			c.Fatalf("git %v: %v\n%s%s", args, err, r.Stdout, r.Stderr)
		}
	}
	bare, work, clone := filepath.Join(repositories, "lab.git"), filepath.Join(c.TempDir(), "work"), filepath.Join(c.TempDir(), "clone")
	run("init", "--bare", bare)
	run("-C", bare, "config", "http.receivepack", "true")
	run("init", work)
	content := make([]byte, 300_000)
	rand.Read(content)
	c.Write(filepath.Join(work, "file"), content)
	run("-C", work, "add", "file")
	run("-C", work, "commit", "-m", "lab")
	run("-C", work, "push", url, "HEAD:refs/heads/main")
	run("clone", url, clone)
	scenetest.Same(c.T, "file", c.ReadFile(filepath.Join(clone, "file")), content)
	if _, err := os.Stat(filepath.Join(clone, ".git")); err != nil {
		c.Error(err)
	}
}
