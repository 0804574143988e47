package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestSecrets captures both legs beside a mirror that keeps TLS secrets, and has
// tshark decrypt both: with the key log file, with the secrets put into the
// capture, and with those in the mirror's own files.
func TestSecrets(t *testing.T) {
	c := newScene(t, settings{
		Policy: `{default: bump, rules: [{name: private, host: [mail.example.test], action: bump, mirror: [recorder]}]}`,
		Mirror: "  - {name: secret, kind: pcapng, directory: secret, secrets: true}",
		Env:    "SSLKEYLOGFILE=keys.log",
	})
	web := c.Nginx()
	page := c.Page(web, "page", 40_000)
	raw := make(map[string]*lab.Capture)
	for _, leg := range []string{lab.LANInterface, lab.WANInterface} {
		capture, err := lab.StartCapture(c.Box, leg, filepath.Join(c.Directory(leg), "raw.pcap"))
		if err != nil {
			t.Fatal(err)
		}
		raw[leg] = capture
	}
	const visible = 7 // sessions below whose secrets are kept
	for _, args := range [][]string{
		{"https://" + webName + "/page"},
		{"--tls-max", "1.2", "https://" + webName + "/page"},
		{"https://" + webName + ":8443/page"}, // the origin has TLS 1.2
		append(lab.Resolve(mailName, lab.OriginV4), "https://"+mailName+"/page"),
	} {
		scenetest.Same(t, "page", c.Fetch(append(args, "--http1.1")...).Content, page)
	}
	tickets := t.TempDir()
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		for i := range 2 {
			said := c.openssl(filepath.Join(tickets, version), lab.TLSPort, webName, version)
			if reused := strings.Contains(said, "\nReused, TLSv1."); reused != (i > 0 && version == "-tls1_3") { // no secret of the other
				t.Errorf("%s: session %d is reused: %t", version, i, reused)
			}
		}
	}
	c.Stop()

	keys := filepath.Join(c.Dir, "keys.log")
	if info, err := os.Stat(keys); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key log file: %v, %v", info, err)
	}
	if n := strings.Count(c.Appliance.Log(), "TLS secrets are written"); n != 2 {
		t.Errorf("%d warnings in the log, want one for the mirror and one for the file", n)
	}
	written, err := filepath.Glob(filepath.Join(c.Dir, "state", "secret", "*.pcapng"))
	if err != nil || len(written) != 1 {
		t.Fatalf("files %q, %v", written, err)
	}
	for leg, capture := range raw {
		if _, err := capture.Stop(); err != nil {
			t.Fatal(err)
		}
		injected, merged := filepath.Join(c.TempDir(), "injected.pcapng"), filepath.Join(c.TempDir(), "merged.pcapng")
		c.run("editcap", "--inject-secrets", "tls,"+keys, capture.File, injected)
		c.run("mergecap", "-a", "-w", merged, written[0], capture.File) // one after the other: secrets come first
		for _, way := range []struct {
			name string
			args []string
			want int
		}{
			{"no secrets", []string{"-r", capture.File}, 0},
			{"key log file", []string{"-r", capture.File, "-o", "tls.keylog_file:" + keys}, visible},
			{"injected", []string{"-r", injected}, visible},
			{"from the mirror's file", []string{"-r", merged}, visible},
		} {
			for what, filter := range map[string]string{"requests": "tls && http.request.uri", "answers": "tls && http.response.code == 200"} {
				out := c.run("tshark", append(way.args, "-n", "-Y", filter, "-T", "fields", "-e", "tcp.stream")...)
				if n := len(strings.Fields(out)); n != way.want {
					t.Errorf("%s of %s, %s: %d decrypted, want %d", what, leg, way.name, n, way.want)
				}
			}
		}
	}
	for _, mirror := range []string{"pcap", "secret"} {
		files, _ := filepath.Glob(filepath.Join(c.Dir, "state", mirror, "*"))
		for _, file := range append(files, c.Capture.File) {
			if has := strings.Contains(string(c.ReadFile(file)), "CLIENT_RANDOM"); has != (mirror == "secret" && file != c.Capture.File) {
				t.Errorf("%s holds secrets: %t", file, has)
			}
		}
	}
}

// TestAnnotations: a capture file tells what its origins are called, the session
// of each conversation with its Community ID, and how many frames it holds.
func TestAnnotations(t *testing.T) {
	c := newScene(t, settings{Intake: proxyAndGateway})
	web := c.Nginx()
	page := c.Page(web, "page", 40_000)
	scenetest.Same(t, "page", c.Fetch("https://"+webName+"/page").Content, page)
	r, err := lab.Curl(c.Ctx, c.Client, c.CA, append(lab.Resolve(webName, lab.OriginV6), "--http1.1", "https://"+webName+"/page")...)
	if err != nil {
		t.Fatal(err)
	}
	scenetest.Same(t, "page over IPv6", []byte(r.Stdout), page)
	c.Stop()
	files, err := filepath.Glob(filepath.Join(c.Dir, "state", "pcap", "*.pcapng"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %q, %v", files, err)
	}
	for family, host := range map[string]string{"ip": "ip.dst_host", "ipv6": "ipv6.dst_host"} {
		out := c.run("tshark", "-N", "n", "-r", files[0], "-Y", family+" && tcp.flags.syn == 1 && tcp.flags.ack == 0", "-T", "fields", "-e", host)
		if strings.TrimSpace(out) != webName {
			t.Errorf("%s: the origin is called %q", family, out)
		}
	}
	comments := c.run("tshark", "-r", files[0], "-Y", "frame.comment", "-T", "fields", "-e", "frame.comment")
	for _, e := range c.Entries() {
		if want := "community_id=" + e.CommunityID + " "; e.CommunityID == "" || !strings.Contains(comments, "session="+e.Session+" ") || !strings.Contains(comments, want) {
			t.Errorf("no comment with %q and session %s in\n%s", want, e.Session, comments)
		}
	}
	if out := c.run("capinfos", files[0]); !strings.Contains(out, "Number of stat entries = 1") {
		t.Errorf("no statistics:\n%s", out)
	}
}

// run runs a program of analysis, which must succeed, and returns its output.
func (c *scene) run(name string, args ...string) string {
	c.Helper()
	var errs strings.Builder
	cmd := exec.CommandContext(c.Ctx, name, args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		c.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}
