package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/mirror/conformance"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// TestFTP transfers files by FTP with TLS on both connections, the data connection
// being made by either end. The server wants it in the TLS session of the control
// connection. The intake hears both networks.
func TestFTP(t *testing.T) {
	c := newScene(t, settings{
		Intake: `{name: gateway, mode: tproxy, listen: ":8099", from: [` + lab.LANInterface + `, ` + lab.WANInterface + `]}`,
		Policy: "{default: bump, rules: [{name: private, origin: [\"" + lab.OriginV6 + "\"], action: tunnel}]}",
		Mirror: "  - {name: truth, kind: pcapng, directory: truth, starttls: keep}",
	})
	server, err := lab.StartVsftpd(c.Origin, c.Directory("vsftpd"), c.Cert, lab.FTPPort, true)
	if err != nil {
		t.Fatal(err)
	}
	down := c.Page(&lab.Web{Root: server.Root}, "down.bin", 300_000)
	up := filepath.Join(c.TempDir(), "up.bin")
	sent := c.Page(&lab.Web{Root: filepath.Dir(up)}, "up.bin", 200_000)

	curl := func(args ...string) func(*scene, string) error {
		return func(c *scene, file string) error {
			_, err := lab.Curl(c.Ctx, c.Client, c.CA, append(args, "--output", file, "ftp://"+lab.OriginV4+"/down.bin")...)
			return err
		}
	}
	lftp := func(server, ca, more string) func(*scene, string) error {
		return func(c *scene, file string) error {
			args := lab.LFTP(server, ca, more+"get -O "+filepath.Dir(file)+" down.bin -o "+filepath.Base(file)+"; put -O upload "+up+" -o "+filepath.Base(file))
			_, err := lab.Run(c.Ctx, c.Client, "", args[0], args[1:]...)
			return err
		}
	}
	passive := []transfer{{command: "PASV", get: true}, {command: "PASV"}}
	active := []transfer{{command: "PORT", get: true}, {command: "PORT"}}
	rows := []struct {
		name    string
		run     func(c *scene, file string) error
		control string     // its outcome, and what became of the upgrade
		data    string     // outcome of the data connections
		want    []transfer // in this order
	}{
		{"passive", lftp(lab.OriginV4, c.CA, ""), "bumped used", "bumped", passive},
		{"extended passive", curl("--ssl-reqd"), "bumped used", "bumped", []transfer{{command: "EPSV", get: true}}},
		{"active", lftp(lab.OriginV4, c.CA, "set ftp:passive-mode no; "), "bumped used", "bumped", active},
		{"data in clear", lftp(lab.OriginV4, c.CA, "set ftp:ssl-protect-data no; "), "bumped used", "plain", passive},
		{"no TLS", lftp(lab.OriginV4, "", ""), "plain offered", "plain", passive},
		{"extended active, no TLS", curl("--ftp-port", "-"), "plain ", "plain", []transfer{{command: "EPRT", get: true}}},
		{"tunneled", lftp(lab.OriginV6, c.PKI.RootFile, ""), "tunneled used", "tunneled", nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := c.In(t)
			file := filepath.Join(t.TempDir(), strings.ReplaceAll(row.name, " ", "-"))
			if err := row.run(c, file); err != nil {
				t.Fatal(err)
			}
			scenetest.Same(t, "downloaded", c.ReadFile(file), down)
			if !slices.ContainsFunc(row.want, func(w transfer) bool { return !w.get }) {
				return
			}
			got, err := os.ReadFile(filepath.Join(server.Upload, filepath.Base(file)))
			if err != nil {
				t.Fatal(err)
			}
			scenetest.Same(t, "uploaded", got, sent)
		})
	}
	recorded := c.Stop()
	if t.Failed() {
		return
	}
	c.truth(conformance.STARTTLS)
	entries := c.Entries()
	var controls []entry
	for _, e := range entries {
		if e.Origin.Port() == lab.FTPPort {
			controls = append(controls, e)
		}
	}
	if len(controls) != len(rows) {
		t.Fatalf("%d control sessions, want %d", len(controls), len(rows))
	}
	for i, row := range rows {
		t.Run(row.name+", recorded", func(t *testing.T) {
			c := c.In(t)
			control := controls[i]
			if got := control.Outcome + " " + control.StartTLS; got != row.control || control.Related != "" {
				t.Errorf("control session %q, want %q; entry %+v", got, row.control, control)
			}
			if row.want == nil {
				return
			}
			if control.Protocol != "ftp" {
				t.Errorf("control session of protocol %q", control.Protocol)
			}
			if len(control.Logins) != 1 || control.Logins[0].User != "anonymous" || control.Logins[0].Outcome != "granted" {
				t.Errorf("logins are %v", control.Logins)
			}
			if len(control.Transfers) != len(row.want) {
				t.Errorf("transfers are %v", control.Transfers)
			}
			rest := row.want
			for _, e := range entries {
				if e.Related != control.Session {
					continue
				}
				if len(rest) == 0 {
					t.Fatalf("a data connection too many: %+v", e)
				}
				rest[0].judge(c, e, row.data, recorded, down, sent)
				rest = rest[1:]
			}
			if len(rest) > 0 {
				t.Errorf("%d data connections are not related to session %s", len(rest), control.Session)
			}
		})
	}
}

// transfer is a file that goes over a data connection.
type transfer struct {
	command string // by which the connection is announced
	get     bool   // to the client
}

// judge holds a data connection against what is to be seen of it.
func (w transfer) judge(c *scene, e entry, outcome string, recorded []mirrortest.Conversation, down, sent []byte) {
	c.Helper()
	if e.Outcome != outcome || e.Protocol != "ftp-data" || e.Action != "bump" || e.Reason != "" || e.Mirror["recorder"].Lost != 0 {
		c.Errorf("want outcome %s; entry %+v", outcome, e)
	}
	content, dir, server := sent, 0, e.Origin
	if w.get {
		content, dir = down, 1
	}
	if w.command == "PORT" || w.command == "EPRT" { // the server connects
		dir, server = 1-dir, e.Client
	}
	if server.Addr().String() != lab.OriginV4 {
		c.Errorf("the server is at %s", server)
	}
	v := c.ConversationOf(recorded, e.Shown("recorder"))
	scenetest.Same(c, "recorded", v.Streams[dir], content)
	if len(v.Streams[1-dir]) != 0 {
		c.Errorf("%d octets in the other direction", len(v.Streams[1-dir]))
	}
	if c.Failed() {
		c.Logf("recorded between %s and %s: entry %+v", v.Client, v.Origin, e)
	}
	if w.command == "EPRT" {
		return // tshark does not connect it
	}
	rows, err := lab.Fields(c.Ctx, c.Capture.File, "ftp-data && tcp.port == "+itoa(e.Client.Port())+" && tcp.port == "+itoa(e.Origin.Port()), "ftp-data.setup-method")
	if err != nil || len(rows) == 0 || strings.Replace(rows[0][0], "EPASV", "EPSV", 1) != w.command {
		c.Errorf("tshark reads a data connection by %q, want %s, %v", rows, w.command, err)
	}
}
