package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/mirror/conformance"
)

// TestFeedIsRecorderReady has web and mail pass, and asks clearspan feed check
// about every sink: the mirror port, live and as recorded, the files, and pcap
// over IP.
func TestFeedIsRecorderReady(t *testing.T) {
	const live = "127.0.0.1:57012"
	c := newScene(t, settings{Mirror: `  - {name: live, kind: pcap-over-ip, listen: "` + live + `"}`})
	web := c.Nginx()
	c.Page(web, "page.bin", 300_000)
	c.Page(web, "large.bin", 8_000_000)
	boxes, err := lab.NewMailboxes(c.Directory("mail"), domain, map[string]string{user: password})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.StartPostfix(c.Origin, c.Directory("postfix"), c.Cert, boxes); err != nil {
		t.Fatal(err)
	}
	// Both begin before the traffic: the one says so, the appliance says it of the other.
	port := c.startCheck(c.Recorder, "feed", "check", "--json", "--for", "10m", lab.RecorderInterface)
	scenetest.Eventually(t, "the interface is read", func() bool { return strings.Contains(port.said(), "reading "+lab.RecorderInterface) })
	host, number, _ := strings.Cut(live, ":")
	stream := c.startShell(c.Box, fmt.Sprintf("nc %s %s | %s feed check --json -", host, number, scenetest.Binary))
	c.AwaitLog(1, "reader joined")

	c.traffic()
	c.Stop()

	if err := port.cmd.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	files, err := filepath.Glob(filepath.Join(c.Dir, "state", "pcap", "*.pcapng"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	reports := map[string]*conformance.Report{
		"mirror port, live":     port.report(t),
		"mirror port, recorded": c.check(c.Capture.File),
		"files":                 c.check(files...),
		"pcap over IP":          stream.report(t),
	}
	frames := reports["mirror port, recorded"].TCP // the port's self-test comes before
	for name, r := range reports {
		if r == nil {
			continue
		}
		if !r.Ready || r.Missing != 0 || r.Open != 0 || r.Cut != 0 || r.TCP != frames {
			var b bytes.Buffer
			r.WriteText(&b)
			t.Errorf("%s (%d frames on the mirror port):\n%s", name, frames, b.String())
		}
		notes := r.Broken(conformance.Noted)
		if strings.HasPrefix(name, "mirror port") { // two CPUs take times before they take turns, and the port tests itself
			notes = slices.DeleteFunc(notes, func(id string) bool {
				return id == conformance.CaptureOrder.String() || id == conformance.Other.String()
			})
		}
		if !slices.Equal(notes, []string{conformance.HTTP2.String()}) {
			t.Errorf("%s: notes %v, want HTTP/2 only", name, notes)
		}
	}
}

// traffic passes web pages, several at a time, and mail.
func (c *scene) traffic() {
	c.Helper()
	const byName = "https://" + webName
	var wait sync.WaitGroup
	for _, args := range [][]string{
		{"--http1.1", byName + "/page.bin"},
		{"--http1.1", byName + "/large.bin"},
		{"--http2", byName + "/page.bin", byName + "/large.bin"},
		{"--http1.1", "https://[" + lab.OriginV6 + "]/page.bin"},
		{"--http1.1", byName + ":8443/page.bin"},
		{"http://" + lab.OriginV4 + "/page.bin"},
	} {
		wait.Go(func() {
			args = append(lab.Resolve(webName, lab.OriginV4), append([]string{"--output", "/dev/null", "--output", "/dev/null"}, args...)...)
			if _, err := lab.Curl(c.Ctx, c.Client, c.CA, args...); err != nil {
				c.Errorf("curl %s: %v", strings.Join(args, " "), err)
			}
		})
	}
	for _, m := range []struct {
		port  int
		plain bool
	}{{lab.SMTPSPort, false}, {lab.SubmissionPort, false}, {lab.SMTPPort, false}, {lab.SMTPPort, true}} {
		wait.Go(func() {
			r, err := lab.Swaks(c.Ctx, c.Client, lab.Mail{Server: lab.OriginV4, Port: m.port, Name: mailName, CA: c.CA,
				From: sender, To: user + "@" + domain, Data: letter(fmt.Sprintf("by %d", m.port), "STARTTLS\ntext\n"), Plain: m.plain}, "--suppress-data")
			if err != nil {
				c.Errorf("swaks to %d: %v\n%s", m.port, err, r.Stdout)
			}
		})
	}
	wait.Wait()
}

// checking is clearspan feed check while it runs.
type checking struct {
	cmd       *netlab.Cmd
	out, errs *transcript
}

func (k checking) said() string { return k.errs.String() }

// startCheck starts our program in a namespace.
func (c *scene) startCheck(ns *netlab.Namespace, args ...string) checking {
	c.Helper()
	return c.startProgram(ns, scenetest.Binary, args...)
}

func (c *scene) startShell(ns *netlab.Namespace, line string) checking {
	c.Helper()
	return c.startProgram(ns, "sh", "-c", line)
}

func (c *scene) startProgram(ns *netlab.Namespace, name string, args ...string) checking {
	c.Helper()
	k := checking{cmd: ns.Command(c.Ctx, name, args...), out: &transcript{}, errs: &transcript{}}
	k.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	k.cmd.Stdout, k.cmd.Stderr = k.out, k.errs
	if err := k.cmd.Start(); err != nil {
		c.Fatal(err)
	}
	return k
}

// report waits for the end and reads what was printed.
func (k checking) report(t *testing.T) *conformance.Report {
	t.Helper()
	select {
	case <-k.cmd.Done():
	case <-time.After(20 * time.Second):
		t.Errorf("feed check does not end: %s", k.said())
		return nil
	}
	r := new(conformance.Report)
	if err := json.Unmarshal([]byte(k.out.String()), r); err != nil {
		t.Errorf("feed check: %v, printed %.300q and %.300q", err, k.out, k.said())
		return nil
	}
	if err := k.cmd.Wait(); (err == nil) != r.Ready {
		t.Errorf("feed check: ready %t, %v", r.Ready, err)
	}
	return r
}

// check runs clearspan feed check on files.
func (c *scene) check(files ...string) *conformance.Report {
	c.Helper()
	out, errs, code := clearspan(c.T, c.Dir, append([]string{"feed", "check", "--json"}, files...)...)
	r := new(conformance.Report)
	if err := json.Unmarshal([]byte(out), r); err != nil || (code == 0) != r.Ready {
		c.Errorf("feed check %v: status %d, %v\n%s", files, code, err, errs)
	}
	return r
}
