package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestWireFTP transfers a file through a bump in the wire, with TLS on both
// connections. Where the server connects and the wire takes connections over late,
// the client's hello has gone by: the data connection passes unopened, and the
// client sees the origin's own certificate.
func TestWireFTP(t *testing.T) {
	for _, tt := range []struct{ takeover, active string }{{"late", "tunneled"}, {"accept", "bumped"}} {
		t.Run(tt.takeover, func(t *testing.T) {
			c := wireScene(t, tt.takeover, "{default: bump}", 0)
			web := c.Nginx()
			page := c.Page(web, "page.bin", 300_000)
			server, err := lab.StartVsftpd(c.Origin, c.Directory("vsftpd"), c.Cert, lab.FTPPort, false)
			if err != nil {
				t.Fatal(err)
			}
			c.Write(filepath.Join(server.Root, "page.bin"), page)
			both := filepath.Join(t.TempDir(), "both.pem")
			c.Write(both, slices.Concat(c.ReadFile(c.CA), c.ReadFile(c.PKI.RootFile)))
			for _, way := range []struct{ name, ca, settings string }{
				{"passive", c.CA, ""},
				{"active", both, "set ftp:passive-mode no; "},
			} {
				t.Run(way.name, func(t *testing.T) {
					file := filepath.Join(t.TempDir(), "page.bin")
					args := lab.LFTP(lab.OriginV4, way.ca, way.settings+"get -O "+filepath.Dir(file)+" page.bin")
					if r, err := lab.Run(c.Ctx, c.Client, "", args[0], args[1:]...); err != nil {
						t.Fatalf("%v\n%s", err, r.Stdout)
					}
					scenetest.Same(t, "downloaded", c.In(t).ReadFile(file), page)
				})
			}
			recorded := c.Stop()
			var got []string
			for _, e := range c.Entries() {
				if e.Protocol != "ftp-data" {
					continue
				}
				got = append(got, e.Outcome)
				if e.Related == "" || e.Reason != "" {
					t.Errorf("entry %+v", e)
				}
				if e.Outcome == "bumped" {
					v := c.ConversationOf(recorded, e.Ends())
					scenetest.Same(t, "recorded", slices.Concat(v.Streams[0], v.Streams[1]), page)
				}
			}
			slices.Sort(got)
			if want := "bumped " + tt.active; strings.Join(got, " ") != want {
				t.Errorf("data connections %v, want %s", got, want)
			}
		})
	}
}
