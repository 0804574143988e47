package appliance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
)

// The entry of a session names the host that its client asked for, by whatever protocol,
// whether the session went on, was blocked, or found no address.
func TestEntriesNameTheHost(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "plain") }))
	defer origin.Close()
	open := origin.Listener.Addr().(*net.TCPAddr).Port
	const closed, absent = 7, "absent.invalid"
	dir := t.TempDir()
	a := start(t, parse(t, dir, fmt.Sprintf(`state: state
intake: [{name: proxy, mode: explicit, listen: "127.0.0.1:0", connect_ports: [1-65535]}]
policy: {default: bump, rules: [{name: evil, host: [localhost], port: [%d], action: terminate}]}
admin: {listen: off}
`, closed)))
	port := func(n int) string { return string([]byte{byte(n >> 8), byte(n)}) }
	connect := func(host string, n int) string { return fmt.Sprintf("CONNECT %s:%d HTTP/1.1\r\n\r\n", host, n) }
	socks5 := func(host string, n int) string {
		return "\x05\x01\x00\x05\x01\x00\x03" + string(rune(len(host))) + host + port(n)
	}
	socks4a := func(host string, n int) string { return "\x04\x01" + port(n) + "\x00\x00\x00\x01u\x00" + host + "\x00" }
	plain := func(host string, n int) string {
		return fmt.Sprintf("GET http://%s:%d/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host, n, host)
	}
	type entry struct{ Host, Rule, Outcome, Reason string }
	const get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	for _, row := range []struct {
		name, said string
		want       entry
	}{
		{"CONNECT", connect("LOCALHOST", open) + get, entry{"localhost", "default", "plain", ""}},
		{"SOCKS5", socks5("localhost", open) + get, entry{"localhost", "default", "plain", ""}},
		{"SOCKS4A", socks4a("localhost", open) + get, entry{"localhost", "default", "plain", ""}},
		{"plain HTTP", plain("localhost", open), entry{"localhost", "default", "plain", ""}},
		{"CONNECT to an address", connect("127.0.0.1", open) + get, entry{"localhost", "default", "plain", ""}},
		{"CONNECT, blocked", connect("localhost", closed), entry{"localhost", "evil", "terminated", "policy"}},
		{"SOCKS5, blocked", socks5("localhost", closed), entry{"localhost", "evil", "terminated", "policy"}},
		{"SOCKS4A, blocked", socks4a("localhost", closed), entry{"localhost", "evil", "terminated", "policy"}},
		{"plain HTTP, blocked", plain("localhost", closed), entry{"localhost", "evil", "terminated", "policy"}},
		{"CONNECT, unresolved", connect(absent, 443), entry{absent, "default", "failed", "unresolved"}},
		{"SOCKS5, unresolved", socks5(absent, 443), entry{absent, "default", "failed", "unresolved"}},
		{"SOCKS4A, unresolved", socks4a(absent, 443), entry{absent, "default", "failed", "unresolved"}},
		{"plain HTTP, unresolved", plain(absent, 80), entry{absent, "default", "failed", "unresolved"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := filepath.Join(dir, "state", "sessions.jsonl")
			before, _ := os.ReadFile(file)
			conn, err := net.Dial("tcp", a.intakes.Addrs()[0].String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(time.Minute))
			io.WriteString(conn, row.said)
			answer, _ := io.ReadAll(conn)
			conn.Close() // or the session stays half open
			tempo.Until(t, "there is an entry", func() bool {
				all, _ := os.ReadFile(file)
				return bytes.Count(all, []byte("\n")) > bytes.Count(before, []byte("\n"))
			})
			all, _ := os.ReadFile(file)
			var got entry
			if err := json.Unmarshal(all[len(before):], &got); err != nil || got != row.want {
				t.Errorf("%+v, %v, want %+v; the client got %q", got, err, row.want, answer)
			}
		})
	}
}
