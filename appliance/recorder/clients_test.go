package recorder_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// farAddress is that of the servers.
const farAddress = "192.0.2.2"

// clients are real ones, on a host of their own, and servers on another one.
type clients struct {
	t     *testing.T
	ns    *netlab.Namespace
	far   *netlab.Namespace
	dir   string
	files []rowstest.File
}

// file writes one that a client sends, and notes that it is to be found.
func (c *clients) file(dir, name string, n int, received bool) string {
	c.t.Helper()
	path := filepath.Join(dir, name)
	content := rowstest.Octets(path, n)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		c.t.Fatal(err)
	}
	c.files = append(c.files, rowstest.File{Name: name, Octets: content, Received: received})
	return path
}

// run runs a client.
func (c *clients) run(command ...string) {
	c.t.Helper()
	cmd := c.ns.Command(c.t.Context(), command[0], command[1:]...)
	cmd.Dir, cmd.Env = c.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "LC_ALL=C.UTF-8"}
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%v: %v\n%s", command, err, out)
	}
}

// serve answers requests whose bodies it has read, and gives the files of a directory.
func (c *clients) serve(dir string) (address string) {
	ln, err := c.far.Listen("tcp", farAddress+":80")
	if err != nil {
		c.t.Fatal(err)
	}
	both := new(http.Protocols)
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	s := &http.Server{Protocols: both, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			http.FileServer(http.Dir(dir)).ServeHTTP(w, r)
			return
		}
		io.Copy(io.Discard, r.Body)
	})}
	go s.Serve(ln)
	c.t.Cleanup(func() { s.Close() })
	return "http://" + farAddress
}

// web has curl send and get files.
func (c *clients) web() {
	origin := c.serve(c.dir)
	for i, version := range []string{"--http1.1", "--http2-prior-knowledge"} {
		curl := func(arguments ...string) {
			c.t.Helper()
			c.run(append([]string{"curl", "-qsS", "--fail", "-m", "60", "-o", "/dev/null", version}, arguments...)...)
		}
		name := func(format string) string { return fmt.Sprintf(format, i) }
		curl("-F", "comment=四半期", "-F", "upload=@"+c.file(c.dir, name("見積書_極秘データー%d.xlsx"), 200_000, false), origin+"/up")
		curl("-F", "a=@"+c.file(c.dir, name("one %d.bin"), 10_000, false), "-F", "b=@"+c.file(c.dir, name("two%d's.bin"), 0, false), "-F", "c=@"+c.file(c.dir, name("表示ソ能%d.txt"), 40_000, false), origin+"/up")
		curl("-F", `q=@"`+c.file(c.dir, name("quoted; %d.bin"), 10_000, false)+`";type=application/pdf`, origin+"/up")
		curl("-F", "e=@"+c.file(c.dir, name("coded%d.bin"), 10_000, false)+";encoder=base64", origin+"/up")
		curl("-T", c.file(c.dir, name("put%d.iso"), 300_000, false), origin+"/dav/")
		curl("-T", c.file(c.dir, name("議事録%d.docx"), 30_000, false), origin+"/dav/")
		c.file(c.dir, name("got%d.iso"), 300_000, true)
		curl(origin + name("/got%d.iso"))
	}
}

// mail has swaks and curl send mail to Postfix's smtp-sink.
func (c *clients) mail() {
	sink := c.far.Command(c.t.Context(), "smtp-sink", "-u", "nobody", "-8", farAddress+":25", "10")
	if err := sink.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { sink.Stop(0) })
	scenetest.Eventually(c.t, "smtp-sink listens", func() bool {
		conn, err := c.ns.Dial("tcp", farAddress+":25")
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	swaks := []string{"swaks", "--server", farAddress, "--from", "yamada@example.co.jp", "--to", "bob@example.test", "--header", "Subject: files"}
	c.run(append(swaks, "--attach", "@"+c.file(c.dir, "swaks.pdf", 60_000, false), "--attach", "@"+c.file(c.dir, "顧客名簿.xlsx", 20_000, false))...)
	c.run(append(swaks, "--attach-type", "image/png", "--attach-name", "写真.png", "--attach", "@"+c.file(c.dir, "photo.png", 5000, false))...)
	c.files[len(c.files)-1].Name = "写真.png"
	c.run("curl", "-qsS", "-m", "60", "smtp://"+farAddress+"/client", "--mail-from", "yamada@example.co.jp", "--mail-rcpt", "bob@example.test",
		"-F", "=(;type=multipart/alternative", "-F", "=text", "-F", "=some text;type=text/html", "-F", "=)", "-F", "=@"+c.file(c.dir, "curl.zip", 30_000, false)+";encoder=base64", "-H", "Subject: curl")
}

// ftp has lftp and curl exchange files with vsftpd.
func (c *clients) ftp(dir string) {
	server, err := lab.StartVsftpd(c.far, dir, lab.KeyPair{}, lab.FTPPort, false)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { server.Stop() })
	c.file(server.Root, "配布資料.pdf", 100_000, true)
	c.run(lab.LFTP(farAddress, "", "get 配布資料.pdf; put -O upload "+c.file(c.dir, "lftp.dwg", 100_000, false)+"; set ftp:passive-mode no; put -O upload "+c.file(c.dir, "能動.dwg", 50_000, false))...)
	c.run("curl", "-qsS", "-m", "60", "-T", c.file(c.dir, "curl.ftp", 40_000, false), "ftp://"+farAddress+"/upload/")
	c.file(server.Root, "curl.get", 40_000, true)
	c.run("curl", "-qsS", "-m", "60", "-P", "-", "-o", "/dev/null", "ftp://"+farAddress+"/curl.get")
}

// share has smbclient exchange files with Samba, in several versions of SMB.
func (c *clients) share(dir string) {
	server, err := lab.StartSamba(c.far, dir)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { server.Stop() })
	for i, version := range []string{"SMB2_02", "SMB2_10", "SMB3_00", "SMB3_11"} {
		name := func(format string) string { return fmt.Sprintf(format, version) }
		big, small, empty := name("図面 %s.bin"), name("会議_%s.txt"), name("empty %s")
		c.file(c.dir, big, 5_000_000, false)
		c.file(c.dir, small, 700, false)
		c.file(c.dir, empty, 0, false)
		got, also := name("配布_%s.pdf"), name("配布_%s.txt")
		c.file(server.Root, got, 1_000_000+i, true)
		c.file(server.Root, also, 70_000+i, true)
		put := fmt.Sprintf(`mkdir 資料_%[1]s; cd 資料_%[1]s; put "%[2]s"; put "%[3]s"; put "%[4]s"; rename "%[3]s" "議事録_%[1]s.txt"; del "%[4]s"; cd ..; prompt; mget 配布_%[1]s*`, version, big, small, empty)
		c.run(lab.SMBClient(farAddress, "plans", put, "-m", version)...)
	}
	large := "large 見積.iso"
	c.file(server.Root, large, 20_000_000, true)
	c.run(lab.SMBClient(farAddress, "plans", `get "`+large+`" copy.iso; put copy.iso`)...)
	c.files = append(c.files, rowstest.File{Name: "copy.iso", Octets: c.files[len(c.files)-1].Octets})
	c.run(lab.SMBClient(farAddress, "private", "put copy.iso secret.iso")...)
}

// TestClients: what real clients send and get is found in what tcpdump has captured.
func TestClients(t *testing.T) {
	for _, program := range []string{"tcpdump", "curl", "swaks", "smtp-sink", "lftp", "vsftpd", "smbd", "smbclient"} {
		if _, err := exec.LookPath(program); err != nil {
			needs.Missing(t, err)
		}
	}
	l := netlab.ForTest(t)
	c := &clients{t: t}
	var err error
	if c.ns, err = l.Namespace("near"); err != nil {
		t.Fatal(err)
	}
	if c.far, err = l.Namespace("far"); err != nil {
		t.Fatal(err)
	}
	end := func(ns *netlab.Namespace, address string) netlab.End {
		return netlab.End{Namespace: ns, Name: "wire0", Addresses: []netip.Prefix{netip.MustParsePrefix(address + "/24")}}
	}
	if err := l.Link(end(c.ns, "192.0.2.1"), end(c.far, farAddress), netlab.LinkOptions{}); err != nil {
		t.Fatal(err)
	}
	var dirs [4]string
	for i, name := range []string{"files", "vsftpd", "capture", "samba"} {
		if dirs[i], err = l.Dir(name); err != nil {
			t.Fatal(err)
		}
	}
	capture, err := lab.StartCapture(c.far, "wire0", filepath.Join(dirs[2], "all.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	c.dir = dirs[0]
	c.web()
	c.mail()
	c.ftp(dirs[1])
	c.share(dirs[3])
	if _, err := capture.Stop(); err != nil {
		t.Fatal(err)
	}
	r := new(rows)
	if _, err := recorder.Import(t.Context(), []string{capture.File}, recorder.ImportOptions{Output: r}); err != nil {
		t.Fatal(err)
	}
	r.has(t, c.files)
	r.shares(t)
}

// shares: of files that are shared, logins and changes are told, and that a session is
// encrypted.
func (r *rows) shares(t *testing.T) {
	counts := make(map[string]int)
	for _, e := range r.Events {
		if e.Protocol == "smb" && e.User == `WORKGROUP\root` {
			counts[e.Method+e.Mechanism]++
		}
	}
	if counts["NTLM"] < 6 || counts["RENAME"] != 4 || counts["DELETE"] != 4 {
		t.Errorf("logins and changes: %v", counts)
	}
	encrypted := slices.ContainsFunc(r.Sessions, func(s trail.Session) bool { return s.Protocol == "smb" && s.Stop == "encrypted" })
	secret := slices.ContainsFunc(r.Sightings, func(x trail.Sighting) bool { return x.Name == "secret.iso" })
	if !encrypted || secret {
		t.Errorf("an encrypted session is told %v, its file found %v", encrypted, secret)
	}
}
