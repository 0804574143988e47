package e2e

import (
	"crypto/tls"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// TestH2Spec runs the conformance suite of HTTP/2 against servers directly and
// through the appliance: whatever a server makes of a case, it looks the same from
// behind us. The suite is of a module of its own, see hack/tools.
func TestH2Spec(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	suite := filepath.Join(t.TempDir(), "h2spec")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", suite, "github.com/summerwind/h2spec/cmd/h2spec")
	build.Dir = filepath.Join("..", "..", "hack", "tools")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build h2spec: %v\n%s", err, out)
	}
	c := newScene(t, settings{Blind: true})
	web := c.Nginx()
	c.Page(web, "page", 5)
	listener, err := c.Origin.Listen("tcp", ":6443")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler:   content("hello"),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}, NextProtos: []string{"h2"}},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	go server.ServeTLS(listener, "", "")
	t.Cleanup(func() { server.Close() })

	var origins sync.WaitGroup // at the same time: they wait most of it
	for _, origin := range []struct {
		name string
		port int
		path string
	}{{"nginx", lab.TLSPort, "/page"}, {"Go", 6443, "/"}} {
		origins.Go(func() {
			t.Run(origin.name, func(t *testing.T) {
				c := c.In(t)
				run := func(cases ...string) (direct, through map[string]string) {
					var both sync.WaitGroup
					both.Go(func() { direct = c.h2spec(suite, c.Box, origin.port, origin.path, cases...) })
					both.Go(func() { through = c.h2spec(suite, c.Client, origin.port, origin.path, cases...) })
					both.Wait()
					return direct, through
				}
				direct, through := run()
				if len(direct) != len(through) {
					t.Fatalf("%d cases directly, %d through the appliance", len(direct), len(through))
				}
				for name, result := range through {
					// A machine under load makes a case hang: one that differs is tried again.
					for try := 0; direct[name] != result && try < 4 && !t.Failed(); try++ {
						t.Logf("%s: %s directly, %s through the appliance", name, direct[name], result)
						id, _, _ := strings.Cut(name, ":")
						again, result2 := run(id)
						direct[name], result = again[name], result2[name]
					}
					through[name] = result
				}
				if diff := cmp.Diff(direct, through); diff != "" {
					t.Errorf("result of each case (-direct +through):\n%s", diff)
				}
				passed := 0
				for _, result := range through {
					if result == "passed" {
						passed++
					}
				}
				t.Logf("%d of %d cases passed", passed, len(through))
				if len(through) < 140 || passed < 100 { // nginx takes its time over closing
					t.Errorf("%d of %d cases passed: that is no server of HTTP/2", passed, len(through))
				}
			})
		})
	}
	origins.Wait()
	c.Stop()
	bumped := 0
	for _, e := range c.Entries() {
		if e.Outcome == "bumped" && e.ALPN == "h2" {
			bumped++
		}
	}
	if bumped < 280 {
		t.Errorf("%d sessions of HTTP/2 were bumped", bumped)
	}
}

// h2spec runs the suite, or some cases of it, in a namespace and returns the
// result of each, passed, skipped or failed.
func (c *scene) h2spec(suite string, ns *netlab.Namespace, port int, path string, cases ...string) map[string]string {
	report := filepath.Join(c.TempDir(), ns.Name()+".xml")
	start := time.Now()
	r, _ := lab.Run(c.Ctx, ns, "", suite, append(cases, "--strict", "--tls", "--insecure", "--host", lab.OriginV4, "--port", fmt.Sprint(port),
		"--path", path, "--timeout", "2", "--junit-report", report)...) // its status is 1 if any case failed
	var suites struct {
		Suite []struct {
			Case []struct {
				Package string    `xml:"package,attr"`
				Name    string    `xml:"classname,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(c.reported(report, r), &suites); err != nil {
		c.Errorf("read %s: %v", report, err)
	}
	results := make(map[string]string)
	for _, s := range suites.Suite {
		for i, t := range s.Case {
			result := "passed"
			switch {
			case t.Failure != nil, t.Error != nil:
				result = "failed"
			case t.Skipped != nil:
				result = "skipped"
			}
			results[fmt.Sprintf("%s/%d: %s", t.Package, i+1, strings.TrimSpace(t.Name))] = result
		}
	}
	c.Logf("%d cases from %s in %v", len(results), ns.Name(), time.Since(start).Round(time.Second))
	return results
}

// reported reads a program's report; nil, and a failed test, if there is none.
func (c *scene) reported(file string, r lab.Result) []byte {
	report, err := os.ReadFile(file)
	if err != nil {
		c.Errorf("%v\n%s%s", err, r.Stdout, r.Stderr)
	}
	return report
}
