package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestICAPFTP has a virus scanner look at files of FTP, with TLS and without, in both
// directions.
func TestICAPFTP(t *testing.T) {
	var dir string
	c := newScene(t, settings{Prepare: scanner(&dir), Policy: "{default: bump, services: [av]}", More: scanned})
	server, err := lab.StartVsftpd(c.Origin, c.Directory("vsftpd"), c.Cert, lab.FTPPort, true)
	if err != nil {
		t.Fatal(err)
	}
	clean := c.Page(&lab.Web{Root: server.Root}, "clean.bin", 300_000)
	c.Write(filepath.Join(server.Root, "bad.com"), []byte(lab.EICAR()))
	up, bad := filepath.Join(c.TempDir(), "up.bin"), filepath.Join(c.TempDir(), "bad.com")
	c.Write(up, clean)
	c.Write(bad, []byte(lab.EICAR()))
	for name, more := range map[string][]string{"tls": {"--ssl-reqd"}, "plain": nil} {
		curl := func(args ...string) error {
			_, err := lab.Curl(c.Ctx, c.Client, c.CA, append(more, args...)...)
			return err
		}
		file := filepath.Join(t.TempDir(), "got")
		if err := curl("--output", file, "ftp://"+lab.OriginV4+"/clean.bin"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		scenetest.Same(t, "downloaded", c.ReadFile(file), clean)
		os.Remove(file)
		if err := curl("--output", file, "ftp://"+lab.OriginV4+"/bad.com"); err == nil {
			t.Errorf("%s: infected file is downloaded", name)
		}
		if got, err := os.ReadFile(file); err == nil && len(got) > 0 {
			t.Errorf("%s: got %q", name, got)
		}
		if err := curl("--upload-file", up, "ftp://"+lab.OriginV4+"/upload/"+name+".bin"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		scenetest.Same(t, "uploaded", c.ReadFile(filepath.Join(server.Upload, name+".bin")), clean)
		curl("--upload-file", bad, "ftp://"+lab.OriginV4+"/upload/"+name+".com")
		if got, err := os.ReadFile(filepath.Join(server.Upload, name+".com")); err == nil && len(got) > 0 {
			t.Errorf("%s: origin got %q", name, got)
		}
	}
	c.Stop()
	words := make(map[string]int)
	for _, e := range c.Entries() {
		if e.Related != "" {
			words[e.Service["av"]]++
		}
	}
	if words["blocked"] != 4 || words["unmodified"]+words["modified"] != 4 {
		t.Errorf("entries say %v", words)
	}
}
