package appliance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
)

// A session that goes on has entries with what it has relayed so far. Its last one has all.
func TestInterimEntries(t *testing.T) {
	origin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer origin.Close()
	go func() {
		if conn, err := origin.Accept(); err == nil {
			io.Copy(conn, conn)
			conn.Close()
		}
	}()
	dir := t.TempDir()
	c := parse(t, dir, fmt.Sprintf(box, origin.Addr(), "bump"))
	c.Audit.Interim = 300 * time.Millisecond
	a := start(t, c)
	conn, err := net.Dial("tcp", a.intakes.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	type entry struct {
		Session, Outcome, Intake string
		Interim                  bool
		End                      *time.Time
		Octets                   map[string]uint64
	}
	entries := func() (list []entry) {
		all, _ := os.ReadFile(filepath.Join(dir, "state", "sessions.jsonl"))
		for line := range bytes.Lines(all[:bytes.LastIndexByte(all, '\n')+1]) {
			var e entry
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatal(err)
			}
			list = append(list, e)
		}
		return list
	}
	say := func(text string, octets uint64) {
		t.Helper()
		before := len(entries())
		io.WriteString(conn, text)
		if _, err := io.ReadFull(conn, make([]byte, len(text))); err != nil {
			t.Fatal(err)
		}
		tempo.Until(t, "there is an interim entry", func() bool {
			list := entries()
			return len(list) > before && list[len(list)-1].Octets["client_to_origin"] == octets
		})
	}
	say("hello, origin\n", 14)
	say("more", 18)
	conn.Close()
	tempo.Until(t, "there is the last entry", func() bool { list := entries(); return !list[len(list)-1].Interim })
	list := entries()
	for i, e := range list {
		last := i == len(list)-1
		if e.Interim == last || (e.End != nil) != last || e.Session != list[0].Session || e.Intake != "fixed" || e.Octets["client_to_origin"] != e.Octets["origin_to_client"] && last {
			t.Errorf("entry %d of %d: %+v", i, len(list), e)
		}
	}
	if e := list[len(list)-1]; e.Octets["client_to_origin"] != 18 {
		t.Errorf("last entry %+v", e)
	}
}
