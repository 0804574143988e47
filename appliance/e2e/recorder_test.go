package e2e

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/hack/tempo"
)

// goldenFile says what a recorder has to tell of each row.
const goldenFile = "../recorder/testdata/rows.golden"

// Addresses of the rows: some dialogues have them in their words.
const (
	rowClient = "10.1.2.3"
	rowServer = "203.0.113.80"
)

// TestRecorderTellsRows: file transfers that pass the appliance in TLS give the same events,
// objects and findings as out of a capture file: behind the mirror port, by pcap-over-IP, and
// by the appliance's own recorder, which gets no frames.
func TestRecorderTellsRows(t *testing.T) {
	const live = "127.0.0.1:57012"
	c := newScene(t, settings{Mirror: `  - {name: live, kind: pcap-over-ip, listen: "` + live + `"}`, Blind: true, Prepare: prepared((*scene).rowAddresses),
		More: "recorder: {directory: recorder, source: [{name: own, kind: engine}]}\n"})
	rows, want := playable(t, tempo.Of(12, 1000))
	own := &recording{dir: filepath.Join(c.Dir, "state", "recorder")}
	recorders := map[string]*recording{
		"mirror port":  c.record(c.Recorder, "port", "--interface", lab.RecorderInterface),
		"pcap-over-ip": c.record(c.Box, "feed", "--connect", live),
		"engine":       own,
	}
	c.AwaitLog(1, "reader joined")
	for i := range rows {
		if err := rows[i].Play(c.rowConnection); err != nil {
			t.Error(err)
		}
	}
	for name, r := range recorders {
		r.await(c, name, want)
		if r != own {
			r.end(c)
		}
	}
	c.Stop()
	for name, r := range recorders {
		got := r.facts(c)
		if r == own { // it knows that the client spoke TLS
			for i := range got {
				got[i] = strings.Replace(got[i], `"uri":"https://`, `"uri":"http://`, 1)
			}
		}
		if d := rowstest.Differences(got, want); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
}

// playable returns rows that can be played, at most so many, and what is to be told of them.
func playable(t *testing.T, most int) (rows []rowstest.Row, want []string) {
	t.Helper()
	for _, row := range rowstest.Rows() {
		if row.Playable() {
			rows = append(rows, row)
		}
	}
	if step := len(rows) / most; step > 1 {
		few := rows[:0:0]
		for i := 0; i < len(rows); i += step {
			few = append(few, rows[i])
		}
		rows = few
	}
	g, err := rowstest.ReadGolden(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if want, err = g.Of(rows); err != nil {
		t.Fatal(err)
	}
	return rows, want
}

// rowAddresses gives client and origin the addresses of the rows, too.
func (c *scene) rowAddresses() {
	c.Helper()
	for _, command := range []struct {
		ns   *netlab.Namespace
		line string
	}{
		{c.Client, "addr add " + rowClient + "/32 dev lo"},
		{c.Client, "route add " + rowServer + "/32 via " + lab.BoxLANV4 + " src " + rowClient},
		{c.Box, "route add " + rowServer + "/32 via " + lab.OriginV4},
		{c.Box, "route add " + rowClient + "/32 via " + lab.ClientV4},
		{c.Origin, "addr add " + rowServer + "/32 dev lo"},
		{c.Origin, "route add " + rowClient + "/32 via " + lab.BoxWANV4},
	} {
		if _, err := lab.Run(c.Ctx, command.ns, "", "ip", strings.Fields(command.line)...); err != nil {
			c.Fatal(err)
		}
	}
}

// rowConnection makes a TLS connection through the appliance to a server of that port.
func (c *scene) rowConnection(port uint16) (client, server net.Conn, err error) {
	address := fmt.Sprintf("%s:%d", rowServer, port)
	ln, err := c.Origin.Listen("tcp", address)
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	type end struct {
		conn *tls.Conn
		err  error
	}
	arrived := make(chan end, 1)
	go func() {
		raw, err := ln.Accept()
		if err != nil {
			arrived <- end{nil, err}
			return
		}
		conn := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}})
		arrived <- end{conn, conn.HandshakeContext(c.Ctx)}
	}()
	raw, err := c.Client.DialContext(c.Ctx, "tcp", address)
	if err != nil {
		return nil, nil, err
	}
	secure := tls.Client(raw, &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName})
	if err := secure.HandshakeContext(c.Ctx); err != nil {
		return nil, nil, err
	}
	e := <-arrived
	return secure, e.conn, e.err
}

// recording is clearspan recorder while it runs.
type recording struct {
	checking
	dir string
}

// record starts a recorder, and returns when it records.
func (c *scene) record(ns *netlab.Namespace, name string, flags ...string) *recording {
	c.Helper()
	dir := filepath.Join(c.Directory(name), "rec")
	r := &recording{c.startCheck(ns, append([]string{"recorder", "run", "--directory", dir}, flags...)...), dir}
	scenetest.Eventually(c, "a recorder records", func() bool {
		_, err := r.status()
		return err == nil
	})
	return r
}

// recorderStatus is of its status.json.
type recorderStatus struct{ Frames, Analysed, Dropped, Events uint64 }

func (r *recording) status() (s recorderStatus, err error) {
	text, err := os.ReadFile(filepath.Join(r.dir, "status.json"))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	return s, err
}

// await waits until the recorder has found as many events as are wanted.
func (r *recording) await(c *scene, name string, want []string) {
	c.Helper()
	events := uint64(0)
	for _, line := range want {
		if strings.Contains(line, `"event":`) {
			events++
		}
	}
	var s recorderStatus
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if s, _ = r.status(); s.Events >= events {
			break
		}
	}
	if s.Events != events || s.Dropped > 0 {
		c.Errorf("%s: %d events, want %d; %d of %d frames analysed, %d dropped", name, s.Events, events, s.Analysed, s.Frames, s.Dropped)
	}
}

// end ends the recorder.
func (r *recording) end(c *scene) {
	c.Helper()
	if err := r.cmd.Signal(syscall.SIGTERM); err != nil {
		c.Error(err)
	}
	if err := r.cmd.Wait(); err != nil {
		c.Errorf("recorder: %v\n%s", err, r.said())
	}
}

// facts returns what was recorded.
func (r *recording) facts(c *scene) []string {
	c.Helper()
	out, errs, code := clearspan(c.T, c.Dir, "recorder", "search", "--directory", r.dir, "--json", "--limit", "10000")
	if code != 0 {
		c.Fatalf("search: status %d\n%s", code, errs)
	}
	list, err := rowstest.Facts([]byte(out))
	if err != nil {
		c.Fatal(err)
	}
	return list
}
